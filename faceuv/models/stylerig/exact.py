"""The exact F of a generator whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.generator import CodeSpace, check_same_codes
from faceuv.registry import GENERATORS, MODELS
from faceuv.structures import CoefficientLayout, Coefficients

if TYPE_CHECKING:
    from faceuv.synthetic.generator import ProceduralGenerator


@MODELS.register_module()
class ExactMapper(nn.Module):
    """Code → the true coefficients of a :class:`~faceuv.synthetic.generator.ProceduralGenerator`'s face, differentiable
    in the code: ``dict(type="ExactMapper", generator=dict(type="ProceduralGenerator", size=32))``.

    With it RigNet is trained and measured without any error of a network that reads codes.
    """

    def __init__(self, generator: ProceduralGenerator | Mapping[str, Any]) -> None:
        from faceuv.synthetic.generator import ProceduralGenerator  # with its scenes, for those who use it

        super().__init__()
        built = GENERATORS.build(generator)
        if not isinstance(built, ProceduralGenerator):
            raise InputError(f"ExactMapper needs a ProceduralGenerator, got {type(built).__name__}")
        self.generator = built

    @property
    def num_layers(self) -> int:
        """L."""
        return self.generator.num_layers

    @property
    def code_dim(self) -> int:
        """D."""
        return self.generator.code_dim

    @property
    def layout(self) -> CoefficientLayout:
        """Of the generator's face model."""
        return self.generator.studio.face_model.layout

    def check_fits(self, generator: CodeSpace) -> None:
        """Raise unless it reads the codes of ``generator``."""
        check_same_codes(self, generator)

    def check_layout(self, layout: CoefficientLayout) -> None:
        """Raise unless coefficients of ``layout`` are what it gives."""
        if layout != self.layout:
            raise InputError(
                f"this ExactMapper gives coefficients of {self.layout.groups}, expected {layout.groups}: give its"
                " generator the same face model"
            )

    def yaw(self, code: Tensor) -> Tensor:
        """``(B,)`` radians."""
        return self(code).rotation[:, 1]

    def forward(self, code: Tensor) -> Coefficients:
        """``(B, L, D)`` or ``(B, D)`` → coefficients of B faces."""
        code = broadcast_code(code, self.num_layers, self.code_dim)
        with torch.autocast(code.device.type, enabled=False):
            return self.generator.studio.coefficients(self.generator.scene(code))
