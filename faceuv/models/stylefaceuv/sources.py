"""The mapper as a source of coefficients for the ``fits`` stage."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from faceuv.fitting.sources import CoefficientSource, Estimates
from faceuv.models.base.generator import Generator
from faceuv.models.stylefaceuv.mappers import load_mapper
from faceuv.registry import COEFFICIENT_SOURCES


@COEFFICIENT_SOURCES.register_module(name="mapper")
class MapperSource(CoefficientSource):
    """A :class:`~faceuv.models.stylefaceuv.CoefficientMapper`: reads the code, no image; for scoring many codes.

    Args:
        path: its weights.
    """

    reads_images = False

    def __init__(self, path: str) -> None:
        self.path = path

    def prepare(self, generator: Generator, device: torch.device | str) -> None:
        """Load it; it must be for this generator."""
        self.mapper = load_mapper(self.path, generator).to(device)

    def estimate(self, code: Tensor, images: Tensor | None, names: Sequence[str] = ()) -> Estimates:
        """One pass."""
        return Estimates(self.mapper(code), [""] * len(code))
