"""A scene before it is drawn: the numbers and noise seeds of every factor."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.synthetic.seeds import FACTORS, SceneSeeds, combine, normals

_NUMBERS, _NOISE = 0, 1  # streams of a factor's seed


@dataclass(frozen=True, eq=False)
class Scene:
    """A batch of scenes: per factor standard normal ``numbers[factor] (B, n)``, which decide everything that varies
    continuously or by choice, and ``noise[factor] (B,)`` int64, which seeds textures."""

    numbers: dict[str, Tensor]
    noise: dict[str, Tensor]

    def __post_init__(self) -> None:
        batch = len(self)
        for name, width in FACTORS.items():
            check_shape(f"numbers[{name!r}]", self.numbers[name], (batch, width))

    def __len__(self) -> int:
        return len(self.numbers["identity"])

    @classmethod
    def from_seeds(cls, seeds: SceneSeeds, texture_seed: int | None = None) -> Scene:
        """What these seeds mean; with ``texture_seed`` all scenes share the texture noise that it gives."""
        numbers = {name: normals(seeds.factor(name), (width,), _NUMBERS) for name, width in FACTORS.items()}
        own = seeds if texture_seed is None else SceneSeeds.of([texture_seed] * len(seeds), device=seeds.table.device)
        noise = {name: combine(own.factor(name), _NOISE) for name in FACTORS}
        return cls(numbers, noise)

    def __getitem__(self, rows: slice) -> Scene:
        return Scene({k: v[rows] for k, v in self.numbers.items()}, {k: v[rows] for k, v in self.noise.items()})

    def latent(self) -> Tensor:
        """All numbers side by side, ``(B, Z)``: to a generator of such pictures, what its latent should mean."""
        return torch.cat([self.numbers[name] for name in FACTORS], 1)

    def to(self, device: torch.device | str) -> Scene:
        return Scene(
            {k: v.to(device) for k, v in self.numbers.items()}, {k: v.to(device) for k, v in self.noise.items()}
        )
