"""The frozen networks, and what they say about a batch of codes: the views that renders are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError
from faceuv.fixed import Fixed
from faceuv.models.mappers import CoefficientMapper, YawStepper
from faceuv.models.stylegan2 import StyleGAN2Generator, broadcast_code
from faceuv.structures import Coefficients

Source = Literal["fitted", "predicted"]
VIEWS = ("original", "symmetric")


@dataclass(frozen=True, eq=False)
class Targets:
    """V views of B faces, one view after the other.

    codes         ``(V·B, L, D)``
    coefficients  ``(V·B, N)``
    images        ``(V·B, 3, S, S)`` of the teacher, in [0, 1]
    views         their V names
    asked         ``(V·B,)`` radians, the yaw that each view was turned to, where that is known
    """

    codes: Tensor
    coefficients: Coefficients
    images: Tensor
    views: tuple[str, ...] = VIEWS[:1]
    asked: Tensor | None = None


class Guides(nn.Module):
    """Teacher, F3D and F_yaw: from codes to views. Nothing in it is trained, and nothing of it is saved.

    Args:
        teacher: codes → images.
        mapper: F3D, codes → coefficients.
        stepper: F_yaw, codes → codes of turned faces; every view but the original needs it.
        views: ``("original",)`` or ``("original", "symmetric")``.
        coefficients: of the original view: ``"fitted"``, those of the batch; ``"predicted"``, what F3D reads, as for
            codes that were never fitted. Those of the symmetric view are always predicted.
    """

    def __init__(
        self,
        teacher: StyleGAN2Generator,
        mapper: CoefficientMapper,
        stepper: YawStepper | None = None,
        *,
        views: Sequence[str] = VIEWS,
        coefficients: Source = "fitted",
    ) -> None:
        super().__init__()
        self.views = tuple(views)
        if self.views not in (VIEWS[:1], VIEWS):
            raise InputError(f"views must be ('original',) or ('original', 'symmetric'), got {self.views}")
        if coefficients not in ("fitted", "predicted"):
            raise InputError(f"coefficients must be 'fitted' or 'predicted', got {coefficients!r}")
        self.source = coefficients
        mapper.check_fits(teacher)
        self.teacher: Fixed[StyleGAN2Generator] = Fixed(teacher)
        self.mapper: Fixed[CoefficientMapper] = Fixed(mapper)
        if "symmetric" in self.views and stepper is None:
            raise InputError("the symmetric view needs a stepper; give one, or views=('original',)")
        if stepper is not None:
            stepper.check_fits(teacher)
        self.stepper: Fixed[YawStepper] | None = None if stepper is None else Fixed(stepper)

    @torch.no_grad()
    def forward(
        self,
        code: Tensor,
        fitted: Tensor | None = None,
        *,
        views: Sequence[str] | None = None,
        turned: Mapping[str, Tensor] | None = None,
    ) -> Targets:
        """The views of ``code (B, L, D)`` or ``(B, D)``; ``fitted (B, N)`` are the batch's own coefficients.

        F3D reads each code once, and the teacher draws all views in one call.

        Args:
            views: others than those that are learned from.
            turned: further views by name, faces turned to a yaw ``(B,)`` in radians.
        """
        mapper, teacher = self.mapper.network, self.teacher.network
        code = broadcast_code(code, mapper.num_layers, mapper.code_dim)
        check_finite("the codes of a batch", code.flatten(1))
        own: Tensor | None = None
        if self.source == "predicted" or fitted is None:
            if self.source == "fitted":
                raise InputError("coefficients='fitted' needs batches with coefficients (B, N), as CodeFits gives them")
            own = mapper(code).data
        else:
            check_shape("the coefficients of a batch", fitted, (len(code), mapper.layout.size))
            check_finite("the coefficients of a batch", fitted)
        found = fitted if own is None else own
        assert found is not None
        views = self.views if views is None else tuple(views)
        angles = dict(turned or {})
        if "symmetric" in views:
            yaw = mapper.yaw(code) if own is None else Coefficients(own, mapper.layout).rotation[:, 1]
            angles = {"symmetric": -yaw, **angles}
        codes, rows = [code], [found]
        for angle in angles.values():
            if self.stepper is None:
                raise InputError(f"the views {', '.join(angles)} need a stepper")
            codes.append(self.stepper.network.turn(code, angle))
            rows.append(mapper(codes[-1]).data)
        every = torch.cat(codes)
        images: Tensor = teacher.synthesis(every)
        coefficients = Coefficients(torch.cat(rows), mapper.layout)
        asked = torch.cat([coefficients.rotation[: len(code), 1], *angles.values()])
        return Targets(every, coefficients, images.clamp(0, 1), ("original", *angles), asked)
