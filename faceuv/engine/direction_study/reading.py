"""From codes to coefficients, by any source: the truth, a mapper, or a network that looks at pictures."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from faceuv.fitting.sources import CoefficientSource
from faceuv.structures import Coefficients

PICTURES = 32  # made at a time, where a source looks at them


class CodeReader:
    """A generator with a coefficient source that is prepared for it: codes ``(B, L, D)`` → coefficients."""

    def __init__(self, generator: Any, source: CoefficientSource) -> None:
        self.generator, self.source = generator, source

    @torch.no_grad()
    def look(self, code: Tensor) -> tuple[Tensor, Coefficients]:
        """Pictures ``(B, 3, S, S)`` in [0, 1], and what is read."""
        images = self.generator.synthesis(code).clamp(0, 1)
        return images, self._estimate(code, images)

    @torch.no_grad()
    def __call__(self, code: Tensor) -> Coefficients:
        """Coefficients, with NaN in the rows that cannot be read. Pictures are made only if the source needs them."""
        if not self.source.reads_images:
            return self._estimate(code, None)
        parts = [self.look(part)[1] for part in code.split(PICTURES)]
        return Coefficients(torch.cat([part.data for part in parts]), parts[0].layout)

    def _estimate(self, code: Tensor, images: Tensor | None) -> Coefficients:
        found = self.source.estimate(code, images if self.source.reads_images else None)
        data = found.coefficients.data
        failed = torch.tensor([bool(reason) for reason in found.reasons], device=data.device)
        return Coefficients(data.masked_fill(failed[:, None], math.nan), found.coefficients.layout)
