"""LiftedGAN's generator of faces: pictures with their background from any side, and surfaces without it.

>>> import faceuv
>>> generator = faceuv.load("liftedgan")                                           # doctest: +SKIP
>>> image = generator.generate(generator.codes([7]), yaw_deg=30, light="left")   # doctest: +SKIP
>>> generator.sample(seed=7).save("face.glb")                                      # doctest: +SKIP
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.checks import check_finite
from faceuv.errors import InputError
from faceuv.face import Config, Face
from faceuv.files.networks import load_network
from faceuv.geometry.lighting import ambient_light, directional_light, sh_irradiance
from faceuv.geometry.rotations import euler_to_matrix, rotate
from faceuv.models.base.code_space import checked_yaw
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.face_generator import FaceGenerator, built_teacher
from faceuv.models.base.generator import Generator
from faceuv.models.base.manifest import Manifest
from faceuv.models.base.options import as_options
from faceuv.models.base.parts import DIRECTIONS
from faceuv.models.directions import Direction, load_directions
from faceuv.models.faces import FaceModel
from faceuv.models.faces.control import Degrees, Expression, Light, lighting_of, turned
from faceuv.models.liftedgan.geometry import DepthSpace, foreground_faces, grid_uv, unprojected
from faceuv.models.liftedgan.networks import LiftingNetworks
from faceuv.models.liftedgan.options import stored_space
from faceuv.models.liftedgan.parameters import ViewRange, parsed_light
from faceuv.models.liftedgan.scene import Lifted, at_rotation, check_fits, draw, lift, lit, space_renderer
from faceuv.models.stylegan2 import load_generator
from faceuv.registry import FACE_GENERATORS
from faceuv.renderers import Renderer
from faceuv.renderers.pasting import Seam
from faceuv.structures import Mesh, Surface

JUMP = 0.15
"""Decimetres: a triangle of an exported surface spans no larger step of depth."""


class ComposedView:
    """M as an editor of codes: the code of the same person, turned to a yaw in radians, in its own light.

    The teacher's picture of it is a rotation in 2D, with all that the teacher does not know of turned faces.
    """

    def __init__(self, networks: LiftingNetworks, views: ViewRange) -> None:
        self.networks, self.views = networks, views
        self.num_layers, self.code_dim = networks.num_layers, networks.code_dim

    def move(self, code: Tensor, target: Any) -> Tensor:
        """``(B, L, D)`` or ``(B, D)`` and one yaw or ``(B,)`` → ``(B, L, D)``."""
        rows = broadcast_code(code, self.num_layers, self.code_dim)
        light, view = self.networks.decompose(rows[:, 0])
        view = view.clone()
        yaw = torch.as_tensor(target, dtype=view.dtype, device=view.device).expand(len(rows))
        check_finite("yaw", yaw)
        view[:, 1] = yaw / math.radians(self.views.rotation_deg)
        each = [part.repeat_interleave(self.num_layers, 0) for part in (light, view)]
        return self.networks.compose(rows.flatten(0, 1), *each).unflatten(0, (len(rows), -1))


@FACE_GENERATORS.register_module(name="LiftedGAN")
class LiftedGANGenerator(FaceGenerator):
    """Generates faces from codes that :class:`LiftingNetworks` take apart.

    In ``generator.json``: ``{"type": "LiftedGAN", "files": {"teacher": …, "lifting": …}, "settings": {"space": …,
    "views": …}}``.

    Args:
        teacher: codes → images.
        lifting: the five networks.
        renderer: draws the faces; its kind also draws the pictures, with the camera of ``space``.
        space, views: those of the training.
        teacher_config: config of a teacher that has no file of weights; files then keep it in place of a file.
        directions: semantic directions, for :meth:`edit`; their names must differ.
        name: name in messages and in the metadata of faces.
        metadata: JSON values that are saved with the generator.
    """

    required: ClassVar[tuple[str, ...]] = ("lifting",)
    optional: ClassVar[tuple[str, ...]] = ("teacher", DIRECTIONS)
    turns = True  # generate turns the surface, not the code

    def __init__(
        self,
        teacher: Generator,
        lifting: LiftingNetworks,
        renderer: Config | Renderer | None = None,
        *,
        space: DepthSpace | Mapping[str, Any] | None = None,
        views: ViewRange | Mapping[str, Any] | None = None,
        teacher_config: Mapping[str, Any] | None = None,
        directions: Iterable[Direction] = (),
        name: str = "lifted",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.space = as_options(DepthSpace, space, "space")
        self.views = as_options(ViewRange, views, "views")
        check_fits(lifting, teacher, f"the networks of {name!r}")
        editor = ComposedView(lifting, self.views)
        super().__init__(teacher, renderer, editor=editor, directions=directions, name=name, metadata=metadata)
        self.lifting, self.teacher_config = lifting, teacher_config
        self.drawer = space_renderer({"type": self.renderer.name}, self.space)
        self.freeze()

    def networks(self) -> dict[str, nn.Module]:
        """``lifting`` and, unless it has a config, ``teacher``."""
        found: dict[str, nn.Module] = {"lifting": self.lifting}
        if self.teacher_config is None and isinstance(self.teacher, nn.Module):
            found = {"teacher": self.teacher, **found}
        return found

    def settings(self) -> dict[str, Any]:
        """The space of the depth, the ranges of the views, and the config of a teacher without a file."""
        kept = stored_space(self.space, self.views)
        return kept if self.teacher_config is None else {**kept, "teacher": dict(self.teacher_config)}

    @classmethod
    def from_files(
        cls,
        files: Mapping[str, Path],
        manifest: Manifest,
        *,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
    ) -> LiftedGANGenerator:
        """Read the parts."""
        if face_model is not None:
            raise InputError(f"a LiftedGAN has no face model, got face_model={face_model!r}: leave it out")
        return cls(
            load_generator(files["teacher"]) if "teacher" in files else built_teacher(manifest),
            load_network(files["lifting"], LiftingNetworks),
            renderer,
            space=manifest.settings.get("space"),
            views=manifest.settings.get("views"),
            teacher_config=None if "teacher" in files else manifest.settings.get("teacher"),
            directions=load_directions(files[DIRECTIONS]) if DIRECTIONS in files else (),
            name=manifest.name,
            metadata=manifest.metadata,
        )

    def to(self, device: torch.device | str) -> LiftedGANGenerator:
        """Move all parts, in place."""
        self.drawer.to(device)
        if isinstance(self.teacher, nn.Module):
            self.teacher.to(device)
        return super().to(device)

    # ---------------------------------------------------------------- faces

    @torch.no_grad()
    def lifted(self, code: Tensor) -> Lifted:
        """Codes taken apart: depth, transformation map, albedo, light, view. The first row of a code decides about
        pose, light and shape, so that style mixing (:meth:`mix`) keeps them."""
        return lift(self.teacher, self.lifting, self.check(code), self.space)

    @torch.no_grad()
    def face(self, code: Tensor) -> Face:
        """The surface of one code ``(1, L, D)`` or ``(1, D)``: the part of the mesh that is no background."""
        surface = cut_surface(self.lifted(self.single(code)), self.space, self.views)
        return Face.of_surface(surface, renderer=self.renderer, metadata={"generator": self.name})

    # ---------------------------------------------------------------- pictures

    @torch.no_grad()
    def generate(
        self,
        code: Tensor,
        *,
        yaw_deg: Degrees | None = None,
        pitch_deg: Degrees | None = None,
        roll_deg: Degrees | None = None,
        expression: Expression | None = None,
        light: Light | None = None,
        size: int | None = None,
        seam: Seam = "laplacian",
        width: float | None = None,
    ) -> Tensor:
        """Pictures of the whole mesh, whose background is stretched where the face turns: ``(B, 3, size, size)``.

        Args:
            yaw_deg, pitch_deg, roll_deg: one for all, or one per face ``(B,)``; None keeps the code's own. The middle
                of the face stays where it is. Yaw lies in ±90°; the far side of a head is not known, and from 45° on
                pictures show it.
            expression: an error, there are none.
            light: a name, or coefficients (3, 9), on the albedo; for the method's own lights use :meth:`pictures` with
                ``lifted(code).replace(light=raw_light(…))``.
            size: of the pictures; the mesh stays that of the teacher's size.
            seam, width: of no effect, the render has its background.
        """
        if expression is not None:
            raise InputError(f"the faces of {self.name!r} have no expressions, got {expression!r}")
        code, size = self.check(code), self.check_size(size)
        lifted = self.lifted(code)
        rotation, _ = self.views.pose(lifted.view)
        yaw = None if yaw_deg is None else checked_yaw(yaw_deg, len(code))
        rotation = turned(rotation, yaw_deg=yaw, pitch_deg=pitch_deg, roll_deg=roll_deg)
        lifted = at_rotation(lifted, rotation, self.space, self.views)
        colours = None
        if light is not None:
            lighting = lighting_of(light, len(code)).to(code).expand(len(code), -1, -1)
            normals = rotate(lifted.normals, euler_to_matrix(rotation))
            colours = bright_albedo(lifted).flatten(2).transpose(1, 2) * sh_irradiance(normals, lighting)
        return self.pictures(lifted, size=size, colours=colours)

    @torch.no_grad()
    def pictures(self, lifted: Lifted, *, size: int | None = None, colours: Tensor | None = None) -> Tensor:
        """Lifted codes in their light and view ``(B, 3, size, size)`` in [0, 1], four samples per pixel.

        Args:
            colours: of the vertices ``(B, S·S, 3)``, in place of the lit albedo.
        """
        size = self.check_size(size)
        colours = lit(lifted) if colours is None else colours
        drawn = draw(self.drawer, lifted, self.space, self.views, 2 * size, colours=colours)
        return F.avg_pool2d(drawn.image, 2).clamp(0, 1)


def bright_albedo(lifted: Lifted) -> Tensor:
    """The albedo ``(B, 3, S, S)`` scaled so that the place that faces the camera has the neutral picture's colour."""
    ambient, diffuse, _ = parsed_light(lifted.light)
    return lifted.albedo * (ambient + diffuse)[:, :, None, None]


def cut_surface(lifted: Lifted, space: DepthSpace, views: ViewRange) -> Surface:
    """The face of one lifted code as a surface: without background, and without triangles across jumps of depth."""
    faces = foreground_faces(lifted.depth[0], space, jump=JUMP)
    if not len(faces):
        raise InputError("this code has no foreground: its depth lies behind the border everywhere")
    used, again = faces.unique(return_inverse=True)
    n = lifted.depth.shape[-1]
    vertices = unprojected(lifted.depth, space.camera)[:, used]
    rotation, translation = views.pose(lifted.view)
    return Surface(
        Mesh(vertices, again.view(-1, 3), grid_uv(n, vertices.device)[used]),
        rotation=rotation,
        translation=translation,
        lighting=harmonic_light(lifted.light, rotation),
        diffuse=bright_albedo(lifted).clamp(0, 1),
        camera=space.camera,
    )


def harmonic_light(light: Tensor, rotation: Tensor) -> Tensor:
    """Raw lights ``(B, 4)`` as spherical harmonics ``(B, 3, 9)`` for :func:`bright_albedo`: nine bands of Lambert's
    light, fixed to the camera at the pose ``rotation (B, 3)``."""
    ambient, diffuse, toward = parsed_light(light)
    total = ambient + diffuse
    toward = rotate(toward[:, None], euler_to_matrix(rotation))[:, 0]
    white = torch.ones(len(light), 3, device=light.device, dtype=light.dtype)
    return ambient_light(white * (ambient / total)) + directional_light(toward, white * (diffuse / total))
