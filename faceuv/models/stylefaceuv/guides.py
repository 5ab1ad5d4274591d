"""The frozen networks, and what they say about a batch of codes: the views that renders are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError
from faceuv.models.base.fixed import Fixed
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper
from faceuv.models.stylegan2 import StyleGAN2Generator, broadcast_code
from faceuv.structures import CoefficientLayout, Coefficients

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


class TargetMemory:
    """Views of faces that were seen before, by number, on the CPU; the oldest are forgotten first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def __contains__(self, key: int) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, keys: Sequence[int], targets: Targets) -> None:
        """Keep the views of the faces ``keys``."""
        images = (targets.images * 255).round().to(torch.uint8)
        parts = [
            x.unflatten(0, (len(targets.views), -1)).cpu() for x in (targets.codes, targets.coefficients.data, images)
        ]
        for row, key in enumerate(keys):
            codes, rows, pictures = (part[:, row].clone() for part in parts)
            self._kept[key] = (codes, rows, pictures)

    def recall(
        self, keys: Sequence[int], layout: CoefficientLayout, views: tuple[str, ...], device: torch.device
    ) -> Targets:
        """The views of the faces ``keys``, all of which are kept; forgets what is too much."""
        kept = [self._kept[key] for key in keys]
        codes, rows, images = (torch.stack(part, 1).flatten(0, 1).to(device) for part in zip(*kept))
        for key in list(self._kept)[: max(len(self._kept) - self.limit, 0)]:
            del self._kept[key]
        return Targets(codes, Coefficients(rows, layout), images.to(rows.dtype) / 255, views)


class Guides(nn.Module):
    """Teacher, F3D and F_yaw: from codes to views. Nothing in it is trained, and nothing of it is saved.

    Args:
        teacher: codes → images.
        mapper: F3D, codes → coefficients.
        stepper: F_yaw, codes → codes of turned faces; every view but the original needs it.
        views: ``("original",)`` or ``("original", "symmetric")``.
        coefficients: of the original view: ``"fitted"``, those of the batch; ``"predicted"``, what F3D reads, as for
            codes that were never fitted. Those of the symmetric view are always predicted.
        remember: views of how many faces to keep in memory, by the ``index`` of the batch; a face that comes again
            is not asked of the networks again. Pictures are kept in 8 bits: 31 KB per face of 64².
    """

    def __init__(
        self,
        teacher: StyleGAN2Generator,
        mapper: CoefficientMapper,
        stepper: YawStepper | None = None,
        *,
        views: Sequence[str] = VIEWS,
        coefficients: Source = "fitted",
        remember: int = 0,
    ) -> None:
        super().__init__()
        if not isinstance(remember, int) or remember < 0:
            raise InputError(f"remember is a number of faces ≥ 0, got {remember!r}")
        self.memory = TargetMemory(remember) if remember else None
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

    def lesson(self, code: Tensor, fitted: Tensor | None = None, index: Tensor | None = None) -> Targets:
        """The views that are learned from, out of the memory where there is one; ``index (B,)`` numbers the faces."""
        if self.memory is None or index is None:
            return self(code, fitted)
        keys = index.tolist()
        new = [row for row, key in enumerate(keys) if key not in self.memory]
        if new:
            found = self(code[new], None if fitted is None else fitted[new])
            self.memory.add([keys[row] for row in new], found)
        return self.memory.recall(keys, self.mapper.network.layout, self.views, code.device)

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
