"""Depth map → grid mesh, and where its vertices go: pure functions on tensors, for any renderer.

Depth is view depth in decimetres, ``(B, n, n)`` with row 0 on top: the distance along the axis of a camera at
``(0, 0, distance)``. Sample (r, c) lies at ``2r/(n−1) − 1`` and ``2c/(n−1) − 1`` of the picture's half side, so that
the mesh ends where the picture ends.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from faceuv.checks import check_floating, check_shape
from faceuv.errors import InputError
from faceuv.geometry.projection import pose
from faceuv.structures import Camera


@dataclass(frozen=True)
class DepthSpace:
    """The camera and the range of depth. The defaults are the paper's scene, in which 1 is 10 dm here.

    fov_deg     vertical field of view
    distance    of the camera from the centre of rotation, dm
    half_range  depth lies in distance ± half_range
    border      how far behind the centre the left and right border lie
    smooth      blur the raw depth as T is blurred; False as published. Pixels of small images are wide, so that a
                rough depth turns its normals by tens of degrees
    """

    fov_deg: float = 10.0
    distance: float = 10.0
    half_range: float = 1.0
    border: float = 0.5
    smooth: bool = False

    def __post_init__(self) -> None:
        if not 0 < self.fov_deg < 120:
            raise InputError(f"space.fov_deg lies in 0 … 120 degrees, got {self.fov_deg}")
        if not 0 < self.half_range < self.distance or not abs(self.border) < self.half_range:
            raise InputError(
                "space needs 0 < half_range < distance and |border| < half_range (decimetres), got"
                f" half_range={self.half_range}, distance={self.distance}, border={self.border}"
            )

    @property
    def camera(self) -> Camera:
        """The camera that the depth refers to."""
        return Camera(focal=0.5 / math.tan(math.radians(self.fov_deg) / 2), distance=self.distance)

    @property
    def behind(self) -> float:
        """From this depth on, a place is background; a tenth of a paper's 0.1 before the border."""
        return self.distance + self.border - 0.1 * self.half_range


def border_columns(size: int) -> int:
    """How many columns at the left and right hold the border's depth: two at 256²."""
    return max(1, round(size / 128))


def finished_depth(raw: Tensor, space: DepthSpace) -> Tensor:
    """Raw depth ``(B, n, n)`` → view depth in decimetres: less its mean, tanh, range; the sides lie at the border."""
    check_shape("raw depth", raw, ("B", "n", "n"))
    raw = blurred(raw) if space.smooth else raw
    depth = space.distance + space.half_range * torch.tanh(raw - raw.mean((1, 2), keepdim=True))
    columns = border_columns(raw.shape[-1])
    return F.pad(depth[:, :, columns:-columns], (columns, columns), value=space.distance + space.border)


def finished_transformation(raw: Tensor, depth: Tensor, space: DepthSpace) -> Tensor:
    """Raw map and depth, ``(B, n, n)`` each → T in 0 … 1: 1 where the face is, blurred, 0 at the border."""
    check_shape("raw transformation map", raw, tuple(depth.shape))
    size = raw.shape[-1]
    amount = torch.where(depth <= space.behind, 1.0, torch.sigmoid(raw + 5))
    columns = border_columns(size)
    return F.pad(blurred(amount)[:, 1:-1, columns:-columns], (columns, columns, 1, 1))


def blurred(maps: Tensor) -> Tensor:
    """``(B, n, n)`` blurred as in the release: at 256² a Gaussian of σ = 4√2 cut at 10 pixels, elsewhere in
    proportion; mirrored at the border."""
    radius, kernel = _kernel(maps.shape[-1])
    kernel = kernel.to(maps)
    padded = F.pad(maps[:, None], (radius,) * 4, mode="reflect")
    rows = F.conv2d(padded, kernel.view(1, 1, 1, -1))
    return F.conv2d(rows, kernel.view(1, 1, -1, 1))[:, 0]


@lru_cache(maxsize=8)
def _kernel(size: int) -> tuple[int, Tensor]:
    radius = max(1, round(10 * size / 256))
    sigma = 4 * math.sqrt(2) * size / 256
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma).square())
    return radius, weights / weights.sum()


def unprojected(depth: Tensor, camera: Camera) -> Tensor:
    """Depth ``(B, n, n)`` → vertices ``(B, n·n, 3)`` in decimetres, row by row, in the frame of the neutral face."""
    check_shape("depth", depth, ("B", "n", "n"))
    check_floating("depth", depth)
    line = torch.linspace(-1, 1, depth.shape[-1], device=depth.device, dtype=depth.dtype)
    scale = depth / (2 * camera.focal)
    return torch.stack([line * scale, -line[:, None] * scale, camera.distance - depth], -1).flatten(1, 2)


def grid_normals(vertices: Tensor) -> Tensor:
    """Unit normals ``(B, n·n, 3)`` of a grid's vertices ``(B, n·n, 3)``, toward the camera; the border's are those
    beside it."""
    n = grid_side(vertices)
    grid = vertices.unflatten(1, (n, n))
    right = grid[:, 1:-1, 2:] - grid[:, 1:-1, :-2]
    up = grid[:, :-2, 1:-1] - grid[:, 2:, 1:-1]
    normals = F.normalize(torch.linalg.cross(right, up), dim=-1)
    return F.pad(normals.permute(0, 3, 1, 2), (1, 1, 1, 1), mode="replicate").flatten(2).transpose(1, 2)


def grid_side(vertices: Tensor) -> int:
    """n of ``(B, n·n, 3)``."""
    count = check_shape("the vertices of a grid", vertices, ("B", "V", 3))["V"]
    n = math.isqrt(count)
    if n * n != count or n < 3:
        raise InputError(f"a grid has n × n vertices with n ≥ 3, got {count}")
    return n


def transformed(vertices: Tensor, amount: Tensor, rotation: Tensor, translation: Tensor) -> Tensor:
    """Equation 1: ``(1 − T)·p + T·(R·p + t)`` for vertices p ``(B, V, 3)`` and T = ``amount (B, V)``.

    Args:
        rotation: ``(B, 3)`` radians about x, y, z.
        translation: ``(B, 3)`` decimetres.
    """
    check_shape("the transformation map", amount, tuple(vertices.shape[:2]))
    return torch.lerp(vertices, pose(vertices, rotation, translation), amount[..., None])


@lru_cache(maxsize=8)
def _grid_faces(n: int, device: str) -> Tensor:
    row, column = torch.meshgrid(torch.arange(n - 1), torch.arange(n - 1), indexing="ij")
    a = (row * n + column).flatten()  # upper left of each cell; counter-clockwise from the front
    faces = torch.cat([torch.stack([a, a + n, a + n + 1], 1), torch.stack([a, a + n + 1, a + 1], 1)])
    return faces.to(device)


def grid_faces(n: int, device: torch.device | str = "cpu") -> Tensor:
    """The two triangles of each cell ``(2·(n−1)², 3)``; one tensor for all calls, so that renderers know it again."""
    return _grid_faces(n, str(device))


def grid_uv(n: int, device: torch.device | str = "cpu") -> Tensor:
    """UV ``(n·n, 2)`` of the vertices over the picture."""
    line = torch.linspace(0, 1, n, device=device)
    v, u = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([u, v], -1).flatten(0, 1)


def foreground_faces(depth: Tensor, space: DepthSpace, *, jump: float = 0.15) -> Tensor:
    """The triangles ``(F, 3)`` of one depth map ``(n, n)`` that belong to the face: none with a corner in the
    background, and none across a jump of depth.

    Args:
        jump: decimetres between the corners of a triangle that are torn apart.
    """
    n = depth.shape[-1]
    faces = grid_faces(n, depth.device)
    corners = depth.reshape(-1)[faces]
    near = (corners < space.behind).all(1)
    whole = corners.amax(1) - corners.amin(1) <= jump
    return faces[near & whole]


def clip_contour(depth: Tensor) -> Tensor:
    """``depth (B, n, n)`` itself. Its gradient is zero wherever only some of the four neighbours get one: at the edge
    of what a render sees, a hard rasterizer's gradient says nothing of the shape."""
    clipped: Tensor = _ClipContour.apply(depth)
    return clipped


class _ClipContour(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, depth: Tensor) -> Tensor:
        return depth.view_as(depth)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        seen = F.pad((gradient != 0).to(gradient)[:, None], (1, 1, 1, 1), mode="reflect")
        around = seen[:, :, :-2, 1:-1] + seen[:, :, 2:, 1:-1] + seen[:, :, 1:-1, :-2] + seen[:, :, 1:-1, 2:]
        inside = (around - 4 * seen[:, :, 1:-1, 1:-1]).abs() < 0.5
        return gradient * inside[:, 0]
