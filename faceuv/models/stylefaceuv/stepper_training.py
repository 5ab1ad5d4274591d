"""Training of the stepper, the network that moves codes along the yaw direction to a yaw."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from faceuv.checks import check_finite
from faceuv.data.codes import CodeFits
from faceuv.errors import AssetError, InputError
from faceuv.files.locate import locate
from faceuv.files.networks import save_network
from faceuv.models.base.method import BaseMethod
from faceuv.models.directions import Direction, load_directions
from faceuv.models.readers.regressor import CoefficientRegressor, load_regressor
from faceuv.models.stylefaceuv.mapper_training import weights_dtype
from faceuv.models.stylefaceuv.mappers import STEPPER_WIDTHS, CoefficientMapper, YawStepper, load_mapper
from faceuv.registry import GENERATORS, MODELS

STEPPER_FILE = "stepper.safetensors"
DEGREES = 180 / math.pi


@MODELS.register_module()
class YawStepping(BaseMethod):
    """Trains a :class:`~faceuv.models.stylefaceuv.YawStepper` so that the mapper reads the target yaw off a moved code.

    A batch is ``dict(code (B, D) or (B, L, D))``. Optimiser: ``stepper``. The wanted angle of a code is even over the
    range, or, for a share of the batch, minus its own yaw: the symmetric view, which the paper's training asks for.

    Args:
        fits: folder of the ``fits`` stage, whose codes are those that are turned.
        mapper: file of the :class:`~faceuv.models.stylefaceuv.CoefficientMapper` that reads the yaw.
        direction: file of the yaw direction.
        losses: terms of ``loss({"yaw"}, {"yaw"})``, both ``(B, 1)`` in degrees.
        range_deg: the largest wanted angle, degrees to either side; by default the 98th percentile of the fits' |yaw|.
        symmetric: share of the batch that is mirrored.
        widths, activation: of the :class:`~faceuv.models.stylefaceuv.YawStepper`.
        generator, regressor: for validation: with both, the yaw of the turned image is also read by a network that
            has never seen a code, so that the mapper is not its own judge. A config and a file (or ``zoo:…``).
        held_out, dtype: as for :class:`~faceuv.models.stylefaceuv.mapper_training.CoefficientMapping`.
    """

    networks: ClassVar[tuple[str, ...]] = ("stepper",)
    exports: ClassVar[tuple[str, ...]] = (STEPPER_FILE,)

    def __init__(
        self,
        fits: str | Path,
        mapper: str | Path,
        direction: str | Path,
        losses: Mapping[str, Any],
        *,
        range_deg: float | None = None,
        symmetric: float = 0.5,
        widths: Sequence[int] = STEPPER_WIDTHS,
        activation: str = "elu",
        generator: Mapping[str, Any] | None = None,
        regressor: str | Path | None = None,
        held_out: int = 10,
        dtype: str = "float32",
    ) -> None:
        super().__init__(losses)
        if not len(self.losses.terms):
            raise InputError("YawStepping needs a loss, dict(yaw=dict(type='MeanDistance', of='yaw'))")
        if not 0 <= symmetric <= 1 or (range_deg is not None and not 0 < range_deg <= 90):
            raise InputError(f"expected symmetric in 0 … 1 and range_deg in 0 … 90, got {symmetric} and {range_deg}")
        data = CodeFits(fits, split="train", held_out=held_out)
        self.mapper: CoefficientMapper = load_mapper(locate(mapper))
        self.mapper.check_layout(data.layout)
        axis = yaw_direction(direction)
        self.stepper = YawStepper(data.num_layers, data.code_dim, axis, widths=widths, activation=activation)
        self.mapper.check_fits(self.stepper)
        with torch.no_grad():
            yaw = torch.cat([self.yaw(code) for code in data.codes.split(1024)])
        self.stepper.set_statistics(data.codes, yaw)
        fitted = data.all_coefficients().rotation[:, 1].abs()
        self.range = math.radians(range_deg) if range_deg is not None else float(fitted.quantile(0.98))
        self.symmetric, self.dtype = symmetric, weights_dtype(dtype)
        self.judges: dict[str, Any] = {}  # no sub-modules: checkpoints hold what is trained
        if generator is not None and regressor is not None:
            self.judges = {
                "generator": GENERATORS.build(generator).eval(),
                "regressor": load_regressor(locate(regressor)),
            }
        self.origin = {
            "fits": len(data),
            "run": data.metadata.get("run"),
            "direction": axis.name,
            "method": axis.method,
            "range_deg": math.degrees(self.range),
        }

    def yaw(self, code: Tensor) -> Tensor:
        """What the mapper reads: ``(B,)`` radians."""
        return self.mapper.yaw(code)

    def wanted(self, code: Tensor) -> Tensor:
        """The angles of a training batch, ``(B,)`` radians."""
        even = (torch.rand(len(code), device=code.device) * 2 - 1) * self.range
        mirrored = torch.rand(len(code), device=code.device) < self.symmetric
        with torch.no_grad():
            return torch.where(mirrored, -self.yaw(code), even)

    def train_step(self, data: Any, optim_wrapper: Any) -> dict[str, Tensor]:
        """One step of the stepper."""
        code = self.data_preprocessor(data, True)["code"]
        check_finite("codes of a batch", code)
        wanted = self.wanted(code)

        def terms() -> dict[str, Tensor]:
            read = self.yaw(self.stepper.move(code, wanted))
            return self.losses({"yaw": read[:, None] * DEGREES}, {"yaw": wanted[:, None] * DEGREES})

        return self.update(optim_wrapper["stepper"], terms)  # the mapper came frozen

    @torch.no_grad()
    def forward(self, data: Any) -> list[dict[str, Tensor]]:
        """For ``YawErrors``, per code: the wanted angles, the yaws that the mapper and (if given) the regressor read
        after the turn, the steps in σ, and the distance between a code and the symmetric view of its symmetric view."""
        code, stepper = data["code"], self.averaged("stepper")
        assert isinstance(stepper, YawStepper)
        angles = torch.linspace(-1, 1, 9, device=code.device) * self.range
        own = self.yaw(code)
        read, seen, steps = [], [], []
        for angle in angles:
            turned = stepper.move(code, angle)
            read.append(self.yaw(turned))
            steps.append(stepper.sigmas(code, angle))
            if self.judges:
                seen.append(self._seen(turned))
        mirror = stepper.move(code, -own)
        back = stepper.move(mirror, -self.yaw(mirror))
        away = (stepper.position(back) - stepper.position(code)).abs()
        columns = {
            "wanted": angles.expand(len(code), -1),
            "read": torch.stack(read, 1),
            "steps": torch.stack(steps, 1),
            "own": own,
            "mirrored": self.yaw(mirror),
            "return": away,
        }
        if seen:
            columns["seen"] = torch.stack(seen, 1)
        return [{name: column[k] for name, column in columns.items()} for k in range(len(code))]

    def _seen(self, code: Tensor) -> Tensor:
        """The yaw of the images of ``code``, ``(B,)``, as the regressor sees it."""
        generator, regressor = (self.judges[name].to(code.device) for name in ("generator", "regressor"))
        assert isinstance(regressor, CoefficientRegressor)
        return regressor(generator.synthesis(code).clamp(0, 1)).rotation[:, 1]

    def sample_images(self, count: int) -> dict[str, Tensor]:
        """With judges: rows of faces turned from one end of the range to the other."""
        if not self.judges:
            return {}
        stepper, generator = self.averaged("stepper"), self.judges["generator"]
        assert isinstance(stepper, YawStepper)
        rows = max(1, count // 5)
        rng = torch.Generator().manual_seed(0)
        code = generator.sample_codes(rows, generator=rng).to(stepper.vector.device)
        with torch.no_grad():
            columns = [generator.synthesis(stepper.move(code, k * self.range / 2)) for k in (-2, -1, 0, 1, 2)]
        return {"turned": torch.stack(columns, 1).flatten(0, 1).clamp(0, 1)}

    def export(self, folder: Path) -> list[str]:
        """Write ``stepper.safetensors``."""
        stepper = self.averaged("stepper")
        assert isinstance(stepper, YawStepper)
        save_network(folder / STEPPER_FILE, stepper, dtype=self.dtype, metadata=self.origin)
        return [STEPPER_FILE]


def yaw_direction(path: str | Path) -> Direction:
    """The direction called yaw in a file of directions, or its only one."""
    found = load_directions(locate(path))
    named = [direction for direction in found if direction.name == "yaw"] or found
    if len(named) != 1:
        names = ", ".join(direction.name for direction in found)
        raise AssetError(f"{path} holds the directions {names}; expected one called yaw, or a single one")
    return named[0]
