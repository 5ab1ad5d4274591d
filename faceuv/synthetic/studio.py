"""The studio: turns the numbers of a scene into geometry, maps, light and an image, with their truth."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.geometry import euler_to_matrix, pose, rotate, sample_map, welded_mean
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.hair.surroundings import is_procedural, to_object
from faceuv.models.faces.procedural.build import MM_PER_DM
from faceuv.registry import FACE_MODELS, RENDERERS
from faceuv.renderers.base import Renderer
from faceuv.renderers.edge_gradient import edge_gradient
from faceuv.structures import Coefficients, Mesh, UVMaps
from faceuv.synthetic.alignment import Framing, align
from faceuv.synthetic.alone import one_by_one
from faceuv.synthetic.background import paint_background
from faceuv.synthetic.draw import Draw
from faceuv.synthetic.glasses import Glasses
from faceuv.synthetic.hair import Hair, draw_style
from faceuv.synthetic.head import PIVOT, BackOfHead, Bust, above_the_collar
from faceuv.synthetic.head_painting import HeadPainting
from faceuv.synthetic.head_population import HeadPopulation
from faceuv.synthetic.layers import NEARER, lay_hair, shade_opaque, strand_texture
from faceuv.synthetic.painting import CanvasPainting, Painting
from faceuv.synthetic.population import Population, ProceduralPopulation, make_person
from faceuv.synthetic.scene import Scene
from faceuv.synthetic.world import World

_CANVAS_FACE = {"type": "ProceduralFace", "rows": 97, "columns": 81, "verbose": False}
_BEHIND = 100.0  # dm: behind the camera, where nothing is drawn
_BODY_TURN = (0.1, 0.4, 0.25)  # the share of the head's pitch, yaw and roll that the shoulders follow


@dataclass(frozen=True, eq=False)
class SceneRender:
    """A batch of drawn scenes with their truth. Images are ``(B, ·, H, W)``.

    image         RGB in [0, 1]
    mask          the face model's surface, where nothing covers it
    foreground    the person: face, hair, clothes, glasses
    background    what lies behind
    coefficients  of the linear model; rotation, light and translation are exact, albedo is the linear part
    maps          the diffuse map and displacement (dm, object frame) that were drawn
    world         the face's displaced vertices ``(B, V, 3)`` after rotation and translation
    scenery       everything opaque, as a mesh; its first faces are the face model's
    hair          coverage by hair at the image's resolution
    normal_map    ``(B, 3, T, T)`` normals of the displaced face after rotation, per texel
    """

    image: Tensor
    mask: Tensor
    foreground: Tensor
    background: Tensor
    coefficients: Coefficients
    maps: UVMaps
    world: Tensor
    scenery: Mesh
    hair: Tensor
    normal_map: Tensor

    def __getitem__(self, rows: slice) -> SceneRender:
        """Some of the scenes."""
        return SceneRender(
            self.image[rows],
            self.mask[rows],
            self.foreground[rows],
            self.background[rows],
            self.coefficients[rows],
            UVMaps(*(None if one is None else one[rows] for one in (self.maps.diffuse, self.maps.displacement))),
            self.world[rows],
            self.scenery.at(self.scenery.vertices[rows]),
            self.hair[rows],
            self.normal_map[rows],
        )


class SceneParts(NamedTuple):
    """What a camera needs of a batch of scenes; all begin with the scenes' axis."""

    vertices: Tensor  # (B, V, 3) of everything opaque
    attributes: Tensor  # (B, V, 8): see shade_opaque
    texture: Tensor  # (B, 6, T, T)
    lighting: Tensor  # (B, 3, 9)
    background: Tensor  # (B, 3, S, S)
    locks: Tensor  # (B, L, N, 3) sheets of hair, from the inside out; none if all are bald
    looks: Tensor  # (B, L, N, 10): see lay_hair
    strands: Tensor  # (B, 2, ·, ·)
    there: Tensor  # (B,): 0 for bald heads
    hair_colour: Tensor  # (B, 3)

    def split(self, count: int) -> Iterator[SceneParts]:
        """``count`` scenes at a time."""
        for start in range(0, len(self.vertices), count):
            yield SceneParts(*(tensor[start : start + count] for tensor in self))


@dataclass(frozen=True, eq=False)
class SceneFace:
    """``coefficients`` of the linear model, its ``surface (B, V, 3)`` before displacement and pose, ``male`` and
    ``age (B,)`` in [0, 1]."""

    coefficients: Coefficients
    surface: Tensor
    male: Tensor
    age: Tensor


class Studio(nn.Module):
    """Draws :class:`Scene` batches.

    Args:
        face_model: a ``ProceduralFace`` or a whole head with ARKit's expressions (``MakeHuman``, ``ICTFaceKit``), its
            config or name; a coarse procedural one by default, enough for small pictures. Other heads are painted by
            the transfer from the procedural face, whose correspondence is computed once and kept in the cache.
        renderer: as in :class:`~faceuv.renderers.FaceRenderer`; its camera is used.
        size: side of the pictures.
        samples: supersampling per axis.
        texture_size: side of the UV maps; by default 5/4 of the picture's, at least 96.
        world: which faces are drawn, see :class:`~faceuv.synthetic.world.World`.
    """

    def __init__(
        self,
        face_model: FaceModel | Mapping[str, Any] | str | None = None,
        renderer: Renderer | Mapping[str, Any] | str = "torch",
        *,
        size: int = 128,
        samples: int = 2,
        texture_size: int | None = None,
        world: World | Mapping[str, Any] | str | None = None,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("size", size, 16),
            ("samples", samples, 1),
            ("texture_size", texture_size or 64, 64),
        ):
            if not isinstance(value, int) or value < least:
                raise InputError(f"{name} must be a whole number of at least {least}, got {value!r}")
        self.face_model: FaceModel = FACE_MODELS.build(_CANVAS_FACE if face_model is None else face_model)
        device = self.face_model.mean.device
        self.face_model.to("cpu")  # what is made from it here is made there
        self.renderer: Renderer = RENDERERS.build(renderer)
        # a second view of the same renderer: each remembers the edges of one mesh
        self.hair_renderer = copy.copy(self.renderer)
        self.size, self.samples = size, samples
        self.texture_size = texture_size or max(96, size * 5 // 4)
        self.world = World.of(world)
        model = self.face_model
        self.population: Population
        self.painting: Painting
        if is_procedural(model):
            self.population = ProceduralPopulation(model)
            self.painting = CanvasPainting(model, self.texture_size, self.world.grain)
        else:
            self.population = HeadPopulation(model)
            self.painting = HeadPainting(model, FACE_MODELS.build(_CANVAS_FACE), self.texture_size, self.world.grain)
        self.hair = Hair(model)
        self.back = BackOfHead(model, self.painting.canvas)
        self.bust = Bust()
        self.glasses = Glasses(self.face_model, self.world.glasses)
        counts = [self.face_model.mean.shape[0], self.back.uv.shape[0], self.bust.out.shape[0]]
        starts = [0, counts[0], counts[0] + counts[1], sum(counts)]
        parts = [above_the_collar(model), self.back.faces, self.bust.faces, self.glasses.faces]
        self.register_buffer("faces", torch.cat([faces + start for faces, start in zip(parts, starts)]))
        self.face_faces = len(parts[0])
        self.textured_faces = len(parts[0]) + len(parts[1])
        self.register_buffer("pivot", to_object(torch.tensor(PIVOT).double().numpy()))
        self.register_buffer("body_turn", torch.tensor(_BODY_TURN))
        self.to(device)

    faces: Tensor
    pivot: Tensor
    body_turn: Tensor

    def forward(self, scene: Scene) -> SceneRender:
        """Draw a batch.

        On a CPU the bits of a scene do not depend on the others: what is small is computed for all scenes in shared
        calls that treat each alike, products of matrices and everything per pixel one scene after the other.
        """
        parts, known = self._parts_of(scene)
        drawn = [self._draw(part) for part in parts.split(1 if self.faces.device.type == "cpu" else len(scene))]
        image, mask, foreground, hair = (torch.cat(pictures) for pictures in zip(*drawn))
        return known(image=image, mask=mask, foreground=foreground, hair=hair)

    def _parts_of(self, scene: Scene) -> tuple[SceneParts, Callable[..., SceneRender]]:
        """What the camera needs of these scenes, and what is known of them already."""
        model, numbers, noise = self.face_model, scene.numbers, scene.noise
        known = self.face_of(scene)
        coefficients, surface, male, age = known.coefficients, known.surface, known.male, known.age
        identity, albedo = coefficients.identity, coefficients.albedo
        rotation, translation = coefficients.rotation, coefficients.translation

        painting = self.painting
        colours = painting.vertex_colours(albedo)
        linear = painting.linear_on_canvas(colours)
        person = make_person(self.population, numbers, painting.cheek_colour(linear), male, age)
        style = draw_style(numbers["hair"], person, self.world.hair)
        diffuse, relief = painting(colours, linear, scene, person, self.hair, style)
        vertex_normals, along_u, along_v = painting.normals_and_tangents(surface)
        height = relief / MM_PER_DM
        smooth, tangent_u, tangent_v = painting.frame(vertex_normals, along_u, along_v)
        normal_map = painting.surface_normals(smooth, tangent_u, tangent_v, height)
        displacement = smooth * height
        maps = UVMaps(diffuse, displacement)

        # everything opaque, in one mesh
        turn = euler_to_matrix(rotation)
        moved = welded_mean(sample_map(displacement, model.uv), model.weld)
        face = pose(surface + moved, rotation, translation)
        back = pose(one_by_one(self.back.follow, identity), rotation, translation)
        frames = self.glasses(numbers["glasses"], identity)
        clothes = self.bust(numbers["clothes"], painting.neck_colour(diffuse))
        body = rotation * self.body_turn
        anchor = pose(self.pivot.expand(len(scene), 1, 3), rotation, translation)
        shoulders = rotate(clothes.vertices - self.pivot, euler_to_matrix(body)) + anchor
        spectacles = pose(frames.vertices, rotation, translation)
        mesh = Mesh(torch.cat([face, back, shoulders, spectacles], 1), self.faces)
        back_normals = self.back.normals.expand(len(scene), -1, -1)
        vertex_normals = torch.cat(
            [
                rotate(torch.cat([vertex_normals, back_normals], 1), turn),
                rotate(clothes.normals, euler_to_matrix(body)),
                rotate(frames.normals, turn),
            ],
            1,
        )
        uv = torch.cat(
            [
                model.uv,
                self.back.uv,
                self.back.uv.new_zeros(mesh.vertices.shape[1] - len(model.uv) - len(self.back.uv), 2),
            ]
        )
        painted = torch.cat(
            [
                clothes.colours.new_zeros(len(scene), len(model.uv) + len(self.back.uv), 3),
                clothes.colours,
                frames.colours,
            ],
            1,
        )
        attributes = torch.cat([uv.expand(len(scene), -1, -1), vertex_normals, painted], 2)
        world_normals = (turn @ normal_map.flatten(2)).unflatten(2, normal_map.shape[2:])
        background = paint_background(numbers["background"], noise["background"], self.size, self.world.backgrounds)

        sheets = self.hair(identity, style, noise["hair"]) if bool((style.there > 0).any()) else []
        locks = [pose(sheet.vertices, rotation, translation) for sheet in sheets]
        looks = [
            torch.cat([rotate(sheet.normals, turn), rotate(sheet.tangents, turn), sheet.attributes], 2)
            for sheet in sheets
        ]
        parts = SceneParts(
            mesh.vertices,
            attributes,
            torch.cat([diffuse, world_normals], 1),
            coefficients.lighting,
            background,
            torch.stack(locks, 1) if locks else face.new_zeros(len(scene), 0, 0, 3),
            torch.stack(looks, 1) if looks else face.new_zeros(len(scene), 0, 0, 10),
            self.world.grain * strand_texture(noise["hair"]),
            style.there,
            person.hair_colour,
        )
        return parts, partial(
            SceneRender,
            background=background,
            coefficients=coefficients,
            maps=maps,
            world=face,
            scenery=mesh,
            normal_map=world_normals,
        )

    def _draw(self, parts: SceneParts) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Image, mask, foreground and hair of :class:`SceneRender`."""
        fine = self.size * self.samples
        view = self.renderer.look(Mesh(parts.vertices, self.faces), height=fine, width=fine)
        image, depth = shade_opaque(
            view,
            parts.attributes,
            parts.texture,
            parts.lighting,
            textured=self.textured_faces,
            mapped=self.face_faces,
        )
        covered = (view.face_id >= 0)[:, None]
        on_face = covered & (view.face_id < self.face_faces)[:, None]
        image = torch.where(covered, image, F.interpolate(parts.background, (fine, fine), mode="nearest"))
        if image.requires_grad:
            image = edge_gradient(image, view.pixels, view.face_id, view.at)
        hair = torch.zeros_like(image[:, :1])
        if bool((parts.there > 0).any()):
            reach = depth.view_as(view.face_id) + 2 * NEARER  # most of the hair lies behind the head
            bald = (parts.there == 0)[:, None, None]
            for vertices, looks in zip(parts.locks.unbind(1), parts.looks.unbind(1)):
                mesh = Mesh(torch.where(bald, vertices.new_full((), _BEHIND), vertices), self.hair.faces)
                view = self.hair_renderer.look(mesh, height=fine, width=fine, before=reach)
                image, alpha = lay_hair(image, view, looks, parts.strands, parts.hair_colour, parts.lighting, depth)
                hair = hair + alpha * (1 - hair)
        mask = on_face * (1 - hair)
        foreground = torch.maximum(covered.to(hair.dtype), hair)
        image, mask, foreground, hair = (self._reduce(t) for t in (image, mask, foreground, hair))
        return image.clamp(0, 1), mask, foreground, hair

    def face_of(self, scene: Scene) -> SceneFace:
        """Coefficients, surface and traits of the face of a scene, without drawing it."""
        identity, male, age = self.population.identity(scene.numbers["identity"])
        expression = self.population.expression(self.world.expression * scene.numbers["expression"])
        surface = one_by_one(self.face_model.shape, identity, expression)
        coefficients = self._coefficients(scene, identity, expression, surface[:, self.face_model.landmarks])
        return SceneFace(coefficients, surface, male, age)

    def coefficients(self, scene: Scene) -> Coefficients:
        """The coefficients of :meth:`face_of` to the rounding of a float, without its surface: many times as fast."""
        identity, _, _ = self.population.identity(scene.numbers["identity"])
        expression = self.population.expression(self.world.expression * scene.numbers["expression"])
        points = self.face_model.points(self.face_model.landmarks)
        return self._coefficients(scene, identity, expression, points.place(torch.cat([identity, expression], 1)))

    def _coefficients(self, scene: Scene, identity: Tensor, expression: Tensor, landmarks: Tensor) -> Coefficients:
        """``landmarks (B, 68, 3)`` in the object frame decide where the head stands."""
        albedo = self.population.albedo(scene.numbers["albedo"])
        lighting = self.population.light(scene.numbers["light"])
        pitch, yaw, roll = self.population.head_turn(scene.numbers["pose"], self.world.turn)
        draw = Draw(scene.numbers["framing"])
        framing = Framing(draw.normal(0, 0.008), draw.normal(0, 0.008), draw.normal(0, 0.025), roll)
        rotation, translation = align(landmarks, pitch, yaw, framing, self.renderer.camera)
        groups = (identity, expression, albedo, rotation, lighting.flatten(1), translation)
        return Coefficients(torch.cat(groups, 1), self.face_model.layout)

    def _reduce(self, picture: Tensor) -> Tensor:
        """The mean of each pixel's samples; in the order of ``avg_pool2d``, and several times as fast."""
        step = self.samples
        first, *others = (picture[..., row::step, column::step] for row in range(step) for column in range(step))
        return sum(others, first) / step**2
