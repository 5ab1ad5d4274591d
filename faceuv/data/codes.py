"""Codes by seed and index, their fitted coefficients, and the files and the dataset of both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils.data import Dataset

from faceuv.checks import check_shape
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.registry import DATASETS
from faceuv.structures import CoefficientLayout, Coefficients
from faceuv.synthetic.seeds import combine

KIND = "fits"
Split = Literal["train", "val", "all"]


def latents_at(generator: Any, indices: Sequence[int], *, seed: int) -> Tensor:
    """Latents z ``(B, Z)`` of the samples ``indices``: each a function of its index and the seed, on any device."""
    seeds = combine(torch.tensor([seed]), torch.as_tensor(list(indices), dtype=torch.int64))
    rng = torch.Generator()
    return torch.cat([generator.sample_latents(1, generator=rng.manual_seed(int(number))) for number in seeds])


@torch.no_grad()
def codes_at(generator: Any, indices: Sequence[int], *, seed: int, truncation: float = 1.0) -> Tensor:
    """Codes w ``(B, D)`` of :func:`latents_at`, whatever the batch; the mapping network rounds as it does where it
    runs."""
    w: Tensor = generator.mapping(latents_at(generator, indices, seed=seed))
    return w if truncation == 1 else generator.truncate(w, truncation)


@dataclass(frozen=True, eq=False)
class FitShard:
    """A run of samples with the coefficients found for their codes.

    index         ``(n,)`` int64, sample numbers
    codes         ``(n, D)`` w; the code of the generator is its repeat for every layer. Or mixed codes ``(n, L, D)``
    coefficients  of each picture ``(n, N)``; NaN where the fit failed
    ok            ``(n,)`` bool
    reasons       why a fit failed, ``""`` where it did not
    errors        name → ``(n,)``, errors that the source of coefficients measured
    metadata      ``num_layers``, ``layout``, ``seed``, ``run`` (one word for all shards of a run), …
    """

    index: Tensor
    codes: Tensor
    coefficients: Tensor
    ok: Tensor
    reasons: Sequence[str]
    errors: Mapping[str, Tensor]
    metadata: Mapping[str, Any]

    def save(self, path: str | Path) -> Path:
        """Write a safetensors file, atomically."""
        tensors = {"index": self.index, "codes": self.codes, "coefficients": self.coefficients, "ok": self.ok}
        tensors |= {f"error.{name}": values for name, values in self.errors.items()}
        failed = {str(row): reason for row, reason in enumerate(self.reasons) if reason}
        kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        return save_tensors(path, kept, {**self.metadata, "kind": KIND, "failed": failed})

    @classmethod
    def load(cls, path: str | Path) -> FitShard:
        """Read a file of :meth:`save`."""
        tensors, metadata = load_tensors(path, kind=KIND)
        wanted = ("index", "codes", "coefficients", "ok")
        missing = [name for name in wanted if name not in tensors]
        if missing or "layout" not in metadata or "num_layers" not in metadata:
            raise AssetError(f"{path} lacks {', '.join(missing) or 'its metadata'}; run the stage that made it again")
        failed = metadata.pop("failed", {})
        count = len(tensors["index"])
        mixed = tensors["codes"].ndim == 3
        of_codes = (count, metadata["num_layers"], "D") if mixed else (count, "D")
        for name, axes in (("codes", of_codes), ("coefficients", (count, "N")), ("ok", (count,))):
            check_shape(f"{name} of {path}", tensors[name], axes)
        reasons = [failed.get(str(row), "") for row in range(count)]
        errors = {name.removeprefix("error."): v for name, v in tensors.items() if name.startswith("error.")}
        return cls(
            index=tensors["index"],
            codes=tensors["codes"],
            coefficients=tensors["coefficients"],
            ok=tensors["ok"],
            reasons=reasons,
            errors=errors,
            metadata=metadata,
        )

    def __len__(self) -> int:
        return len(self.index)


def shard_name(number: int) -> str:
    """The file of shard ``number``."""
    return f"fits_{number:06d}.safetensors"


def shard_files(folder: str | Path) -> list[Path]:
    """The shards of a folder, in order."""
    return sorted(Path(folder).glob("fits_*.safetensors"))


@DATASETS.register_module()
class CodeFits(Dataset[dict[str, Tensor]]):
    """Codes with the coefficients of their pictures, as the ``fits`` stage left them; failed fits are left out.

    Item: ``dict(code (D,) or (L, D), coefficients (N,), index)``. Everything is in memory: 36,000 codes of width 512
    are 110 MB.

    Args:
        folder: of the ``fits`` stage.
        split: ``"train"``, ``"val"`` or ``"all"``.
        held_out: n: every n-th sample belongs to ``"val"``.
        limit: largest number of items; None: all.
        max_yaw_deg: limit of the fitted |yaw| in degrees; codes at or beyond it are left out. None: keep all.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        split: Split = "all",
        held_out: int = 10,
        limit: int | None = None,
        max_yaw_deg: float | None = None,
    ) -> None:
        if split not in ("train", "val", "all") or held_out < 2:
            raise InputError(f"expected split train, val or all and held_out ≥ 2, got {split!r} and {held_out}")
        if max_yaw_deg is not None and not 0 < max_yaw_deg <= 180:
            raise InputError(f"max_yaw_deg lies in 0 … 180, got {max_yaw_deg}")
        self.folder, self.split = Path(folder), split
        files = shard_files(self.folder)
        if not files:
            raise AssetError(f"{self.folder} holds no fits (fits_000000.safetensors …); run the stage 'fits' first")
        shards = [FitShard.load(file) for file in files]
        self.metadata = _same_metadata(files, shards)
        index, ok = (torch.cat([getattr(shard, name) for shard in shards]) for name in ("index", "ok"))
        held = index % held_out == 0
        chosen = ok & {"train": ~held, "val": held, "all": torch.ones_like(held)}[split]
        if not bool(chosen.any()):
            reason = next((r for shard in shards for r in shard.reasons if r), "")
            raise AssetError(
                f"{self.folder} holds no usable fit for the split {split!r}: {int(ok.sum())} of {len(ok)} succeeded"
                + (f", others for reasons such as: {reason}" if reason else "")
            )
        if max_yaw_deg is not None:
            data = torch.cat([shard.coefficients for shard in shards])
            yaw = Coefficients(data, self.layout).rotation[:, 1].abs()
            chosen &= yaw < math.radians(max_yaw_deg)
            if not bool(chosen.any()):
                raise AssetError(
                    f"{self.folder} holds no fit with |yaw| < {max_yaw_deg}° for the split {split!r}; the least is"
                    f" {math.degrees(float(yaw[ok].min())):.1f}°: raise max_yaw_deg"
                )
        rows = chosen.nonzero().flatten()[:limit]
        self.index = index[rows]
        self.codes, self.coefficients = (
            torch.cat([getattr(shard, name) for shard in shards])[rows] for name in ("codes", "coefficients")
        )
        if not bool(torch.isfinite(self.codes).all() and torch.isfinite(self.coefficients).all()):
            raise AssetError(f"fits of {self.folder} that are marked as good hold NaN; run the stage 'fits' again")
        self.failed = int((~ok).sum())

    @classmethod
    def rows_of(cls, settings: Mapping[str, Any], samples: int) -> int:
        """How many items it has at most, of so many samples; raises where ``held_out`` leaves one for evaluation."""
        return split_rows(samples, settings)

    @property
    def num_layers(self) -> int:
        """L of the generator's codes."""
        return int(self.metadata["num_layers"])

    @property
    def code_dim(self) -> int:
        """D of the codes."""
        return self.codes.shape[-1]

    @property
    def layout(self) -> CoefficientLayout:
        """Of the coefficients."""
        return CoefficientLayout(**self.metadata["layout"])

    def all_coefficients(self) -> Coefficients:
        """Of every item, in order."""
        return Coefficients(self.coefficients, self.layout)

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, item: int) -> dict[str, Tensor]:
        return {"code": self.codes[item], "coefficients": self.coefficients[item], "index": self.index[item]}


def split_rows(samples: int, settings: Mapping[str, Any]) -> int:
    """How many of so many samples belong to a dataset with the settings ``split``, ``held_out`` and ``limit``."""
    split, held_out, limit = (settings.get(name) for name in ("split", "held_out", "limit"))
    held_out = 10 if held_out is None else int(held_out)
    if split in ("train", "val") and 1 < samples <= held_out:
        raise InputError(
            f"held_out={held_out:,} keeps one sample of {samples:,} for evaluation; it must be less than {samples:,}"
        )
    held = -(-samples // held_out)
    rows = {"train": samples - held, "val": held}.get(split or "all", samples)
    return rows if limit is None else min(rows, int(limit))


def _same_metadata(files: Sequence[Path], shards: Sequence[FitShard]) -> Mapping[str, Any]:
    """The metadata of all shards, which must be of one run."""
    first = shards[0].metadata
    for file, shard in zip(files, shards):
        for key in ("run", "num_layers", "layout"):
            if shard.metadata.get(key) != first.get(key):
                raise AssetError(
                    f"{file} has {key} {shard.metadata.get(key)!r}, {files[0].name} {first.get(key)!r}: they are of two"
                    " runs; delete the folder and run the stage 'fits' again"
                )
    return first
