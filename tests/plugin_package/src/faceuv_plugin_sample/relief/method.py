"""Training: the render of a code's surface shall look like the teacher's picture of that code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from faceuv.files.networks import save_network
from faceuv.models.base import BaseMethod
from faceuv.models.base.fixed import Fixed
from faceuv.models.base.generator import check_generator
from faceuv.models.base.manifest import MANIFEST, manifest_for
from faceuv.models.directions import Direction, save_directions
from faceuv.registry import DATASETS, GENERATORS, MODELS, RENDERERS
from faceuv.renderers import draw_surface
from faceuv_plugin_sample.relief.network import ReliefNetwork
from faceuv_plugin_sample.relief.sheet import sheet
from faceuv_plugin_sample.relief.teacher import EggGenerator

RELIEF, DIRECTIONS = "relief.safetensors", "directions.safetensors"


@DATASETS.register_module()
class EggCodes(Dataset):
    """Pairs of latents ``(2, 4)`` by index, one for the form and one for the colour; the same index gives the same
    egg."""

    def __init__(self, length: int = 1000) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        pair = torch.randn(
            EggGenerator.num_layers, EggGenerator.code_dim, generator=torch.Generator().manual_seed(index)
        )
        return {"latents": pair}


@MODELS.register_module()
class ReliefTraining(BaseMethod):
    """Code → depth and colour, learned from the teacher's pictures alone.

    Args:
        teacher: config of a generator.
        renderer: config or name of a renderer.
        losses: terms on the ``image`` and on the ``depth``.
    """

    def __init__(self, teacher: Mapping[str, Any], renderer: Any, losses: Mapping[str, Any]) -> None:
        super().__init__(losses)
        self.teacher_config = dict(teacher)
        self.teacher = Fixed(check_generator(GENERATORS.build(teacher), type(self).__name__))
        self.renderer = RENDERERS.build(renderer)
        self.relief = ReliefNetwork(self.teacher.network.num_layers, self.teacher.network.code_dim)

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step on a batch of latents; each code mixes the rows of two."""
        teacher = self.teacher.network
        with torch.no_grad():
            latents = self.data_preprocessor(data, True)["latents"]
            code = torch.stack([teacher.mapping(row) for row in latents.unbind(1)], 1)
            target = {"image": teacher.synthesis(code)}
        return self.update(optim_wrapper, lambda: self.losses(self.draw(code), target))

    def draw(self, code: Tensor) -> dict[str, Tensor]:
        """``image (B, 3, S, S)`` and ``depth (B, n, n)`` of B codes."""
        depth, colour = self.relief(code)
        return {
            "image": draw_surface(self.renderer, sheet(depth, colour), size=self.teacher.network.size).image,
            "depth": depth,
        }

    @torch.no_grad()
    def sample_images(self, count: int) -> dict[str, Tensor]:
        """``eggs``: the teacher's picture and the render, side by side."""
        code = self.teacher.network.sample_codes(count, generator=torch.Generator().manual_seed(0))
        return {"eggs": torch.cat([self.teacher.network.synthesis(code), self.draw(code)["image"]], 3).clamp(0, 1)}

    def export(self, folder: Path) -> list[str]:
        """Write the network, a direction, and the manifest that makes a generator of faces of the folder."""
        teacher = self.teacher.network
        wide = torch.zeros(teacher.num_layers, teacher.code_dim)
        wide[0, 0] = 1
        files = {
            "relief": save_network(folder / RELIEF, self.relief),
            "directions": save_directions(
                folder / DIRECTIONS, [Direction(wide, "wide", "a wider egg", "by hand", scale=1.0)]
            ),
        }
        manifest = manifest_for(
            "SampleRelief",
            folder,
            files,
            {"teacher": self.teacher_config},
            name=folder.resolve().parent.name,
            num_layers=teacher.num_layers,
            code_dim=teacher.code_dim,
        )
        manifest.write(folder)
        return [RELIEF, DIRECTIONS, MANIFEST]
