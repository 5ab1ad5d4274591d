"""Cat heads by formula: a small world that is no human face, symmetric, with exact truth for every code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.projection import pose
from faceuv.models.base.codes import broadcast_code
from faceuv.registry import GENERATORS, RENDERERS
from faceuv.renderers import Renderer
from faceuv.renderers.interpolation import interpolate, spread
from faceuv.structures import Camera, Mesh

FACTORS = {"pose": 5, "light": 4, "shape": 8, "fur": 8, "eyes": 4, "behind": 7}
"""Numbers of a code by what they decide about; 36 in all."""
_GRID, _RING, _STEPS = 41, 12, 6  # vertices of the head per axis, of an ear around and along it
CAMERA = Camera(focal=4.7)
"""2.1 dm across at the centre of a head, 12.14° from side to side."""
_YAW, _PITCH, _ROLL = math.radians(42), math.radians(16), math.radians(6)


@dataclass(frozen=True, eq=False)
class CatTruth:
    """What a code shows, exactly.

    rotation  ``(B, 3)`` radians
    depth     ``(B, 1, S, S)`` view depth in decimetres, 0 beside the head
    mask      ``(B, 1, S, S)``
    albedo    ``(B, 3, S, S)`` the head without light, black beside it
    light     ``(B, 3)`` the direction toward the light, in the frame of the camera
    """

    rotation: Tensor
    depth: Tensor
    mask: Tensor
    albedo: Tensor
    light: Tensor


@GENERATORS.register_module()
class CatHeads(nn.Module):
    """Not a GAN: codes are cat heads, drawn; pictures are differentiable in the code.

    Config: ``dict(type="CatHeads", size=64)``. ``mapping(z) → w (B, 36)``, ``synthesis(code) → image (B, 3, S, S)``.

    Args:
        size: side of the pictures, a power of two of at least 16.
        renderer: draws the heads.
    """

    mean_code: Tensor
    turn: Tensor
    code_dim = sum(FACTORS.values())

    def __init__(self, size: int = 64, renderer: Renderer | Mapping[str, Any] | str = "torch") -> None:
        super().__init__()
        if isinstance(size, bool) or not isinstance(size, int) or size < 16 or size & (size - 1):
            raise InputError(f"size must be a power of two of at least 16, got {size!r}")
        self.size, self.num_layers = size, 2 * (size.bit_length() - 1) - 2
        config = {"type": renderer} if isinstance(renderer, str) else renderer
        self.renderer: Renderer = RENDERERS.build(
            {"camera": vars(CAMERA), "antialias": None, **config} if isinstance(config, Mapping) else config
        )
        rng = torch.Generator().manual_seed(0)
        turn, _ = torch.linalg.qr(torch.randn(self.code_dim, self.code_dim, generator=rng, dtype=torch.float64))
        self.register_buffer("turn", turn.float())  # so that no axis of w is a factor
        self.register_buffer("mean_code", torch.zeros(self.code_dim))

    @property
    def latent_dim(self) -> int:
        """The width of z."""
        return self.code_dim

    def sample_latents(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """``(count, 36)``."""
        return torch.randn(count, self.code_dim, generator=generator).to(self.mean_code)

    def mapping(self, z: Tensor) -> Tensor:
        """``z (B, 36)`` → ``w (B, 36)``: a rotation."""
        check_shape("z", z, ("B", self.code_dim))
        return z @ self.turn.to(z)

    def sample_codes(self, count: int, *, truncation: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """``(count, L, 36)``."""
        w = truncation * self.mapping(self.sample_latents(count, generator=generator))
        return broadcast_code(w, self.num_layers, self.code_dim).contiguous()

    def synthesis(self, code: Tensor) -> Tensor:
        """``code (B, 36)`` or ``(B, L, 36)``, whose rows count equally → image ``(B, 3, S, S)`` in [0, 1]."""
        cat = self.cat(code)
        shown, mask, _ = self._drawn(cat, cat.albedo * cat.shading[..., None])
        down = torch.linspace(0, 1, self.size).to(shown)[:, None]
        top, bottom = cat.behind[:, :3, None, None], cat.behind[:, 3:6, None, None]
        wall = torch.lerp(top, bottom, down.expand(self.size, self.size))
        return shown + (1 - mask) * wall

    def truth(self, code: Tensor) -> CatTruth:
        """What the picture of a code shows."""
        cat = self.cat(code)
        albedo, mask, depth = self._drawn(cat, cat.albedo)
        return CatTruth(cat.rotation, depth, mask, albedo, cat.toward)

    def cat(self, code: Tensor) -> _Cat:
        """The head of a code."""
        rows = broadcast_code(code, self.num_layers, self.code_dim)
        check_finite("a code", rows.flatten(1))
        numbers = rows.mean(1) @ self.turn.to(rows).T  # back to the factors
        return _Cat(dict(zip(FACTORS, numbers.split(list(FACTORS.values()), 1))))

    def _drawn(self, cat: _Cat, colours: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Colours over black, coverage, view depth."""
        mesh = Mesh(cat.world, cat.faces)
        seen = self.renderer.look(mesh, height=self.size, width=self.size)
        image = spread(interpolate(colours, seen.at), seen.at).permute(0, 3, 1, 2)
        depth = spread(seen.at.depth[:, None], seen.at).permute(0, 3, 1, 2)
        return image, (seen.face_id >= 0)[:, None].to(image), depth


class _Cat:
    """Shape, colours, pose and light of B heads, from numbers by factor ``(B, n)``."""

    def __init__(self, numbers: Mapping[str, Tensor]) -> None:
        soft = {name: torch.tanh(0.7 * value) for name, value in numbers.items()}  # −1 … 1
        posed, light = soft["pose"], soft["light"]
        limits = posed.new_tensor([_PITCH, _YAW, _ROLL])
        self.rotation = posed[:, [1, 0, 2]] * limits
        place = 0.08 * posed[:, 3:5] - posed.new_tensor([0.0, 0.14])  # ears need room above
        self.translation = torch.cat([place, torch.zeros_like(posed[:, :1])], 1)
        self.ambient, self.diffuse = 0.45 + 0.12 * light[:, :1], 0.5 + 0.15 * light[:, 1:2]
        self.toward = nn.functional.normalize(
            torch.cat([0.9 * light[:, 2:3], 0.3 + 0.6 * light[:, 3:4], torch.ones_like(light[:, :1])], 1), dim=1
        )
        self.shape, self.fur, self.eyes = soft["shape"], soft["fur"], soft["eyes"]
        self.behind = 0.45 + 0.3 * soft["behind"]

    # ---------------------------------------------------------------- shape

    @cached_property
    def vertices(self) -> Tensor:
        """``(B, V, 3)`` decimetres, symmetric about x = 0: the head, then both ears."""
        s = self.shape[..., None]
        u, v = _sphere(self.shape)
        wide, tall, deep = 0.74 + 0.08 * s[:, 0], 0.66 + 0.07 * s[:, 1], 0.62 + 0.05 * s[:, 2]
        x, y, z = wide * v.cos() * u.sin(), tall * v.sin(), deep * v.cos() * u.cos()
        muzzle = torch.exp(-((x / 0.3).square() + ((y + 0.27) / 0.2).square())) * (z > 0)
        brow = torch.exp(-((x.abs() - 0.26).square() / 0.03 + (y - 0.12).square() / 0.02)) * (z > 0)
        nose = torch.exp(-((x / 0.09).square() + ((y + 0.14) / 0.08).square())) * (z > 0)
        cheeks = torch.exp(-((y + 0.2) / 0.25).square())
        z = z + (0.26 + 0.1 * s[:, 3]) * muzzle - 0.06 * brow + 0.07 * nose
        x = x * (1 + (0.08 + 0.06 * s[:, 4]) * cheeks)
        head = torch.stack([x, y, z], -1)
        return torch.cat([head, self._ear(1.0), self._ear(-1.0)], 1)

    def _ear(self, side: float) -> Tensor:
        around, along = _cone(self.shape)
        s = self.shape[..., None]
        reach, height = 0.42 + 0.06 * s[:, 5], 0.55 + 0.14 * s[:, 6]
        width = (0.24 + 0.05 * s[:, 7]) * (1 - along)
        x = side * (reach + 0.16 * along) + side * width * around.cos()
        y = 0.36 + height * along - 0.3 * width * around.cos()
        z = -0.02 + 0.45 * width * around.sin() - 0.08 * along
        return torch.stack([x, y, z], -1)

    @cached_property
    def faces(self) -> Tensor:
        """``(F, 3)``."""
        return _faces().to(self.shape.device)

    @cached_property
    def world(self) -> Tensor:
        """The vertices in the pose."""
        return pose(self.vertices, self.rotation, self.translation)

    @cached_property
    def shading(self) -> Tensor:
        """Lambert's light ``(B, V)``, fixed to the camera."""
        normals = vertex_normals(self.world, self.faces)
        return self.ambient + self.diffuse * (normals @ self.toward[:, :, None])[..., 0].clamp_min(0)

    # ---------------------------------------------------------------- colours

    @cached_property
    def albedo(self) -> Tensor:
        """``(B, V, 3)`` in [0, 1]."""
        x, y, z = self.vertices.detach().unbind(-1)  # colours lie on the surface wherever its shape puts it
        f, e = self.fur[:, None], self.eyes[:, None]
        red, green, blue = (f[..., k] for k in range(3))
        base = torch.stack([0.62 + 0.25 * red, 0.48 + 0.22 * green + 0.1 * red, 0.36 + 0.2 * blue], -1)
        light = torch.stack([0.88 + 0.08 * f[..., 3], 0.82 + 0.08 * f[..., 3], 0.74 + 0.1 * f[..., 3]], -1)
        stripes = (0.5 + 0.5 * torch.sin((9 + 3 * f[..., 4]) * x.abs() + 5 * y + 2 * f[..., 5])) * torch.sigmoid(
            (y - 0.1) * 14
        )
        colour = base * (1 - (0.3 + 0.28 * f[..., 6])[..., None] * stripes[..., None])
        front = torch.sigmoid((z - 0.1) * 12)
        blaze = torch.exp(-(x / (0.13 + 0.05 * f[..., 7])).square()) * (y > -0.1)
        pale = (torch.exp(-((x / 0.34).square() + ((y + 0.33) / 0.24).square())) + 0.5 * blaze).clamp(0, 1) * front
        colour = torch.lerp(colour, light.expand_as(colour), pale[..., None])
        size = 0.135 + 0.025 * e[..., 3]
        away = (((x.abs() - 0.29) / 1.15).square() + (y - 0.1).square()).sqrt()
        iris = torch.sigmoid((size - away) * 45) * front
        slit = (((x.abs() - 0.29) * 1.8).square() + ((y - 0.1) / 2).square() + 1e-8).sqrt()
        pupil = torch.sigmoid((0.055 - slit) * 60) * front
        eye = torch.stack([0.5 + 0.35 * e[..., 0], 0.6 + 0.3 * e[..., 1], 0.25 + 0.25 * e[..., 2]], -1)
        dark = torch.full_like(colour, 0.07)
        rim = torch.sigmoid((size + 0.03 - away) * 45) * front
        for amount, with_ in ((rim, dark), (iris, eye.expand_as(colour)), (pupil, dark)):
            colour = torch.lerp(colour, with_, amount[..., None])
        nose = torch.sigmoid((0.075 - ((x / 1.2).square() + (y + 0.13).square()).sqrt()) * 60) * front
        mouth = (
            torch.exp(-(x / 0.02).square()) * torch.sigmoid((y + 0.37) * 40) * torch.sigmoid((-0.2 - y) * 40) * front
        )
        curve = torch.exp(-((y + 0.37 - 0.5 * (x.abs() - 0.09).square()) / 0.02).square()) * torch.sigmoid(
            (0.17 - x.abs()) * 50
        )
        pink = colour.new_tensor([0.82, 0.47, 0.45]).expand_as(colour)
        inner = torch.cat([torch.zeros_like(x[:, : _GRID * _GRID]), *[_inner_ear(self.shape)] * 2], 1)
        marks = ((nose, pink), ((mouth + curve * front).clamp(0, 1), dark), (0.8 * inner, pink))
        for amount, with_ in marks:
            colour = torch.lerp(colour, with_, amount[..., None])
        return colour.clamp(0.02, 0.98)


def _sphere(like: Tensor) -> tuple[Tensor, Tensor]:
    """Azimuth and elevation of the head's vertices ``(1, n²)``: the front and a little more."""
    line = torch.linspace(-1, 1, _GRID, device=like.device, dtype=like.dtype)
    v, u = torch.meshgrid(-line * math.radians(88), line * math.radians(125), indexing="ij")
    return u.reshape(1, -1), v.reshape(1, -1)


def _cone(like: Tensor) -> tuple[Tensor, Tensor]:
    """Angle around an ear, and place along it, 0 … 1: ``(1, ring · steps)``."""
    ring = torch.linspace(0, 2 * math.pi, _RING + 1, device=like.device, dtype=like.dtype)[:-1]
    along, around = torch.meshgrid(
        torch.linspace(0, 1, _STEPS, device=like.device, dtype=like.dtype), ring, indexing="ij"
    )
    return around.reshape(1, -1), along.reshape(1, -1)


def _inner_ear(like: Tensor) -> Tensor:
    """How pink an ear's vertices are ``(B, ·)``: in front, below the tip."""
    around, along = _cone(like)
    return (torch.sigmoid((around.sin() - 0.55) * 9) * torch.sigmoid((0.8 - along) * 12)).expand(len(like), -1)


_FACES: list[Tensor] = []


def _faces() -> Tensor:
    """The triangles of head and ears, counter-clockwise from outside; one tensor for all calls."""
    if not _FACES:
        r, c = torch.meshgrid(torch.arange(_GRID - 1), torch.arange(_GRID - 1), indexing="ij")
        a = (r * _GRID + c).flatten()
        parts = [torch.stack([a, a + _GRID, a + _GRID + 1], 1), torch.stack([a, a + _GRID + 1, a + 1], 1)]
        k, t = torch.meshgrid(torch.arange(_STEPS - 1), torch.arange(_RING), indexing="ij")
        low, right = (k * _RING + t).flatten(), (k * _RING + (t + 1) % _RING).flatten()
        ear = torch.cat(
            [torch.stack([low, right + _RING, right], 1), torch.stack([low, low + _RING, right + _RING], 1)]
        )
        start = _GRID * _GRID
        # the angle runs from +x to +z: seen from outside, that is clockwise about y on one side of the head
        parts += [ear + start, ear.flip(1) + start + _RING * _STEPS]
        _FACES.append(torch.cat(parts))
    return _FACES[0]
