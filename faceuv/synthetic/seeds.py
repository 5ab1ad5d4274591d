"""Randomness as a pure function of (seed, factor, index): the same on every device and for every batch size.

Numbers come from an integer hash, not from a generator with a state, so that a batch of scenes is drawn in one go and
each of its rows is what it would be alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.errors import InputError

# factor → how many standard normal numbers decide about it
FACTORS: dict[str, int] = {
    "identity": 82,
    "expression": 64,
    "albedo": 80,
    "skin": 28,
    "features": 18,
    "beard": 8,
    "eyes": 8,
    "hair": 30,
    "glasses": 8,
    "clothes": 12,
    "background": 20,
    "light": 18,
    "pose": 3,
    "framing": 4,
}
_MASK = 0xFFFFFFFF


def hash_bits(value: Tensor) -> Tensor:
    """A bijective scrambling of 32-bit numbers kept in int64 (two rounds of xor-shift and multiply)."""
    once = (value >> 16).bitwise_xor_(value).mul_(0x7FEB352D).bitwise_and_(_MASK)
    twice = (once >> 15).bitwise_xor_(once).mul_(0x2C1B3C6D).bitwise_and_(_MASK)
    return (twice >> 16).bitwise_xor_(twice)


def combine(seed: Tensor, index: Tensor | int) -> Tensor:
    """A new seed from a seed and an index; both broadcast; any int64 is allowed."""
    key = torch.as_tensor(index, dtype=torch.int64, device=seed.device)
    low, high = seed & _MASK, (seed >> 32) & _MASK
    return hash_bits(hash_bits(low ^ hash_bits((high + 0x9E3779B9) & _MASK)) ^ hash_bits((key + 0x85EBCA6B) & _MASK))


def uniforms(seed: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
    """``(B, *shape)`` float32 in (0, 1) for seeds ``(B,)``."""
    count = math.prod(shape)
    index = torch.arange(count, device=seed.device)
    start = hash_bits(((seed ^ (seed >> 32)) + (stream + 1) * 0x85EBCA6B) & _MASK)
    # steps of the golden ratio, scrambled: one round for each number, since this is most of the hashing there is
    bits = hash_bits((start[:, None] + (index * 0x9E3779B9)[None]).bitwise_and_(_MASK))
    return unit_interval(bits).view(-1, *shape)


def unit_interval(bits: Tensor) -> Tensor:
    """32-bit numbers → float32 strictly between 0 and 1: 23 bits and a half, which float32 holds exactly."""
    return (bits >> 9).float().add_(0.5).mul_(2.0**-23)


def normals(seed: Tensor, shape: Sequence[int], stream: int = 0) -> Tensor:
    """``(B, *shape)`` standard normal float32 for seeds ``(B,)``."""
    return uniforms(seed, shape, stream).mul_(2).sub_(1).erfinv_().mul_(math.sqrt(2))


def smooth_noise(
    seed: Tensor, size: tuple[int, int], cells: tuple[int, int], stream: int = 0, channels: int = 1
) -> Tensor:
    """Smooth noise ``(B, channels, H, W)`` of about unit variance with ``cells`` (rows, columns) features across."""
    coarse = normals(seed, (channels, cells[0] + 2, cells[1] + 2), stream)
    fine = F.interpolate(
        coarse, scale_factor=None, size=(size[0] + 2 * size[0] // cells[0], size[1] + 2 * size[1] // cells[1]),
        mode="bicubic", align_corners=False,
    )  # fmt: skip
    top, left = size[0] // cells[0], size[1] // cells[1]
    return fine[..., top : top + size[0], left : left + size[1]] * 1.45  # interpolation halves the variance


@dataclass(frozen=True, eq=False)
class SceneSeeds:
    """One seed per factor and scene, ``table (B, len(FACTORS))`` int64: hold some factors, vary the others.

    >>> a = SceneSeeds.of(7)
    >>> b = a.replace(pose=3)              # the same person in another pose
    """

    table: Tensor

    @classmethod
    def of(cls, seed: int | Sequence[int] | Tensor, *, device: torch.device | str | None = None) -> SceneSeeds:
        """Independent seeds for every factor, all derived from one number per scene."""
        base = _as_seeds(seed, device)
        factors = torch.arange(1, len(FACTORS) + 1, device=base.device)
        return cls(combine(base[:, None], factors[None]))

    def __len__(self) -> int:
        return self.table.shape[0]

    def __getitem__(self, rows: slice) -> SceneSeeds:
        return SceneSeeds(self.table[rows])

    def factor(self, name: str) -> Tensor:
        """The seeds ``(B,)`` of one factor."""
        return self.table[:, _column(name)]

    def replace(self, **factors: int | Sequence[int] | Tensor) -> SceneSeeds:
        """Exchange the seeds of some factors: one number for all scenes, or one per scene (a single scene is repeated).

        ``a.replace(pose=3)`` gives every scene the pose that ``SceneSeeds.of(3)`` has.
        """
        table = self.table
        for name, seed in factors.items():
            column = SceneSeeds.of(seed, device=table.device).factor(name)
            if len(column) not in (1, len(table)) and len(table) != 1:
                raise InputError(f"seeds of {name!r}: expected 1 or {len(table)} numbers, got {len(column)}")
            if len(column) > len(table):
                table = table.expand(len(column), -1)
            table = table.clone()
            table[:, _column(name)] = column
        return replace(self, table=table)

    def repeat(self, count: int) -> SceneSeeds:
        """Each scene ``count`` times in a row."""
        return SceneSeeds(self.table.repeat_interleave(count, 0))

    def to(self, device: torch.device | str) -> SceneSeeds:
        return SceneSeeds(self.table.to(device))


def _as_seeds(seed: int | Sequence[int] | Tensor, device: torch.device | str | None) -> Tensor:
    table = torch.as_tensor(seed, device=device)
    if table.ndim > 1 or table.numel() == 0:
        raise InputError(f"seeds must be one number or a list of them, got shape {tuple(table.shape)}")
    if table.is_floating_point() or table.dtype == torch.bool:
        raise InputError(f"seeds must be whole numbers, got {table.dtype}")
    return table.reshape(-1).to(torch.int64)


def _column(name: str) -> int:
    try:
        return list(FACTORS).index(name)
    except ValueError:
        raise InputError(f"no factor is called {name!r}; the factors are {', '.join(FACTORS)}") from None
