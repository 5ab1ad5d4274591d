"""DFR: the mapper, trained without any fit, by how well the face that it reads off a code explains the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from faceuv.data.drawn import DrawnCodes
from faceuv.errors import InputError
from faceuv.files.networks import save_network
from faceuv.fitting.priors import likely
from faceuv.fitting.terms import check_group
from faceuv.models.base.fixed import Fixed
from faceuv.models.base.method import BaseMethod
from faceuv.models.faces.base import FaceModel
from faceuv.models.stylefaceuv.mapper_training import MAPPER_FILE, weights_dtype
from faceuv.models.stylefaceuv.mappers import PAPER_WIDTHS, CoefficientMapper
from faceuv.models.stylerig.drawing import Drawing, compared_size, picture_of, render_errors
from faceuv.registry import MODELS
from faceuv.renderers.base import Renderer
from faceuv.structures import CoefficientLayout, Coefficients

DEVIATIONS = {"identity": 1.0, "expression": 1.0, "albedo": 1.0, "rotation": 0.3, "lighting": 0.2, "translation": 0.2}
"""The size of each group for the networks, which answer in these units: 1 for coefficients that count standard
deviations, 17° of rotation, 2 cm of translation."""


@MODELS.register_module()
class SelfSupervisedMapping(BaseMethod):
    """Trains a :class:`~faceuv.models.stylefaceuv.CoefficientMapper` on pictures alone: StyleRig's DFR. No coefficients
    are fitted or given; :class:`~faceuv.models.stylefaceuv.CoefficientMapping` is the training on fits.

    A batch is that of :class:`~faceuv.data.drawn.DrawnCodes`. Optimiser: ``mapper``. The face of the coefficients that
    the mapper reads is drawn and compared with the generator's picture.

    Args:
        pictures: folder of the ``pictures`` stage.
        losses: terms of ``loss(pred, {"image", "mask", "landmarks"})``: ``pred`` has the same of the drawn face, and
            each group of coefficients in units of ``deviations`` about the centre, for ``CoefficientPenalty``.
        face_model: of the coefficients; a coarse one of the same kind trains the same.
        renderer: draws the faces.
        size: side at which faces are drawn and compared; the pictures' own by default, or one that divides it, at
            less cost.
        deviations: group → size of its coefficients; groups that are not named keep those of :data:`DEVIATIONS`.
        widths: hidden widths of both networks; the paper's by default.
        held_out: as of the data sets, see :class:`~faceuv.data.drawn.DrawnCodes`.
        dtype: of the exported weights, ``"float32"`` or ``"float16"``.
    """

    networks: ClassVar[tuple[str, ...]] = ("mapper",)
    exports: ClassVar[tuple[str, ...]] = (MAPPER_FILE,)

    def __init__(
        self,
        pictures: str | Path,
        losses: Mapping[str, Any],
        face_model: FaceModel | Mapping[str, Any] | str,
        *,
        renderer: Renderer | Mapping[str, Any] | str = "torch",
        size: int | None = None,
        deviations: Mapping[str, float] | None = None,
        widths: Sequence[int] = PAPER_WIDTHS,
        held_out: int = 10,
        dtype: str = "float32",
    ) -> None:
        super().__init__(losses)
        if not len(self.losses.terms):
            raise InputError("SelfSupervisedMapping needs a loss, dict(render=dict(type='RenderLoss'))")
        data = DrawnCodes(pictures, split="train", held_out=held_out)
        self.drawing: Fixed[Drawing] = Fixed(Drawing(face_model, compared_size(size, data.size), renderer))
        layout = self.drawing.network.face_model.layout
        self.mapper = CoefficientMapper(data.num_layers, data.code_dim, layout, widths=widths)
        self.mapper.set_code_statistics(data.codes.flatten(0, 1))
        centre = likely(layout, self.mapper.mean)[0]
        self.mapper.mean.copy_(centre)
        self.mapper.deviation.copy_(units(layout, deviations))
        with torch.no_grad():  # the first face is the average one, so that it lies where faces are
            for network in (self.mapper.face, self.mapper.albedo):
                last = network[-1]
                assert isinstance(last, nn.Linear)
                last.weight.mul_(0.1)
                last.bias.zero_()
        self.dtype = weights_dtype(dtype)
        self.origin = {"training": "self-supervised", "pictures": len(data), "run": data.metadata.get("run")}

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the mapper."""
        data = self.data_preprocessor(data, True)
        target = picture_of(data, self.drawing.network.size)

        def terms() -> dict[str, Tensor]:
            scores = self.mapper.standardised(data["code"])
            coefficients = Coefficients(self.mapper.mean + self.mapper.deviation * scores, self.mapper.layout)
            groups = {name: scores[:, self.mapper.layout.slice(name)] for name in self.mapper.layout.groups}
            return self.losses({**self.drawing.network(coefficients), **groups}, target)

        return self.update(optim_wrapper["mapper"], terms)

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For ``MeanErrors``: errors of the faces that the averaged mapper reads."""
        mapper = self.averaged("mapper")
        found = render_errors(self.drawing.network(mapper(data["code"])), picture_of(data, self.drawing.network.size))
        return [{name: values[k] for name, values in found.items()} for k in range(len(data["code"]))]

    def sample_images(self, count: int) -> dict[str, Tensor]:
        """None: the method has no generator; its stage's metrics say how well it draws."""
        return {}

    def export(self, folder: Path) -> list[str]:
        """Write ``mapper.safetensors``."""
        mapper = self.averaged("mapper")
        assert isinstance(mapper, CoefficientMapper)
        save_network(folder / MAPPER_FILE, mapper, dtype=self.dtype, metadata=self.origin)
        return [MAPPER_FILE]


def units(layout: CoefficientLayout, deviations: Mapping[str, float] | None = None) -> Tensor:
    """``(N,)``: the size of every coefficient."""
    found = torch.ones(layout.size)
    for group in deviations or {}:
        check_group(layout, group)
    for group, size in {**DEVIATIONS, **(deviations or {})}.items():
        if not size > 0:
            raise InputError(f"the deviation of {group} must be positive, got {size}")
        found[layout.slice(group)] = size
    return found
