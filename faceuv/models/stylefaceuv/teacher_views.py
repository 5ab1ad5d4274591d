"""The frozen networks (teacher, mapper, stepper) make views of a batch of codes: the images that renders must match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError
from faceuv.models.base.fixed import Fixed
from faceuv.models.base.generator import Generator
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper
from faceuv.models.stylefaceuv.options import VIEWS, Source, ViewOptions
from faceuv.models.stylegan2 import broadcast_code
from faceuv.structures import CoefficientLayout, Coefficients


@dataclass(frozen=True, eq=False)
class ViewBatch:
    """V views of B faces, one view after the other.

    codes         ``(V·B, L, D)``
    coefficients  ``(V·B, N)``
    images        ``(V·B, 3, S, S)`` of the teacher, in [0, 1]
    names         of the V views
    yaw           ``(V·B,)`` radians, the angle that each view was turned to, where that is known
    """

    codes: Tensor
    coefficients: Coefficients
    images: Tensor
    names: tuple[str, ...] = VIEWS[:1]
    yaw: Tensor | None = None


class ViewMemory:
    """A cache of views by the number of the face, on the CPU; the oldest are dropped first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def __contains__(self, key: int) -> bool:
        return key in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, keys: Sequence[int], views: ViewBatch) -> None:
        """Keep the views of the faces ``keys``."""
        images = (views.images * 255).round().to(torch.uint8)
        parts = [x.unflatten(0, (len(views.names), -1)).cpu() for x in (views.codes, views.coefficients.data, images)]
        for row, key in enumerate(keys):
            code, coefficients, image = (part[:, row].clone() for part in parts)
            self._kept[key] = (code, coefficients, image)

    def recall(
        self, keys: Sequence[int], layout: CoefficientLayout, names: tuple[str, ...], device: torch.device
    ) -> ViewBatch:
        """The views of the faces ``keys``, all of which are kept; forgets what is too much."""
        kept = [self._kept[key] for key in keys]
        codes, rows, images = (torch.stack(part, 1).flatten(0, 1).to(device) for part in zip(*kept))
        for key in list(self._kept)[: max(len(self._kept) - self.limit, 0)]:
            del self._kept[key]
        return ViewBatch(codes, Coefficients(rows, layout), images.to(rows.dtype) / 255, names)


class TeacherViews(nn.Module):
    """Teacher, mapper and stepper: from codes to views. Its networks are neither trained nor saved.

    Args:
        teacher: codes → images.
        mapper: codes → coefficients.
        stepper: codes → codes of turned faces; every view but the original needs it.
        names: of the views: ``("original",)`` or ``("original", "symmetric")``.
        coefficients: of the original view: ``"fitted"``, those of the batch; ``"predicted"``, those of the mapper, for
            codes without fits. The symmetric view's are always predicted.
        remember: number of faces whose views are kept in memory, by the ``index`` of the batch, so that the networks
            run once for them. Images are kept in 8 bits: 31 KB per face of 64².
    """

    def __init__(
        self,
        teacher: Generator,
        mapper: CoefficientMapper,
        stepper: YawStepper | None = None,
        *,
        names: Sequence[str] = VIEWS,
        coefficients: Source = "fitted",
        remember: int = 0,
    ) -> None:
        super().__init__()
        options = ViewOptions(tuple(names), coefficients=coefficients, remember=remember)
        self.memory = ViewMemory(remember) if remember else None
        self.names, self.source = options.names, options.coefficients
        mapper.check_fits(teacher)
        self.teacher: Fixed[Any] = Fixed(cast(nn.Module, teacher))
        self.mapper: Fixed[CoefficientMapper] = Fixed(mapper)
        if "symmetric" in self.names and stepper is None:
            raise InputError("the symmetric view needs a stepper; give one, or views=dict(names=('original',))")
        if stepper is not None:
            stepper.check_fits(teacher)
        self.stepper: Fixed[YawStepper] | None = None if stepper is None else Fixed(stepper)

    def for_training(self, code: Tensor, fitted: Tensor | None = None, index: Tensor | None = None) -> ViewBatch:
        """The views that are trained on, from the memory where there is one; ``index (B,)`` numbers the faces."""
        if self.memory is None or index is None:
            return self(code, fitted)
        keys = index.tolist()
        new = [row for row, key in enumerate(keys) if key not in self.memory]
        if new:
            found = self(code[new], None if fitted is None else fitted[new])
            self.memory.add([keys[row] for row in new], found)
        return self.memory.recall(keys, self.mapper.network.layout, self.names, code.device)

    @torch.no_grad()
    def forward(
        self,
        code: Tensor,
        fitted: Tensor | None = None,
        *,
        names: Sequence[str] | None = None,
        turned: Mapping[str, Tensor] | None = None,
    ) -> ViewBatch:
        """The views of ``code (B, L, D)`` or ``(B, D)``; ``fitted (B, N)`` are the batch's own coefficients.

        The mapper reads each code once, and the teacher draws all views in one call.

        Args:
            names: of other views than those that are trained on.
            turned: further views by name, faces turned to a yaw ``(B,)`` in radians.
        """
        mapper, teacher = self.mapper.network, self.teacher.network
        code = broadcast_code(code, mapper.num_layers, mapper.code_dim)
        check_finite("the codes of a batch", code.flatten(1))
        own: Tensor | None = None
        if self.source == "predicted" or fitted is None:
            if self.source == "fitted":
                raise InputError(
                    "views.coefficients='fitted' needs batches with coefficients (B, N), as CodeFits gives them"
                )
            own = mapper(code).data
        else:
            check_shape("the coefficients of a batch", fitted, (len(code), mapper.layout.size))
            check_finite("the coefficients of a batch", fitted)
        found = fitted if own is None else own
        assert found is not None
        names = self.names if names is None else tuple(names)
        angles = dict(turned or {})
        if "symmetric" in names:
            yaw = mapper.yaw(code) if own is None else Coefficients(own, mapper.layout).rotation[:, 1]
            angles = {"symmetric": -yaw, **angles}
        codes, rows = [code], [found]
        for angle in angles.values():
            if self.stepper is None:
                raise InputError(f"the views {', '.join(angles)} need a stepper")
            codes.append(self.stepper.network.move(code, angle))
            rows.append(mapper(codes[-1]).data)
        every = torch.cat(codes)
        images: Tensor = teacher.synthesis(every)
        coefficients = Coefficients(torch.cat(rows), mapper.layout)
        yaws = torch.cat([coefficients.rotation[: len(code), 1], *angles.values()])
        return ViewBatch(every, coefficients, images.clamp(0, 1), ("original", *angles), yaws)
