"""Detail that no generator of faces draws, painted onto UV maps: moles, make-up, scars, tattoos, spectacle frames,
smooth colour noise. A branch that has seen such maps learns to copy what a photograph shows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from faceuv.checks import check_shape, check_shares
from faceuv.errors import InputError
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.uv import bake
from faceuv.models.faces.base import FaceModel
from faceuv.structures import UVMaps
from faceuv.synthetic.seeds import combine, uniforms

_SPOTS, _BLOBS, _POINTS = 6, 3, 5  # moles of a face; patches of make-up; points of a stroke
_EYES = (slice(36, 42), slice(42, 48))
_KINDS = ("tint", "make_up", "moles", "scars", "tattoos", "frames")  # in the order in which they are painted


@dataclass(frozen=True)
class DetailShares:
    """The share of faces with each kind of detail, in [0, 1], ``detail=dict(tattoos=0.1)``.

    tint     smooth noise of colour over the whole face
    make_up  soft patches of colour
    moles    dark spots, up to 6
    scars    thin bright lines that stand out by up to 1 mm
    tattoos  lines of any colour
    frames   dark rings around the eyes
    strength of all of them, 1 is the full range
    """

    tint: float = 0.6
    make_up: float = 0.5
    moles: float = 0.6
    scars: float = 0.4
    tattoos: float = 0.3
    frames: float = 0.15
    strength: float = 1.0

    def __post_init__(self) -> None:
        check_shares("detail", self)


class DetailPainter:
    """Paints detail onto the maps of a face model's faces.

    Args:
        face_model: whose chart the maps have; its landmarks say where the face lies in it.
        size: side of the maps in texels.
    """

    def __init__(self, face_model: FaceModel, size: int) -> None:
        self.size = size
        uv = face_model.uv[face_model.landmarks].detach().float()
        self.landmarks = uv.cpu()
        inner = uv[17:]
        self.reach = float((inner.amax(0) - inner.amin(0)).max())
        """The height or the width of the face in the chart, whichever is larger: lengths are shares of it."""
        if not self.reach > 0:
            raise InputError("the landmarks of this face model lie on one point of its chart: no detail can be placed")
        line = (torch.arange(size, dtype=torch.float32) + 0.5) / size
        self.grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)  # (H, W, 2)
        mean = vertex_normals(face_model.mean[None], face_model.faces, face_model.weld)
        normals = bake(mean, face_model.chart(size, size))
        self.normals = torch.nn.functional.normalize(normals, dim=1, eps=1e-20).detach().cpu()

    @torch.no_grad()
    def __call__(self, maps: UVMaps, seeds: Tensor, shares: DetailShares | None = None) -> UVMaps:
        """``maps`` of B faces with detail; that of a face depends on its seed ``(B,)`` int64 alone."""
        diffuse = maps.diffuse
        if diffuse is None:
            raise InputError("detail is painted onto a diffuse map; these maps have none")
        shares = shares or DetailShares()
        size = check_shape("the diffuse map", diffuse, ("B", 3, self.size, self.size))["B"]
        check_shape("seeds", seeds, (size,))
        seeds = seeds.cpu()
        chosen = uniforms(combine(seeds, 7), (len(_KINDS),))
        colour, relief = diffuse.cpu(), torch.zeros(size, 1, self.size, self.size)
        for k, kind in enumerate(_KINDS):
            on = (chosen[:, k] < getattr(shares, kind)).float()[:, None, None, None] * shares.strength
            if bool((on > 0).any()):
                colour, bump = getattr(self, f"_{kind}")(colour, combine(seeds, 11 + k), on)
                relief = relief + bump
        displacement = maps.displacement
        if displacement is not None:
            raised = (relief * self.normals).to(displacement)
            displacement = displacement + raised
        return UVMaps(colour.clamp(0, 1).to(diffuse), displacement)

    # ---------------------------------------------------------------- kinds

    def _tint(self, colour: Tensor, seeds: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
        coarse = uniforms(seeds, (3, 6, 6)) - 0.5
        noise = torch.nn.functional.interpolate(coarse, (self.size, self.size), mode="bicubic", align_corners=False)
        return colour * (1 + 0.4 * on * noise), torch.zeros(())

    def _make_up(self, colour: Tensor, seeds: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
        for k in range(_BLOBS):
            numbers = uniforms(combine(seeds, k), (8,))
            away = self._distance(self._place(numbers[:, :2]))
            radius = (0.05 + 0.12 * numbers[:, 2]) * self.reach
            soft = (-(away / radius[:, None, None]).square()).exp()[:, None]
            paint = numbers[:, 3:6, None, None]
            colour = torch.lerp(colour, paint, on * soft * (0.2 + 0.6 * numbers[:, 6, None, None, None]))
        return colour, torch.zeros(())

    def _moles(self, colour: Tensor, seeds: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
        relief = torch.zeros(())
        for k in range(_SPOTS):
            numbers = uniforms(combine(seeds, k), (6,))
            there = on * (numbers[:, 5] < 0.6).float()[:, None, None, None]
            away = self._distance(self._place(numbers[:, :2]))
            radius = (0.012 + 0.03 * numbers[:, 2]) * self.reach
            spot = self._disc(away, radius)
            colour = torch.lerp(colour, colour * (0.15 + 0.4 * numbers[:, 3, None, None, None]), there * spot)
            relief = relief + there * spot * 0.01 * numbers[:, 4, None, None, None]
        return colour, relief

    def _scars(self, colour: Tensor, seeds: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
        line, numbers = self._stroke(seeds, 0.008, 0.012)
        pale = 0.55 * colour + 0.45 * colour.new_tensor([0.9, 0.72, 0.68])[None, :, None, None]
        return torch.lerp(colour, pale, on * line), on * line * 0.01 * (2 * numbers[:, 0, None, None, None] - 1)

    def _tattoos(self, colour: Tensor, seeds: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
        for k in range(2):
            line, numbers = self._stroke(combine(seeds, k), 0.01, 0.03)
            colour = torch.lerp(colour, numbers[:, 1:4, None, None] * 0.8, on * line * 0.85)
        return colour, torch.zeros(())

    def _frames(self, colour: Tensor, seeds: Tensor, on: Tensor) -> tuple[Tensor, Tensor]:
        numbers = uniforms(seeds, (5,))
        wide = float((self.landmarks[_EYES[0]].mean(0) - self.landmarks[_EYES[1]].mean(0)).norm())
        for eye in _EYES:
            centre = self.landmarks[eye].mean(0).expand(len(seeds), -1)
            away = (self._distance(centre) - (0.28 + 0.14 * numbers[:, 0, None, None]) * wide).abs()
            ring = self._disc(away, (0.012 + 0.02 * numbers[:, 1]) * self.reach)
            colour = torch.lerp(colour, numbers[:, 2:5, None, None] * 0.4, on * ring)
        return colour, torch.zeros(())

    # ---------------------------------------------------------------- shapes

    def _place(self, numbers: Tensor) -> Tensor:
        """Points ``(B, 2)`` of the chart within the box of the inner landmarks, for ``numbers (B, 2)`` in (0, 1)."""
        low, high = self.landmarks[17:].amin(0), self.landmarks[17:].amax(0)
        margin = 0.15 * (high - low)
        return low - margin + numbers * (high - low + 2 * margin)

    def _distance(self, points: Tensor) -> Tensor:
        """``(B, H, W)`` to ``points (B, 2)``, in the chart."""
        return torch.linalg.vector_norm(self.grid - points[:, None, None], dim=3)

    def _disc(self, away: Tensor, radius: Tensor) -> Tensor:
        """``(B, 1, H, W)``: 1 within ``radius (B,)``, fading over a texel."""
        return ((radius[:, None, None] - away) * self.size + 0.5).clamp(0, 1)[:, None]

    def _stroke(self, seeds: Tensor, thin: float, thick: float) -> tuple[Tensor, Tensor]:
        """A curved line ``(B, 1, H, W)``, and further random numbers ``(B, 4)``."""
        numbers = uniforms(seeds, (5 + _POINTS,))
        place = self._place(numbers[:, :2])
        heading = 2 * math.pi * numbers[:, 2]
        step = (0.04 + 0.06 * numbers[:, 3]) * self.reach
        nearest = torch.full((len(seeds), self.size, self.size), math.inf)
        for k in range(_POINTS - 1):
            heading = heading + (numbers[:, 5 + k] - 0.5) * 1.6
            after = place + step[:, None] * torch.stack([heading.cos(), heading.sin()], 1)
            nearest = torch.minimum(nearest, self._segment(place, after))
            place = after
        width = (thin + (thick - thin) * numbers[:, 4]) * self.reach
        return self._disc(nearest, width), uniforms(combine(seeds, 3), (4,))

    def _segment(self, a: Tensor, b: Tensor) -> Tensor:
        """``(B, H, W)``: distance to the line from ``a`` to ``b (B, 2)``."""
        along = b - a
        share = ((self.grid - a[:, None, None]) * along[:, None, None]).sum(3)
        share = (share / along.square().sum(1)[:, None, None].clamp_min(1e-12)).clamp(0, 1)
        return torch.linalg.vector_norm(self.grid - a[:, None, None] - share[..., None] * along[:, None, None], dim=3)
