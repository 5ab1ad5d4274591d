"""The encoder: picture → offsets from the mean code, one for each row, and coefficients, in one pass."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.checks import check_floating, check_shape
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import sha256_of
from faceuv.files.locate import locate
from faceuv.files.networks import load_network, stored
from faceuv.models.base.fixed import Fixed
from faceuv.models.base.generator import CodeSpace, Generator, check_same_codes
from faceuv.models.readers.regressor import CoefficientRegressor, load_regressor, resample
from faceuv.structures import CoefficientLayout, Coefficients

ENCODER_FILE = "encoder.safetensors"
_LEVELS = 3  # of the pyramid: coarse, middle and fine rows of a code
_GRID = 4  # the side that each level is pooled to
_LEAST_DEVIATION = 1e-4
_SAME_MEAN = 0.02  # standard deviations: what half precision may change of a mean code


class Encoded(NamedTuple):
    """What the encoder reads in B pictures: ``codes (B, L, D)`` and ``coefficients`` of B faces."""

    codes: Tensor
    coefficients: Coefficients


@stored("inversion_encoder", halves="parameters")
class PyramidEncoder(nn.Module):
    """Pictures ``(B, 3, S, S)`` in [0, 1], of any side S, → codes ``(B, L, D)`` and coefficients ``(B, N)``.

    The trunk is a :class:`~faceuv.models.readers.CoefficientRegressor`, whose head gives the coefficients. Its stages
    are read by a pyramid from the coarsest to the finest of three levels (each level adds the level above, enlarged).
    Rows of a code are shared out over the levels: the first third reads the coarsest one. Each row has its own last
    layer. It answers in standard deviations of the generator's codes, as an offset from the mean code; the first
    answer is the mean code.

    Args:
        num_layers, code_dim: L and D of the generator.
        reader: settings of the trunk: ``size``, ``stem``, ``channels``, ``depths``, ``hidden``, ``layout``. Its
            ``size`` is the side at which pictures are read.
        width: channels of the pyramid.
        hidden: width of the layer before the rows' own.
        regressor: file of a trained regressor, ``"zoo:regressor/weights.safetensors"``, that gives the coefficients in
            place of the trunk. It is neither trained nor saved with the encoder.
        own_trunk: False: the pyramid reads the stages of that regressor, and there is no other trunk.
        checksum: the beginning of the SHA-256 of that file; another regressor is refused.
    """

    mean_code: Tensor
    deviation: Tensor

    def __init__(
        self,
        num_layers: int,
        code_dim: int,
        reader: Mapping[str, Any] | None = None,
        *,
        width: int = 48,
        hidden: int = 256,
        regressor: str | None = None,
        own_trunk: bool = True,
        checksum: str = "",
    ) -> None:
        super().__init__()
        if min(num_layers, code_dim, width, hidden) < 1:
            raise InputError(
                f"expected num_layers, code_dim, width and hidden ≥ 1, got {(num_layers, code_dim, width, hidden)}"
            )
        if not own_trunk and regressor is None:
            raise InputError(
                "an encoder without a trunk of its own needs the file of a regressor to read pictures with"
            )
        self.num_layers, self.code_dim = num_layers, code_dim
        self.width, self.hidden = width, hidden
        self.reader = CoefficientRegressor(**dict(reader or {})) if own_trunk else None
        self._reader = dict(reader or {}) if self.reader is None else self.reader.settings()
        lacking = {"channels", "size", "layout"} - set(self._reader)
        if lacking:
            raise InputError(f"the settings of the regressor lack {', '.join(sorted(lacking))}")
        if self.reader is not None and regressor is not None:
            self.reader.head = nn.Sequential()  # the regressor's gives the coefficients
        self.layout, self.size = CoefficientLayout(**self._reader["layout"]), int(self._reader["size"])
        self.regressor, self.checksum = regressor, checksum
        self._fixed: Fixed[CoefficientRegressor] | None = None
        channels = list(self._reader["channels"])[::-1]  # from the coarsest stage on
        self.levels = min(_LEVELS, len(channels))
        self.lateral = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels[: self.levels])
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1) for _ in range(self.levels))
        self.flat = nn.ModuleList(nn.Linear(width * _GRID**2, hidden) for _ in range(self.levels))
        self.rows = nn.ModuleList(nn.Linear(hidden, code_dim) for _ in range(num_layers))
        for row in self.rows:
            assert isinstance(row, nn.Linear)
            nn.init.zeros_(row.weight)  # the first answer is the mean code
            nn.init.zeros_(row.bias)
        self.register_buffer("mean_code", torch.zeros(code_dim))
        self.register_buffer("deviation", torch.ones(code_dim))
        self.to(memory_format=torch.channels_last)

    def fixed(self) -> CoefficientRegressor:
        """The regressor that is not trained; its file is read when it is needed first."""
        if self._fixed is None:
            assert self.regressor is not None
            file = locate(self.regressor)
            found = sha256_of(file)[:16]
            if not found.startswith(self.checksum):
                raise AssetError(
                    f"this encoder reads pictures with another regressor than {self.regressor} now is (checksum"
                    f" {self.checksum}, not {found}): train the encoder again, or bring the old file back"
                )
            network = load_regressor(file)
            wanted, has = (
                {name: _plain(value) for name, value in settings.items()}
                for settings in (self._reader, network.settings())
            )
            if self.reader is not None:
                wanted, has = wanted["layout"], has["layout"]
            if wanted != has:
                raise InputError(f"the encoder needs a regressor of settings {wanted}, {self.regressor} has {has}")
            self.checksum = found
            self._fixed = Fixed(network.to(self.mean_code.device))
        return self._fixed.network

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        found: dict[str, Any] = {
            "num_layers": self.num_layers,
            "code_dim": self.code_dim,
            "reader": dict(self._reader),
            "width": self.width,
            "hidden": self.hidden,
        }
        if self.regressor is not None:
            self.fixed()  # its checksum
            found |= {"regressor": self.regressor, "own_trunk": self.reader is not None, "checksum": self.checksum}
        return found

    @torch.no_grad()
    def set_codes(self, codes: Tensor, mean: Tensor) -> None:
        """Set the units of the answer: ``mean (D,)`` and the deviations of codes w ``(N, D)`` about it."""
        check_shape("codes", codes, ("N", self.code_dim))
        check_shape("the mean code", mean, (self.code_dim,))
        self.mean_code.copy_(mean)
        self.deviation.copy_((codes - mean).square().mean(0).sqrt().clamp_min(_LEAST_DEVIATION))

    def level_of(self, row: int) -> int:
        """The level that a row of the code reads, 0 is the coarsest."""
        return row * self.levels // self.num_layers

    def standardised(self, codes: Tensor) -> Tensor:
        """Codes ``(B, L, D)`` as offsets from the mean code, in standard deviations."""
        return (codes - self.mean_code) / self.deviation

    def forward(self, images: Tensor) -> Encoded:
        """``images (B, 3, S, S)`` → codes and coefficients."""
        check_shape("images", images, ("B", 3, "S", "S"))
        check_floating("images", images)
        reader = self.fixed() if self.reader is None else self.reader
        x = resample(images, reader.size) * 2 - 1
        x = reader.stem(x.contiguous(memory_format=torch.channels_last))
        found: list[Tensor] = []
        for stage in reader.stages:
            x = stage(x)
            found.append(x)
        if self.reader is None or self.regressor is None:
            data = reader.mean + reader.deviation * reader.head(x).to(reader.mean.dtype)
        else:
            data = self.fixed()(images).data
        levels: list[Tensor] = []
        above: Tensor | None = None
        for features, lateral, smooth, flat in zip(found[::-1], self.lateral, self.smooth, self.flat):
            here = lateral(features)
            if above is not None:
                here = here + F.interpolate(above, scale_factor=2.0, mode="nearest")
            above = here
            pooled = F.adaptive_avg_pool2d(F.leaky_relu(smooth(here), 0.2), _GRID)
            levels.append(F.leaky_relu(flat(pooled.flatten(1)), 0.2))
        offsets = torch.stack([row(levels[self.level_of(k)]) for k, row in enumerate(self.rows)], 1)
        codes = self.mean_code + self.deviation * offsets.to(self.mean_code.dtype)
        return Encoded(codes, Coefficients(data, reader.layout))


def start_encoder(
    teacher: Generator,
    layout: CoefficientLayout,
    *,
    reader: str | Path | Mapping[str, Any] | None = None,
    regressor: str | None = None,
    own_trunk: bool = True,
    width: int = 48,
    hidden: int = 256,
    samples: int = 4096,
) -> PyramidEncoder:
    """The encoder at the start of training.

    Args:
        reader: file of a trained :class:`~faceuv.models.readers.CoefficientRegressor` to start the trunk with, or
            settings of a new one; its coefficients are those of ``layout``. By default the ``regressor``'s.
        regressor, own_trunk: as for :class:`PyramidEncoder`.
        samples: codes from which the units of the answer are taken.
    """
    named = regressor if reader is None else reader
    trunk = load_regressor(locate(named)) if isinstance(named, (str, Path)) else None
    settings = {"layout": layout.groups, **dict(reader or {})} if trunk is None else trunk.settings()  # type: ignore[arg-type]
    made = PyramidEncoder(
        teacher.num_layers,
        teacher.code_dim,
        settings,
        width=width,
        hidden=hidden,
        regressor=regressor,
        own_trunk=own_trunk,
    )
    if regressor is not None:
        made.fixed()
    if made.layout != layout:
        raise InputError(
            f"the encoder's reader gives coefficients {made.layout.groups}, the mapper {layout.groups}: take a reader"
            " that was trained for this face model"
        )
    if trunk is not None and made.reader is not None:
        made.reader.load_state_dict(trunk.state_dict(), strict=regressor is None)  # which has a head of its own
    rng = torch.Generator().manual_seed(0)
    with torch.no_grad():
        made.set_codes(teacher.mapping(teacher.sample_latents(samples, generator=rng)), teacher.mean_code)
    return made.requires_grad_(True)


def load_encoder(path: str | Path, generator: CodeSpace | None = None) -> PyramidEncoder:
    """Read an encoder, in evaluation mode and without gradients; with a ``generator``, one for other codes is an
    error."""
    found = load_network(path, PyramidEncoder)
    if found.regressor is not None:
        found.fixed()  # raises here if the regressor is missing or is another file
    return found if generator is None else check_same_codes(found, generator)


def _plain(value: Any) -> Any:
    """Lists and tuples are the same in JSON."""
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


def check_teacher(encoder: PyramidEncoder, teacher: Generator) -> PyramidEncoder:
    """Return ``encoder`` if it was trained for this generator: with the same shape of codes and the same mean code."""
    check_same_codes(encoder, teacher)
    away = float(((encoder.mean_code - teacher.mean_code.to(encoder.mean_code)) / encoder.deviation).abs().max())
    if away > _SAME_MEAN:
        raise InputError(
            f"this encoder was trained for another generator: their mean codes differ by {away:.2g} standard deviations"
            " of the codes; train an encoder for this one"
        )
    return encoder
