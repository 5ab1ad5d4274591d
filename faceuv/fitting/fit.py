"""What a fit of pictures gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from faceuv.fitting.confidence import DOUBTFUL, PARTS, parts_of
from faceuv.structures import Coefficients

_TEXTS = ("reasons", "doubts")


@dataclass(frozen=True, eq=False)
class Fit:
    """The fits of a batch of pictures.

    coefficients       ``(B, N)``; NaN in rows without a face and in fits that diverged
    ok (B,) bool       whether the fit can be used
    reasons            B texts: why a fit is not ok, '' where it is
    landmark_error (B,)  mean distance of the 68 projected landmarks from the picture's, pixels; NaN without a fit
    photometric (B,)   mean length of the colour difference over the skin that is seen, in [0, √3]; NaN without a fit
    iterations (B,)    of all steps together
    evidence (B, 7)    what :mod:`~faceuv.fitting.confidence` measured, columns as its ``PARTS``; NaN: not known
    confidence (B,)    in [0, 1]; 0 without a fit
    doubts             B texts: why a fit is doubtful, '' where it is not

    Each fit has one of three outcomes: fitted, doubtful (``ok``, but below a confidence of 0.5) or failed (not ``ok``).
    """

    coefficients: Coefficients
    ok: Tensor
    reasons: tuple[str, ...]
    landmark_error: Tensor
    photometric: Tensor
    iterations: Tensor
    evidence: Tensor
    confidence: Tensor
    doubts: tuple[str, ...]

    @property
    def doubtful(self) -> Tensor:
        """``(B,)`` bool: can be used, but is likely to be wrong."""
        return self.ok & (self.confidence < DOUBTFUL)

    @property
    def outcomes(self) -> tuple[str, ...]:
        """B words: ``fitted``, ``doubtful`` or ``failed``."""
        pairs = zip(self.ok.tolist(), self.doubtful.tolist())
        return tuple("failed" if not ok else "doubtful" if doubtful else "fitted" for ok, doubtful in pairs)

    @property
    def parts(self) -> dict[str, Tensor]:
        """Name → ``(B,)`` in [0, 1]: what each piece of evidence alone says; NaN where it is not known."""
        return dict(zip(PARTS, parts_of(self.evidence).unbind(1)))

    def __len__(self) -> int:
        return len(self.reasons)

    def __getitem__(self, rows: Tensor) -> Fit:
        """Some rows, by indices."""
        chosen = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "coefficients"}
        for name, value in chosen.items():
            chosen[name] = tuple(value[row] for row in rows.tolist()) if name in _TEXTS else value[rows]
        return Fit(Coefficients(self.coefficients.data[rows], self.coefficients.layout), **chosen)

    def to(self, device: torch.device | str) -> Fit:
        """Move every tensor."""
        moved = {f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name not in _TEXTS}
        return replace(self, **moved)

    @classmethod
    def cat(cls, parts: Sequence[Fit]) -> Fit:
        """One fit of several batches."""
        rest = {
            f.name: torch.cat([getattr(part, f.name) for part in parts])
            for f in fields(cls)
            if f.name != "coefficients" and f.name not in _TEXTS
        }
        data = torch.cat([part.coefficients.data for part in parts])
        return cls(
            coefficients=Coefficients(data, parts[0].coefficients.layout),
            reasons=tuple(reason for part in parts for reason in part.reasons),
            doubts=tuple(doubt for part in parts for doubt in part.doubts),
            **rest,
        )
