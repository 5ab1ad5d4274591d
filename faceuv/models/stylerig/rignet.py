"""RigNet: a stylecode and the wanted coefficients → the step to the code of the face that has them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError, did_you_mean
from faceuv.files.networks import load_network, stored
from faceuv.models.base.generator import CodeSpace, check_same_codes
from faceuv.models.base.weights import normal, unit_matrix
from faceuv.models.stylefaceuv.mappers import CodeNetwork
from faceuv.models.stylerig.groups import ALL, Controls, controls_of
from faceuv.structures import CoefficientLayout, Coefficients

Decoder = Literal["linear", "bilinear", "hidden"]
Given = Literal["wanted", "change"]
_DIGITS = 16
Units = Literal["isotropic", "covariance"]
DECODERS, GIVEN, UNITS = ("linear", "bilinear", "hidden"), ("wanted", "change"), ("isotropic", "covariance")


@stored("rignet", halves="parameters")
class RigNet(CodeNetwork):
    """``d = RigNet(w, p)``, for every row ℓ of the code: a linear encoder ``e_ℓ = E_ℓ w_ℓ``, then a linear decoder
    ``d_ℓ = D_ℓ [e_ℓ, p]`` (Tewari et al. 2020); the edited code is ``ŵ = w + d``.

    Codes and coefficients are standardised. The decoders begin at zero, so that ŵ = w before training.

    Args:
        num_layers, code_dim: L and D.
        layout: of the coefficients; a dict of group → count from a config.
        encoding: width of e_ℓ; the paper's is 32.
        decoder: ``"linear"`` is the paper's. ``"bilinear"`` also reads the products of e_ℓ with a projection of p, so
            that the step for a change of p depends on the code. ``"hidden"`` has one hidden layer with ELU.
        hidden: width of that layer.
        given: what p is: ``"wanted"``, the wanted coefficients, as in the paper; or ``"change"``, their difference from
            those that the code has.
        units: of the steps: ``"covariance"`` measures them by the covariance of the generator's w, so that a step goes
            where codes differ; ``"isotropic"`` by one standard deviation for all directions, as in the paper. There a
            step can leave the codes in directions that the mapper reads and the pictures do not show.
        reach: largest change of a coefficient, in its standard deviations; what is farther counts as that far.
            Movements that the generator hardly makes then move a code a little, where without a limit they throw it
            out of all codes. For ``given="change"`` alone. None: no limit, as in the paper.
        controls: what it was trained to edit.
        trained_for: fingerprint of the mapper of its training, see :func:`fingerprint_of`.
    """

    mean: Tensor
    deviation: Tensor
    spread: Tensor

    def __init__(
        self,
        num_layers: int,
        code_dim: int,
        layout: CoefficientLayout | Mapping[str, int] | None = None,
        *,
        encoding: int = 32,
        decoder: Decoder = "linear",
        hidden: int = 64,
        given: Given = "wanted",
        units: Units = "isotropic",
        reach: float | None = None,
        controls: Controls = ALL,
        trained_for: str = "",
    ) -> None:
        super().__init__(num_layers, code_dim)
        self.layout = layout if isinstance(layout, CoefficientLayout) else CoefficientLayout(**(layout or {}))
        for name, value in (("encoding", encoding), ("hidden", hidden)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InputError(f"{name} must be a whole number of at least 1, got {value!r}")
        for name, word, known in (("decoder", decoder, DECODERS), ("given", given, GIVEN), ("units", units, UNITS)):
            if word not in known:
                raise InputError(
                    f"RigNet's {name} is one of {', '.join(known)}, got {word!r}{did_you_mean(str(word), known)}"
                )
        if reach is not None and not (given == "change" and reach > 0):
            raise InputError(
                f"RigNet's reach limits changes, given='change', to more than 0; got {reach!r} and {given!r}"
            )
        self.encoding, self.decoder, self.hidden, self.given, self.units = encoding, decoder, hidden, given, units
        self.reach = reach
        self.controls, self.trained_for = controls_of(controls), trained_for
        count, wide = self.layout.size, encoding + self.layout.size
        self.encode = RowLinear(num_layers, code_dim, encoding)
        if decoder == "bilinear":
            self.project = RowLinear(num_layers, count, encoding)
            self.decode = RowLinear(num_layers, wide + encoding, code_dim)
        elif decoder == "hidden":
            self.widen = RowLinear(num_layers, wide, hidden)
            self.decode = RowLinear(num_layers, hidden, code_dim)
        else:
            self.decode = RowLinear(num_layers, wide, code_dim)
        for parameter in self.decode.parameters():
            nn.init.zeros_(parameter)  # ŵ = w first
        self.register_buffer("mean", torch.zeros(count))
        self.register_buffer("deviation", torch.ones(count))
        self.register_buffer("spread", unit_matrix(code_dim))

    def settings(self) -> dict[str, Any]:
        """The arguments that build one of the same shape."""
        return {
            "num_layers": self.num_layers,
            "code_dim": self.code_dim,
            "layout": self.layout.groups,
            "encoding": self.encoding,
            "decoder": self.decoder,
            "hidden": self.hidden,
            "given": self.given,
            "units": self.units,
            **({} if self.reach is None else {"reach": self.reach}),
            "controls": list(self.controls),
            "trained_for": self.trained_for,
        }

    @torch.no_grad()
    def set_statistics(self, codes: Tensor, coefficients: Coefficients) -> None:
        """Standardise by codes ``(N, L, D)`` or ``(N, D)`` and by what is read off them ``(N, …)``."""
        self.check_layout(coefficients.layout)
        coefficients.check_finite()
        codes = codes.flatten(0, 1) if codes.ndim == 3 else codes
        self.set_code_statistics(codes)
        if self.units == "covariance":
            values, vectors = torch.linalg.eigh(torch.cov(codes.double().T))
            self.spread.copy_(vectors @ (values.clamp_min(0).sqrt()[:, None] * vectors.T))
        else:
            self.spread.copy_(self.code_scale * torch.eye(self.code_dim))
        data = coefficients.data.double()
        self.mean.copy_(data.mean(0))
        # what hardly varies must not be blown up: at least a hundredth of its group's
        spread = data.std(0, correction=0)
        for group in self.layout.groups:
            columns = self.layout.slice(group)
            spread[columns] = spread[columns].clamp_min(max(0.01 * float(spread[columns].mean()), 1e-6))
        self.deviation.copy_(spread)

    def check_layout(self, layout: CoefficientLayout) -> None:
        """Raise unless it takes coefficients of ``layout``."""
        if layout != self.layout:
            raise InputError(
                f"this RigNet takes coefficients of the layout {self.layout.groups}, got {layout.groups}: they are of"
                " another face model; train a RigNet with it, or read the coefficients with its own mapper"
            )

    def step(self, code: Tensor, wanted: Tensor, own: Tensor) -> Tensor:
        """d ``(B, L, D)`` in standard deviations of the codes; :meth:`moved` adds it to a code.

        Args:
            code: ``(B, L, D)``.
            wanted: coefficients that the face shall have ``(B, N)``.
            own: coefficients that it has ``(B, N)``, as the mapper reads them.
        """
        check_shape("wanted coefficients", wanted, ("B", self.layout.size))
        if len(wanted) not in (1, len(code)):
            raise InputError(f"wanted coefficients are of one face or of {len(code)}, got {len(wanted)}")
        check_finite("wanted coefficients", wanted)
        rows = self.read(code).unflatten(1, (self.num_layers, self.code_dim))
        encoded = self.encode(rows)
        p = (wanted - (self.mean if self.given == "wanted" else own)) / self.deviation
        p = p if self.reach is None else p.clamp(-self.reach, self.reach)
        p = p.expand(len(code), -1)[:, None].expand(-1, self.num_layers, -1)
        features = [encoded, p]
        if self.decoder == "bilinear":
            features.append(encoded * self.project(p))
        found = torch.cat(features, 2)
        if self.decoder == "hidden":
            found = nn.functional.elu(self.widen(found))
        moved: Tensor = self.decode(found)
        return moved

    def forward(self, code: Tensor, wanted: Tensor, own: Tensor) -> Tensor:
        """The edited code ŵ ``(B, L, D)``."""
        return self.moved(code, self.step(code, wanted, own))

    def moved(self, code: Tensor, step: Tensor) -> Tensor:
        """``code`` plus a step of :meth:`step`."""
        return code + step @ self.spread


class RowLinear(nn.Module):
    """One linear layer for each row: ``(B, L, I)`` → ``(B, L, O)``."""

    def __init__(self, rows: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(normal(rows, inputs, outputs, over=math.sqrt(inputs)))
        self.bias = nn.Parameter(torch.zeros(rows, outputs))

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = torch.einsum("bli,lio->blo", x, self.weight) + self.bias
        return found


def fingerprint_of(mapper: nn.Module) -> str:
    """The beginning of a SHA-256 over the weights of a mapper, the same for a file of half precision and a full one."""
    digest = hashlib.sha256()
    for name, value in sorted(mapper.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().to("cpu", torch.float16).contiguous().numpy().tobytes())
    return digest.hexdigest()[:_DIGITS]


def load_rignet(path: str | Path, generator: CodeSpace | None = None) -> RigNet:
    """Read a RigNet, frozen and in evaluation mode; with a ``generator``, one for other codes is an error."""
    found = load_network(path, RigNet)
    return found if generator is None else check_same_codes(found, generator)
