"""Training of the mapper, the network codes → coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from faceuv.checks import check_finite
from faceuv.data.codes import CodeFits
from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.losses import StandardisedL1
from faceuv.models.base.method import BaseMethod
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.natural_units import NaturalUnits
from faceuv.models.stylefaceuv.mappers import PAPER_WIDTHS, CoefficientMapper
from faceuv.registry import FACE_MODELS, MODELS
from faceuv.structures import Coefficients

MAPPER_FILE = "mapper.safetensors"
POINTS = 100  # of the face, which stand for all in natural units: coefficients are smooth, and this is most of the work


@MODELS.register_module()
class CoefficientMapping(BaseMethod):
    """Trains the mapper (``CoefficientMapper``) on the codes and coefficients of the ``fits`` stage.

    A batch is ``dict(code (B, D) or (B, L, D), coefficients (B, N))``. Optimiser: ``mapper``. L, D, the layout and the
    statistics that standardise inputs and outputs are those of the fits.

    Args:
        fits: folder of the fits; its training part gives the statistics.
        losses: terms of ``loss({"coefficients", "raw", …}, {…})``: ``coefficients (B, N)`` are standardised, ``raw``
            as they are, the others those of ``NaturalUnits``, if there is a ``face_model``.
        face_model: of the coefficients, for terms in natural units; a coarse one of the same kind trains the same.
        widths: hidden widths of both networks; the paper's by default.
        jitter: deviation of normal noise on the training codes, in units of their own; it smooths what few fits teach.
        held_out: as of the data sets, see :class:`~faceuv.data.codes.CodeFits`.
        dtype: of the exported weights, ``"float32"`` or ``"float16"``.
    """

    networks: ClassVar[tuple[str, ...]] = ("mapper",)
    exports: ClassVar[tuple[str, ...]] = (MAPPER_FILE,)

    def __init__(
        self,
        fits: str | Path,
        losses: Mapping[str, Any],
        *,
        face_model: FaceModel | Mapping[str, Any] | str | None = None,
        widths: Sequence[int] = PAPER_WIDTHS,
        jitter: float = 0.0,
        held_out: int = 10,
        dtype: str = "float32",
    ) -> None:
        super().__init__(losses)
        if not len(self.losses.terms):
            raise InputError("CoefficientMapping needs a loss, dict(scores=dict(type='StandardisedL1'))")
        data = CodeFits(fits, split="train", held_out=held_out)
        self.mapper = CoefficientMapper(data.num_layers, data.code_dim, data.layout, widths=widths)
        self.mapper.set_statistics(data.codes.flatten(0, -2), data.all_coefficients())
        for term in self.losses.terms.values():
            if isinstance(term, StandardisedL1):
                term.set_layout(data.layout)
        if not jitter >= 0:
            raise InputError(f"jitter must be at least 0, got {jitter}")
        self.jitter = jitter
        self.units: NaturalUnits | None = None
        if face_model is not None:
            model: FaceModel = FACE_MODELS.build(face_model)
            self.mapper.check_layout(model.layout)
            self.units = NaturalUnits(model, POINTS)
        self.dtype = weights_dtype(dtype)
        self.origin = {"fits": len(data), "run": data.metadata.get("run"), "seed": data.metadata.get("seed")}

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the mapper."""
        data = self.data_preprocessor(data, True)
        check_finite("coefficients of a batch", data["coefficients"])
        code = data["code"]
        if self.jitter:
            code = code + self.jitter * self.mapper.code_scale * torch.randn_like(code)

        def terms() -> dict[str, Tensor]:
            return self.losses(self._sides(self.mapper(code).data), self._sides(data["coefficients"]))

        return self.update(optim_wrapper["mapper"], terms)

    def _sides(self, coefficients: Tensor) -> dict[str, Tensor]:
        """What losses compare."""
        units = self.units(Coefficients(coefficients, self.mapper.layout)) if self.units is not None else {}
        return {"coefficients": self.mapper.standardise(coefficients), "raw": coefficients, **units}

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For ``CoefficientErrors``: what the averaged mapper reads, beside the fit."""
        mapper = self.averaged("mapper")
        found = mapper(data["code"]).data
        return [{"pred": pred, "true": true} for pred, true in zip(found, data["coefficients"])]

    def sample_images(self, count: int) -> dict[str, Tensor]:
        """None: coefficients have no images."""
        return {}

    def export(self, folder: Path) -> list[str]:
        """Write ``mapper.safetensors``."""
        mapper = self.averaged("mapper")
        assert isinstance(mapper, CoefficientMapper)
        save_network(folder / MAPPER_FILE, mapper, dtype=self.dtype, metadata=self.origin)
        return [MAPPER_FILE]


def weights_dtype(name: str) -> torch.dtype:
    """``"float32"`` or ``"float16"``."""
    known = {"float32": torch.float32, "float16": torch.float16}
    if name not in known:
        raise InputError(f"weights are kept as {' or '.join(known)}, got {name!r}")
    return known[name]
