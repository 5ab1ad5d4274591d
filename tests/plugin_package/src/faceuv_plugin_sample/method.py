"""The smallest method: finds the colour of a triangle from a picture of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from faceuv.models.base import BaseMethod
from faceuv.registry import DATASETS, MODELS, RENDERERS
from faceuv.structures import Mesh


@DATASETS.register_module()
class Orange(Dataset):
    """The colour that is to be found, ``(3,)``."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"colour": torch.tensor([1.0, 0.5, 0.1])}


@MODELS.register_module()
class FitColour(BaseMethod):
    """Draws a triangle with a renderer of faceuv and compares it by the loss terms of the config."""

    def __init__(self, renderer: Mapping[str, Any], losses: Mapping[str, Any], size: int = 8) -> None:
        super().__init__(losses)
        self.renderer, self.size = RENDERERS.build(renderer), size
        self.colour = nn.Parameter(torch.full((3,), 0.5))
        self.register_buffer("triangle", torch.tensor([[-1.0, -1.0, 0.0], [1.0, -1.0, 0.0], [0.0, 1.0, 0.0]]))

    def draw(self, colour: Tensor) -> Tensor:
        """``(3,)`` RGB → ``(1, 3, size, size)``."""
        mesh = Mesh(vertices=self.triangle[None], faces=torch.tensor([[0, 1, 2]], device=colour.device))
        colours = colour.expand(1, 3, 3)
        return self.renderer(mesh, height=self.size, width=self.size, vertex_colours=colours).image

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """Move the colour."""
        target = {"image": self.draw(self.data_preprocessor(data, True)["colour"][0])}
        return self.update(optim_wrapper, lambda: self.losses({"image": self.draw(self.colour)}, target))

    def sample_images(self, count: int) -> dict[str, Tensor]:
        """The triangle as it is now."""
        return {"triangle": self.draw(self.colour).expand(count, -1, -1, -1).clamp(0, 1)}
