"""Numbered samples of a teacher: the data set of methods that learn from a teacher's own codes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.data import Dataset

from faceuv.checks import whole_number
from faceuv.registry import DATASETS


@DATASETS.register_module()
class SampleNumbers(Dataset[dict[str, Tensor]]):
    """``dict(index=i)``; a method makes the code of it, so that the same index is the same code on any device.

    Config: ``dict(type="SampleNumbers", length=1_000_000, first=0)``.
    """

    def __init__(self, length: int = 1_000_000, first: int = 0) -> None:
        self.length = whole_number("SampleNumbers.length", length, low=1)
        self.first = whole_number("SampleNumbers.first", first)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if not 0 <= index < self.length:
            raise IndexError(f"sample {index} of {self.length}")
        return {"index": torch.tensor(self.first + index)}
