"""The two networks that read stylecodes: ``CoefficientMapper`` (F3D) and ``YawStepper`` (F_yaw)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError
from faceuv.files.networks import load_network, stored
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.generator import CodeSpace, check_same_codes
from faceuv.models.directions.base import Direction
from faceuv.structures import CoefficientLayout, Coefficients

PAPER_WIDTHS = (9 * 512, 6 * 512, 3 * 512, 512)
STEPPER_WIDTHS = (256, 256)
_ACTIVATIONS: dict[str, type[nn.Module]] = {"elu": nn.ELU, "tanh": nn.Tanh}
_LEAST_DEVIATION = 1e-4
"""Of a coefficient over the fits, in its own units: one that never changes is not divided by its rounding."""


class CodeNetwork(nn.Module):
    """The base of both networks: standardises codes ``(B, L, D)`` or ``(B, D)`` to mean 0 and about unit variance.

    ``code_mean (D,)`` and ``code_scale ()`` are those of the generator's w.
    """

    code_mean: Tensor
    code_scale: Tensor

    def __init__(self, num_layers: int, code_dim: int) -> None:
        super().__init__()
        for name, value in (("num_layers", num_layers), ("code_dim", code_dim)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
        self.num_layers, self.code_dim = num_layers, code_dim
        self.register_buffer("code_mean", torch.zeros(code_dim))
        self.register_buffer("code_scale", torch.ones(()))

    def read(self, code: Tensor) -> Tensor:
        """Flattened, centred and scaled ``(B, L·D)``; a code of another generator is an error."""
        try:
            code = broadcast_code(code, self.num_layers, self.code_dim)
        except InputError as error:
            raise InputError(f"this {type(self).__name__} reads another generator's codes: {error}") from error
        return ((code - self.code_mean) / self.code_scale).flatten(1)

    @torch.no_grad()
    def set_code_statistics(self, codes: Tensor) -> None:
        """Set mean and scale to those of codes w ``(N, D)``."""
        check_shape("codes", codes, ("N", self.code_dim))
        check_finite("codes", codes)
        self.code_mean.copy_(codes.double().mean(0))
        self.code_scale.copy_((codes.double() - codes.double().mean(0)).square().mean().sqrt().clamp_min(1e-6))

    def check_fits(self, generator: CodeSpace) -> None:
        """Raise unless it reads the codes of ``generator``."""
        check_same_codes(self, generator)


@stored("coefficient_mapper", halves="parameters")
class CoefficientMapper(CodeNetwork):
    """F3D: stylecode ``(B, L, D)`` → the 3DMM coefficients of its image.

    Two networks on the flattened code: one with tanh for all coefficients but the albedo, one with ELU for the albedo.
    Their outputs are standardised; ``mean`` and ``deviation`` of the fits turn them into coefficients.

    Rows of the first layers begin alike for every row of the code. Trained on codes with one w for all rows they stay
    alike, so that the mapper is then a function of the mean row, for edited codes as well.

    Args:
        num_layers, code_dim: L and D.
        layout: of the coefficients; a dict of group → count from a config.
        widths: hidden widths of both networks; the default is the paper's.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        num_layers: int,
        code_dim: int,
        layout: CoefficientLayout | Mapping[str, int] | None = None,
        *,
        widths: Sequence[int] = PAPER_WIDTHS,
    ) -> None:
        super().__init__(num_layers, code_dim)
        self.layout = layout if isinstance(layout, CoefficientLayout) else CoefficientLayout(**(layout or {}))
        self.widths = tuple(int(width) for width in widths)
        inputs, albedo = num_layers * code_dim, self.layout.albedo
        self.face = perceptron(inputs, self.widths, self.layout.size - albedo, nn.Tanh, rows=num_layers)
        self.albedo = perceptron(inputs, self.widths, albedo, nn.ELU, rows=num_layers)
        self.register_buffer("mean", torch.zeros(self.layout.size))
        self.register_buffer("deviation", torch.ones(self.layout.size))

    def settings(self) -> dict[str, Any]:
        """The arguments that build one of the same shape."""
        return {
            "num_layers": self.num_layers,
            "code_dim": self.code_dim,
            "layout": self.layout.groups,
            "widths": list(self.widths),
        }

    @torch.no_grad()
    def set_statistics(self, codes: Tensor, coefficients: Coefficients) -> None:
        """Set means and standard deviations to those of codes ``(N, D)`` and of their coefficients ``(N, …)``."""
        self.check_layout(coefficients.layout)
        coefficients.check_finite()
        self.set_code_statistics(codes)
        data = coefficients.data.double()
        self.mean.copy_(data.mean(0))
        self.deviation.copy_(data.std(0, correction=0).clamp_min(_LEAST_DEVIATION))

    def check_layout(self, layout: CoefficientLayout) -> None:
        """Raise unless coefficients of ``layout`` are what this mapper gives."""
        if layout != self.layout:
            raise InputError(
                f"this CoefficientMapper gives coefficients of the layout {self.layout.groups}, expected"
                f" {layout.groups}: it was trained for another face model"
            )

    def standardise(self, coefficients: Tensor) -> Tensor:
        """Coefficients ``(B, N)`` → mean 0 and deviation 1 over the fits."""
        return (coefficients - self.mean) / self.deviation

    def standardised(self, code: Tensor) -> Tensor:
        """What the networks give for ``code``: ``(B, N)``, standardised."""
        flat = self.read(code)
        face, start = self.face(flat), self.layout.slice("albedo").start
        return torch.cat([face[:, :start], self.albedo(flat), face[:, start:]], 1)

    def yaw(self, code: Tensor) -> Tensor:
        """The yaw alone, ``(B,)`` radians: half the work."""
        column = self.layout.slice("rotation").start + 1
        own = column - self.layout.albedo if column > self.layout.slice("albedo").start else column
        found: Tensor = self.mean[column] + self.deviation[column] * self.face(self.read(code))[:, own]
        return found

    def forward(self, code: Tensor) -> Coefficients:
        """``(B, L, D)``, or one w per face ``(B, D)`` → coefficients of B faces; differentiable."""
        return Coefficients(self.mean + self.deviation * self.standardised(code), self.layout)


@stored("yaw_stepper", halves="parameters")
class YawStepper(CodeNetwork):
    """F_yaw: the step along the yaw direction that turns the face of a code to a target yaw.

    ``w(α) = w + F_yaw(w, α) · d`` for any wanted yaw α; the symmetric view is α = −yaw(w). The step is measured in σ of
    the direction, and the network only corrects a straight line: from where the code lies along ``d`` to where a code
    of that yaw lies on average.

    Args:
        num_layers, code_dim: L and D.
        direction: the yaw direction, kept as a buffer.
        widths: hidden widths.
        activation: between the layers, ``"elu"`` or ``"tanh"``.
    """

    vector: Tensor
    scale: Tensor
    mean_yaw: Tensor
    yaw_per_sigma: Tensor

    def __init__(
        self,
        num_layers: int,
        code_dim: int,
        direction: Direction | None = None,
        *,
        widths: Sequence[int] = STEPPER_WIDTHS,
        activation: str = "elu",
    ) -> None:
        super().__init__(num_layers, code_dim)
        if activation not in _ACTIVATIONS:
            raise InputError(f"activation must be {' or '.join(map(repr, _ACTIVATIONS))}, got {activation!r}")
        self.widths, self.activation = tuple(int(width) for width in widths), activation
        between = _ACTIVATIONS[activation]
        self.network = perceptron(num_layers * code_dim, self.widths, 1, between, rows=num_layers, beside=2)
        for parameter in self.network[-1].parameters():
            nn.init.zeros_(parameter)  # the straight line first
        self.register_buffer("vector", torch.zeros(num_layers, code_dim))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("mean_yaw", torch.zeros(()))
        self.register_buffer("yaw_per_sigma", torch.full((), math.radians(15)))
        if direction is not None:
            self.set_direction(direction)

    def settings(self) -> dict[str, Any]:
        """The arguments that build one of the same shape."""
        return {
            "num_layers": self.num_layers,
            "code_dim": self.code_dim,
            "widths": list(self.widths),
            "activation": self.activation,
        }

    @torch.no_grad()
    def set_direction(self, direction: Direction) -> None:
        """Set the direction of the steps; one of another generator is an error."""
        if tuple(direction.vector.shape) != (self.num_layers, self.code_dim):
            raise InputError(
                f"the direction {direction.name!r} is for codes with (L, D) = {tuple(direction.vector.shape)}, this"
                f" YawStepper for {(self.num_layers, self.code_dim)}: find one for this generator"
            )
        if direction.scale <= 0:
            raise InputError(f"the direction {direction.name!r} has scale 0: codes do not vary along it; find another")
        self.vector.copy_(direction.vector)
        self.scale.fill_(direction.scale)

    @torch.no_grad()
    def set_statistics(self, codes: Tensor, yaw: Tensor) -> None:
        """Set the statistics of the codes, and fit the line from the position along the direction to the yaw.

        Args:
            codes: w ``(N, D)``.
            yaw: of each, ``(N,)`` radians.
        """
        self.set_code_statistics(codes)
        check_shape("yaw", yaw, (len(codes),))
        check_finite("yaw", yaw)
        position, yaw = self.position(codes).double(), yaw.double()
        slope = float(((position - position.mean()) @ (yaw - yaw.mean())) / (position - position.mean()).square().sum())
        if not slope > math.radians(0.1):
            raise InputError(
                f"yaw grows by {math.degrees(slope):.3f}° per σ along the direction; a yaw direction turns the face by"
                " degrees, to the viewer's right: find it with score='yaw', from a better mapper or more codes"
            )
        self.yaw_per_sigma.fill_(slope)
        self.mean_yaw.fill_(float(yaw.mean() - slope * position.mean()))

    def position(self, code: Tensor) -> Tensor:
        """Where codes lie along the direction, ``(B,)`` in σ, 0 for the mean code."""
        return self.read(code) @ self.vector.flatten() * (self.code_scale / self.scale)

    def sigmas(self, code: Tensor, yaw: Tensor | float) -> Tensor:
        """The step ``(B,)`` in σ that turns ``code`` to ``yaw`` (radians; one for all, or one each ``(B,)``)."""
        if not bool(self.vector.any()):
            raise InputError("this YawStepper has no direction yet; give it one, or load a trained one")
        flat = self.read(code)
        wanted = torch.as_tensor(yaw, dtype=flat.dtype, device=flat.device)
        if wanted.ndim > 1 or (wanted.ndim == 1 and len(wanted) != len(flat)):
            raise InputError(f"yaw must be one number or one per code ({len(flat)},), got {tuple(wanted.shape)}")
        wanted = wanted.expand(len(flat))
        check_finite("yaw", wanted)
        position = flat @ self.vector.flatten() * (self.code_scale / self.scale)
        goal = (wanted - self.mean_yaw) / self.yaw_per_sigma
        features = torch.cat([flat, position[:, None], goal[:, None]], 1)
        correction: Tensor = self.network(features)[:, 0]
        return goal - position + correction

    def forward(self, code: Tensor, yaw: Tensor | float) -> Tensor:
        """The step ``(B,)`` in W+, for ``direction.move(code, step)``."""
        return self.sigmas(code, yaw) * self.scale

    def move(self, code: Tensor, target: Tensor | float) -> Tensor:
        """The code ``(B, L, D)`` of the same face, looking ``target`` radians to the viewer's right;
        differentiable."""
        layered = broadcast_code(code, self.num_layers, self.code_dim)
        return layered + self(code, target)[:, None, None] * self.vector

    def symmetric(self, code: Tensor, mapper: CoefficientMapper) -> Tensor:
        """The code ``(B, L, D)`` of the symmetric view: turned to minus its yaw, as ``mapper`` reads it."""
        return self.move(code, -mapper.yaw(code))


def perceptron(
    inputs: int, widths: Sequence[int], outputs: int, activation: type[nn.Module], *, rows: int, beside: int = 0
) -> nn.Sequential:
    """Linear layers with activations between them, on a flattened code of ``inputs`` numbers and ``beside`` others.

    The first layer's weights begin alike for each of the code's ``rows``: those for one w, shared out.
    """
    if not widths or min(widths) < 1:
        raise InputError(f"widths must be positive numbers, one per hidden layer, got {list(widths)}")
    layers: list[nn.Module] = []
    before = inputs + beside
    for width in widths:
        linear = nn.Linear(before, width)
        if not layers and not linear.weight.is_meta:  # there only shapes are asked for
            with torch.no_grad():
                linear.weight[:, :inputs] = nn.Linear(inputs // rows, width).weight.repeat(1, rows) / rows
        layers += [linear, activation()]
        before = width
    return nn.Sequential(*layers, nn.Linear(before, outputs))


def load_mapper(path: str | Path, generator: CodeSpace | None = None) -> CoefficientMapper:
    """Read the mapper, frozen and in evaluation mode; with a ``generator``, one for other codes is an error."""
    found = load_network(path, CoefficientMapper)
    return found if generator is None else check_same_codes(found, generator)


def load_stepper(path: str | Path, generator: CodeSpace | None = None) -> YawStepper:
    """Read the stepper, frozen and in evaluation mode; with a ``generator``, one for other codes is an error."""
    found = load_network(path, YawStepper)
    return found if generator is None else check_same_codes(found, generator)
