"""Scenes' paint on the chart of a face model: the diffuse map, the relief, and the normals of the raised surface."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.hair.lights import unit
from faceuv.synthetic.alone import one_by_one
from faceuv.synthetic.canvas import Canvas
from faceuv.synthetic.features import FeaturePainter, Person
from faceuv.synthetic.hair import Hair, HairStyle
from faceuv.synthetic.scene import Scene
from faceuv.synthetic.seeds import smooth_noise
from faceuv.synthetic.skin import SkinPainter

_CHEEK, _NECK = (36, -30, 10, 8), (20, -132, 18, 8)  # mm, head frame: a pair of spots that give the skin's colour


class Painting(nn.Module):
    """What a studio asks of the chart of a face model; maps are ``(B, C, T, T)``.

    The painters know the chart of the procedural face, the :class:`Canvas`. :class:`CanvasPainting` is for that face
    itself; :class:`~faceuv.synthetic.head_painting.HeadPainting` carries the paint to any other head.
    """

    def __init__(self, model: FaceModel, canvas: Canvas, grain: float) -> None:
        super().__init__()
        self.canvas, self.size = canvas, canvas.size
        self.model = model
        self.skin = SkinPainter(canvas, grain)
        self.features = FeaturePainter(canvas)
        cheek = canvas.spot(*_CHEEK)
        self.register_buffer("cheek", cheek / cheek.sum())

    cheek: Tensor

    def cheek_colour(self, linear: Tensor) -> Tensor:
        """``(B, 3)`` from :meth:`linear_on_canvas`."""
        return (linear * self.cheek).flatten(2).sum(2)

    def linear(self, albedo: Tensor) -> Tensor:
        """The linear albedo ``(B, A)`` as a diffuse map of the face model."""
        return self.linear_on_chart(self.vertex_colours(albedo))

    def vertex_colours(self, albedo: Tensor) -> Tensor:
        """The linear albedo ``(B, A)`` at the face model's vertices, ``(B, V, 3)``."""
        return one_by_one(self.model.albedo, albedo)

    @abstractmethod
    def linear_on_canvas(self, colours: Tensor) -> Tensor:
        """:meth:`vertex_colours` where the painters work."""

    @abstractmethod
    def linear_on_chart(self, colours: Tensor) -> Tensor:
        """:meth:`vertex_colours` as a diffuse map of the face model."""

    @abstractmethod
    def forward(
        self, colours: Tensor, on_canvas: Tensor, scene: Scene, person: Person, hair: Hair, style: HairStyle
    ) -> tuple[Tensor, Tensor]:
        """The diffuse map in [0, 1] and the relief ``(B, 1, T, T)`` in mm, over the chart of the face model.

        ``on_canvas`` is :meth:`linear_on_canvas` of the :meth:`vertex_colours` ``colours``.
        """

    @abstractmethod
    def neck_colour(self, diffuse: Tensor) -> Tensor:
        """``(B, 3)`` of a painted map."""

    @abstractmethod
    def spread(self, vertices: Tensor) -> Tensor:
        """A vertex attribute ``(B, V, C)`` as a map."""

    @abstractmethod
    def normals_and_tangents(self, vertices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit normals, ∂p/∂u and ∂p/∂v at the vertices ``(B, V, 3)``."""

    def frame(self, normals: Tensor, along_u: Tensor, along_v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What :meth:`normals_and_tangents` gives as maps ``(B, 3, T, T)``, the normals at length 1."""
        normal, tangent_u, tangent_v = one_by_one(self.spread, torch.cat([normals, along_u, along_v], 2)).split(3, 1)
        return unit(normal, 1), tangent_u, tangent_v

    @abstractmethod
    def surface_normals(self, smooth: Tensor, tangent_u: Tensor, tangent_v: Tensor, height: Tensor) -> Tensor:
        """Unit normals ``(B, 3, T, T)`` of the surface with this :meth:`frame`, raised along its normals by ``height
        (B, 1, T, T)`` dm."""


class CanvasPainting(Painting):
    """The procedural face: its chart is the canvas."""

    def __init__(self, model: FaceModel, size: int, grain: float) -> None:
        super().__init__(model, Canvas(model, size), grain)
        neck = self.canvas.spot(*_NECK)
        self.register_buffer("neck", neck / neck.sum())

    neck: Tensor

    def linear_on_canvas(self, colours: Tensor) -> Tensor:
        return self.linear_on_chart(colours)

    def linear_on_chart(self, colours: Tensor) -> Tensor:
        return self.canvas.spread(colours).clamp(0, 1)

    def forward(
        self, colours: Tensor, on_canvas: Tensor, scene: Scene, person: Person, hair: Hair, style: HairStyle
    ) -> tuple[Tensor, Tensor]:
        numbers, noise, canvas = scene.numbers, scene.noise, self.canvas
        paint, relief = self.skin(on_canvas, numbers["skin"], noise["skin"], person.age, person.male)
        place = torch.stack([canvas.x, canvas.y, canvas.z])
        paint, roots = root_hair(paint, place, hair, style, noise["hair"], person)
        paint, relief = self.features(paint, relief, numbers, noise, person)
        return paint.clamp(0, 1), relief + 0.8 * roots

    def neck_colour(self, diffuse: Tensor) -> Tensor:
        return (diffuse * self.neck).flatten(2).sum(2)

    def spread(self, vertices: Tensor) -> Tensor:
        return self.canvas.spread(vertices)

    def normals_and_tangents(self, vertices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.canvas.normals_and_tangents(vertices)

    def surface_normals(self, smooth: Tensor, tangent_u: Tensor, tangent_v: Tensor, height: Tensor) -> Tensor:
        return self.canvas.surface_normals(smooth, tangent_u, tangent_v, height)


def root_hair(
    colours: Tensor, place: Tensor, hair: Hair, style: HairStyle, seed: Tensor, person: Person
) -> tuple[Tensor, Tensor]:
    """The hair's roots and its shade over ``colours (B, 3, T, T)``, whose texels lie at ``place (3, T, T)`` mm in
    the head frame; returns the colours and the coverage by roots ``(B, 1, T, T)``."""
    ragged = smooth_noise(seed, (place.shape[1], place.shape[2]), (40, 40), 20)
    roots, shade = hair.on_scalp(place[0], place[1], place[2], style, ragged)
    own = person.hair_colour[:, :, None, None] * (0.85 + 0.10 * ragged)
    colours = colours * (1 - shade)
    return colours + (own - colours) * (roots * (0.92 + 0.08 * ragged)).clamp(0, 1), roots


def neck_weight(x: Tensor, y: Tensor, known: Tensor) -> Tensor:
    """Weights ``(T, T)`` that sum to 1: the sides of the neck, for texels at ``x, y`` mm that are ``known``."""
    across, along, wide, high = _NECK
    weight = torch.exp(-(((x.abs() - across) / wide) ** 2) - ((y - along) / high) ** 2) * known
    return weight / weight.sum().clamp_min(1e-12)
