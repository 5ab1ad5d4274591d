"""A code taken apart: depth, transformation map, albedo, light and view; and drawn again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.geometry.rotations import euler_to_matrix, rotate
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.generator import Generator
from faceuv.models.liftedgan.geometry import (
    DepthSpace,
    clip_contour,
    finished_depth,
    finished_transformation,
    grid_faces,
    grid_normals,
    grid_uv,
    transformed,
    unprojected,
)
from faceuv.models.liftedgan.networks import LiftingNetworks
from faceuv.models.liftedgan.parameters import ViewRange, frontal, parsed_light
from faceuv.registry import RENDERERS
from faceuv.renderers import Renderer
from faceuv.renderers.interpolation import interpolate, spread
from faceuv.structures import Mesh

DARK = 1e-8  # added to the shading that an albedo is divided by


@dataclass(frozen=True, eq=False)
class Lifted:
    """B codes taken apart. Maps cover the neutral face, seen from the front.

    depth           ``(B, S, S)`` view depth, decimetres
    transformation  ``(B, S, S)`` T, how far a place follows the face when it turns
    albedo          ``(B, 3, S, S)`` the neutral picture without its light; may exceed 1
    neutral         ``(B, 3, S, S)`` the teacher's picture of the neutral code
    normals         ``(B, S·S, 3)`` of the depth, toward the camera
    light, view     ``(B, 4)``, ``(B, 6)`` raw, see ``parameters``
    """

    depth: Tensor
    transformation: Tensor
    normals: Tensor
    albedo: Tensor
    neutral: Tensor
    light: Tensor
    view: Tensor

    def __len__(self) -> int:
        return len(self.depth)

    def replace(self, **fields: Tensor) -> Lifted:
        """A copy with some fields replaced."""
        return replace(self, **fields)

    def mirrored(self) -> Lifted:
        """Depth and albedo flipped from left to right; the view, the light and T stay (L_flip)."""
        n = self.depth.shape[-1]
        normals = self.normals.unflatten(1, (n, n)).flip(2).flatten(1, 2) * self.normals.new_tensor((-1, 1, 1))
        return replace(self, depth=self.depth.flip(2), normals=normals, albedo=self.albedo.flip(3))

    def repeat(self, count: int) -> Lifted:
        """``count`` times after each other."""
        return Lifted(**{name: torch.cat([value] * count) for name, value in vars(self).items()})

    def detach(self) -> Lifted:
        """Without gradients."""
        return Lifted(**{name: value.detach() for name, value in vars(self).items()})


def joined(*parts: Lifted) -> Lifted:
    """The rows of several."""
    return Lifted(**{name: torch.cat([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def shading(normals: Tensor, light: Tensor) -> Tensor:
    """Lambert's light ``(B, N)`` on unit normals ``(B, N, 3)``: ambient + diffuse · max(0, n·d)."""
    ambient, diffuse, toward = parsed_light(light)
    return ambient + diffuse * (normals @ toward[:, :, None])[..., 0].clamp_min(0)


def delit(picture: Tensor, normals: Tensor, light: Tensor) -> Tensor:
    """A neutral picture ``(B, 3, S, S)``, lit from the front as ``light`` says, without that light."""
    shade = shading(normals, frontal(light)).unflatten(1, picture.shape[2:])
    return picture / (shade[:, None] + DARK)


def code_rows(code: Tensor, teacher: Generator) -> Tensor:
    """``(B, L, D)`` of a code, checked."""
    return broadcast_code(code, teacher.num_layers, teacher.code_dim)


def last_features(teacher: Any, code: Tensor, *, wanted: bool) -> tuple[Tensor, Tensor | None]:
    """The teacher's picture ``(B, 3, S, S)`` of a code, and its last feature map ``(B, C, S, S)`` if it is wanted."""
    if not wanted:
        return teacher.synthesis(code), None
    drawn = teacher.synthesis(code, return_features=True)
    return drawn.image, drawn.features[-1].float()


def feature_channels(teacher: Any) -> int:
    """Channels of the teacher's last feature map; a teacher without one is an error."""
    channels = getattr(teacher, "channels", None)
    if not isinstance(channels, dict) or teacher.size not in channels:
        raise InputError(
            f"the depth network reads the teacher's last feature map, and a {type(teacher).__name__} has none: lift a"
            " StyleGAN2Generator, or set inject=False"
        )
    return int(channels[teacher.size])


def neutral_code(networks: LiftingNetworks, rows: Tensor, light: Tensor) -> Tensor:
    """M(w, L0, V0) of each row of a code ``(B, L, D)``, or of ``(B, D)``."""
    view = light.new_zeros(len(light), 6)
    if rows.ndim == 2:
        return networks.compose(rows, frontal(light), view)
    count = rows.shape[1]
    each = networks.compose(
        rows.flatten(0, 1), frontal(light).repeat_interleave(count, 0), view.repeat_interleave(count, 0)
    )
    return each.unflatten(0, (-1, count))


def lift(
    teacher: Generator,
    networks: LiftingNetworks,
    code: Tensor,
    space: DepthSpace,
    *,
    light: Tensor | None = None,
    view: Tensor | None = None,
) -> Lifted:
    """Take codes apart: ``(B, D)``, or ``(B, L, D)`` whose first row is read for pose, light and shape.

    Args:
        light, view: raw, in place of what the networks read.
    """
    w = code if code.ndim == 2 else code[:, 0]
    own_light, own_view = networks.decompose(w)
    light = own_light if light is None else light
    neutral = neutral_code(networks, code, light)
    picture, features = last_features(teacher, neutral, wanted=networks.features > 0)
    return from_picture(networks, neutral, picture, features, space, light, own_view if view is None else view)


def from_picture(
    networks: LiftingNetworks,
    neutral: Tensor,
    picture: Tensor,
    features: Tensor | None,
    space: DepthSpace,
    light: Tensor,
    view: Tensor,
) -> Lifted:
    """What :func:`lift` makes of a neutral code ``(B, D)`` or ``(B, L, D)`` and the teacher's answer to it."""
    w = neutral if neutral.ndim == 2 else neutral[:, 0]
    depth = finished_depth(networks.shape(w, features), space)
    amount = finished_transformation(networks.transformation(w), depth, space)
    normals = grid_normals(unprojected(depth, space.camera))
    return Lifted(depth, amount, normals, delit(picture, normals, light), picture, light, view)


def at_rotation(lifted: Lifted, rotation: Tensor, space: DepthSpace, views: ViewRange) -> Lifted:
    """The lifted codes seen at another rotation ``(B, 3)``, radians, turned about the middle of their surfaces, of
    what lies before the centre of rotation; it stays where it is.

    Nothing ties the centre of rotation to the head: D_V makes up for the distance between the two by a translation that
    goes with the yaw. A view that keeps its translation when its yaw changes moves the face out of its place.
    """
    before, translation = views.pose(lifted.view)
    points = unprojected(lifted.depth, space.camera)
    inside = (lifted.depth <= space.distance).flatten(1).to(points)[..., None]
    middle = (points * inside).sum(1, keepdim=True) / inside.sum(1, keepdim=True).clamp_min(1)
    still = rotate(middle, euler_to_matrix(before)) - rotate(middle, euler_to_matrix(rotation))
    return lifted.replace(view=views.view(rotation, translation + still[:, 0]))


@dataclass(frozen=True, eq=False)
class Drawn:
    """Pictures of lifted codes.

    image  ``(B, 3, H, H)`` RGB around [0, 1]
    mask   ``(B, 1, H, H)`` 1 where the mesh is, which is everywhere as long as the border stays
    depth  ``(B, 1, H, H)`` view depth, decimetres, 0 outside
    face_id ``(B, H, H)``
    """

    image: Tensor
    mask: Tensor
    depth: Tensor
    face_id: Tensor


def lit(lifted: Lifted) -> Tensor:
    """Colours ``(B, S·S, 3)`` of the vertices: albedo times the light, in the frame of the neutral face."""
    return lifted.albedo.flatten(2).transpose(1, 2) * shading(lifted.normals, lifted.light)[..., None]


def moved_mesh(lifted: Lifted, space: DepthSpace, views: ViewRange, *, clip: bool = False) -> Mesh:
    """The grid mesh of each code where its view puts it (equation 1)."""
    depth = clip_contour(lifted.depth) if clip else lifted.depth
    vertices = transformed(unprojected(depth, space.camera), lifted.transformation.flatten(1), *views.pose(lifted.view))
    n = depth.shape[-1]
    return Mesh(vertices, grid_faces(n, depth.device), grid_uv(n, depth.device))


def draw_mesh(renderer: Renderer, mesh: Mesh, colours: Tensor, size: int) -> Drawn:
    """A mesh with vertex colours ``(B, V, C)``, one face per pixel, as the renderer's rasterizer finds it."""
    seen = renderer.look(mesh, height=size, width=size)
    image = spread(interpolate(colours, seen.at), seen.at).permute(0, 3, 1, 2)
    depth = spread(seen.at.depth[:, None], seen.at).permute(0, 3, 1, 2)
    return Drawn(image, (seen.face_id >= 0)[:, None].to(image), depth, seen.face_id)


def draw(
    renderer: Renderer,
    lifted: Lifted,
    space: DepthSpace,
    views: ViewRange,
    size: int,
    *,
    colours: Tensor | None = None,
    clip: bool = False,
) -> Drawn:
    """R(A, S, T, V, L): the lifted codes in their light and view, with their background.

    Args:
        renderer: one whose camera is that of ``space``.
        colours: of the vertices, in place of the lit albedo.
        clip: apply :func:`~faceuv.models.liftedgan.geometry.clip_contour` to the gradient of the depth.
    """
    mesh = moved_mesh(lifted, space, views, clip=clip)
    return draw_mesh(renderer, mesh, lit(lifted) if colours is None else colours, size)


def check_fits(networks: LiftingNetworks, teacher: Any, where: str) -> None:
    """Raise unless networks were made for this teacher's codes, images and features."""
    has = (networks.size, networks.num_layers, networks.code_dim)
    is_ = (teacher.size, teacher.num_layers, teacher.code_dim)
    if has != is_:
        raise InputError(
            f"{where} lifts a teacher with size, L, D = {has}; this teacher has {is_}: take the one it was trained with"
        )
    if networks.features and feature_channels(teacher) != networks.features:
        raise InputError(
            f"{where} reads {networks.features} features, the teacher's last feature map has"
            f" {feature_channels(teacher)}: take the teacher it was trained with"
        )


def space_renderer(renderer: Mapping[str, Any] | str | Renderer, space: DepthSpace) -> Renderer:
    """A renderer with the camera of the space; a config that names another camera is an error."""
    if isinstance(renderer, Renderer):
        found = renderer
    else:
        config = {"type": renderer} if isinstance(renderer, str) else dict(renderer)
        found = RENDERERS.build({"camera": vars(space.camera), "antialias": None, **config})
    if not math.isclose(found.camera.focal, space.camera.focal, rel_tol=1e-5) or (
        found.camera.distance != space.camera.distance
    ):
        raise InputError(f"the renderer has the {found.camera}, the depth is that of {space.camera}: leave camera out")
    return found
