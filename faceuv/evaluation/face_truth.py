"""The true face of a code: the scene that its latent describes, or coefficients that were fitted to its image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.evaluation.consistency import texel_view
from faceuv.geometry import bake, displaced_normals, vertex_normals
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.models.faces.region import face_weight
from faceuv.models.faces.several_views import turned
from faceuv.structures import Coefficients, Render, UVMaps
from faceuv.synthetic.generator import ProceduralGenerator
from faceuv.synthetic.scene import Scene
from faceuv.synthetic.seeds import FACTORS, combine
from faceuv.synthetic.studio import Studio
from faceuv.synthetic.truth import truth_of

_YAW_NUMBER = 0  # the column of a scene's pose numbers that turns the head; its sign is the side


@dataclass(frozen=True, eq=False)
class FaceTruth:
    """The true faces of a batch.

    image   ``(B, 3, S, S)`` the true picture, or None where there is none
    render  the face's surface alone, from where the picture was taken
    clear   ``(B, 1, S, S)`` pixels where that surface is not covered by hair or glasses, in [0, 1]
    albedo  ``(B, 3, T, T)`` its own colours
    normal  ``(B, 3, T, T)`` unit normals, object frame, per texel
    seen    ``(B, 1, T, T)`` in {0, 1}: texels of the face that the picture shows
    unseen  ``(B, 1, T, T)`` in {0, 1}: texels of the whole surface that only the symmetric view shows
    """

    image: Tensor | None
    render: Render
    clear: Tensor
    albedo: Tensor
    normal: Tensor
    seen: Tensor
    unseen: Tensor


class GroundTruth(ABC):
    """Gives the true faces of codes. ``name`` is the prefix of the names of errors against it."""

    name: str

    @abstractmethod
    def truth(self, latents: Tensor, codes: Tensor, images: Tensor) -> FaceTruth:
        """Of latents ``(B, Z)``, their codes ``(B, L, D)`` and the teacher's pictures ``(B, 3, S, S)``."""


class SceneTruth(GroundTruth):
    """The synthetic scene whose numbers the latent is: exact for a ``ProceduralGenerator``; approximate for
    a teacher that was trained on pairs of latents and images.

    Args:
        teacher: whose latents they are.
        studio: that drew what the teacher was trained on; by default the procedural face in the full world.
    """

    name = "scene"

    def __init__(self, teacher: Any, studio: Studio | None = None) -> None:
        own = isinstance(teacher, ProceduralGenerator)
        width = int(getattr(teacher, "latent_dim", 0))
        if not own and width != sum(FACTORS.values()):
            raise InputError(
                f"truth 'scene' needs a teacher whose latents are scenes of the synthetic faces, Z ="
                f" {sum(FACTORS.values())}; this {type(teacher).__name__} has Z = {width}: use truth 'fitted'"
            )
        self.teacher = teacher
        drawn_by: Studio = teacher.studio if own else studio or Studio(size=int(teacher.size))
        self.studio = drawn_by if own else drawn_by.to(teacher.mean_code.device)
        self.renderer = FaceRenderer(self.studio.face_model, self.studio.renderer, normals="map")
        self.region = face_region(self.studio.face_model, self.studio.texture_size)

    def scene(self, latents: Tensor) -> Scene:
        """The scenes of ``latents (B, Z)``."""
        if isinstance(self.teacher, ProceduralGenerator):
            return self.teacher.scene(self.teacher.mapping(latents))
        check_shape("latents", latents, ("B", sum(FACTORS.values())))
        numbers = dict(zip(FACTORS, latents.split(list(FACTORS.values()), 1)))
        seed = torch.zeros(len(latents), dtype=torch.int64, device=latents.device)
        return Scene(numbers, {name: combine(seed, k) for k, name in enumerate(FACTORS)})

    @torch.no_grad()
    def truth(self, latents: Tensor, codes: Tensor, images: Tensor) -> FaceTruth:
        """Draws the scene, and its symmetric view."""
        scene = self.scene(latents)
        drawn = self.studio(scene)
        fields = truth_of(self.studio, drawn, ("visibility",))
        pose = scene.numbers["pose"].clone()
        pose[:, _YAW_NUMBER] = -pose[:, _YAW_NUMBER]
        mirrored = self.studio(Scene({**scene.numbers, "pose": pose}, scene.noise))
        from_there = truth_of(self.studio, mirrored, ("visibility",))["visibility"]
        texels = self.studio.texture_size
        itself = self.renderer.view_mask(drawn.coefficients, drawn.maps, size=self.studio.size, map_size=texels)
        render = self.renderer(drawn.coefficients, drawn.maps, size=self.studio.size)
        assert drawn.maps.diffuse is not None
        return FaceTruth(
            image=drawn.image,
            render=render,
            clear=drawn.mask,
            albedo=drawn.maps.diffuse,
            normal=texel_normals(self.studio.face_model, drawn.coefficients, drawn.maps, texels),
            seen=self.region * fields["visibility"],
            # what hair hides in the picture is neither: nobody can say what it should look like
            unseen=from_there * (1 - itself),
        )


class FittedTruth(GroundTruth):
    """The linear face of a fit to the teacher's image, for teachers without known scenes. It has neither wrinkles nor a
    beard, and errors of the fit count as truth.

    Args:
        fit: codes ``(B, L, D)`` and pictures ``(B, 3, S, S)`` → coefficients; NaN in the rows that could not be fitted.
        renderer: draws the face model of the fits.
        texels: side of the maps.
    """

    name = "fitted"

    def __init__(self, fit: Callable[[Tensor, Tensor], Coefficients], renderer: FaceRenderer, texels: int = 96) -> None:
        self.fit, self.renderer, self.texels = fit, renderer, texels
        self.region = face_region(renderer.face_model, texels)

    @torch.no_grad()
    def truth(self, latents: Tensor, codes: Tensor, images: Tensor) -> FaceTruth:
        """Fits, and renders the linear face."""
        size, model = images.shape[-1], self.renderer.face_model
        found = self.fit(codes, images)
        good = torch.isfinite(found.data).all(1)
        known = Coefficients(torch.where(good[:, None], found.data, 0), found.layout)
        render = self.renderer(known, size=size)
        mirrored = turned(known, -known.rotation[:, 1])
        views = [texel_view(self.renderer, c, size=size, map_size=self.texels).seen for c in (known, mirrored)]
        counts = good.to(images.dtype)[:, None, None, None]
        return FaceTruth(
            image=None,
            render=render,
            clear=render.mask * counts,
            albedo=model.albedo_map(known.albedo, self.texels, self.texels),
            normal=texel_normals(model, known, None, self.texels),
            seen=self.region * views[0] * counts,
            unseen=views[1] * (1 - views[0]) * counts,
        )


@torch.no_grad()
def face_region(model: FaceModel, texels: int) -> Tensor:
    """``(1, 1, T, T)`` in {0, 1}: the texels of the face itself, without scalp, ears, neck and the mouth's inside."""
    inside = (face_weight(model) > 0).to(model.mean.dtype)
    chart = model.chart(texels, texels)
    return ((bake(inside[None, :, None], chart) > 0.5) & (chart.face_id >= 0)).to(model.mean.dtype)


@torch.no_grad()
def texel_normals(model: FaceModel, coefficients: Coefficients, maps: UVMaps | None, texels: int) -> Tensor:
    """Unit normals ``(B, 3, T, T)`` of the displaced surface at every texel, object frame: pose plays no part."""
    surface = model.shape(coefficients.identity, coefficients.expression)
    chart = model.chart(texels, texels)
    normals = F.normalize(bake(vertex_normals(surface, model.faces, model.weld), chart), dim=1)
    if maps is None or maps.displacement is None:
        return normals
    along_u, along_v = (bake(along, chart) for along in model.tangents(surface))
    return displaced_normals(normals, along_u, along_v, to_texels(maps.displacement, texels))


def to_texels(maps: Tensor, texels: int) -> Tensor:
    """Maps ``(B, C, H, W)`` at another resolution ``(B, C, T, T)``."""
    if maps.shape[-1] == texels:
        return maps
    smaller = texels < maps.shape[-1]
    return F.interpolate(maps, (texels, texels), mode="bilinear", align_corners=False, antialias=smaller)
