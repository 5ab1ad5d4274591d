"""Scores of many codes, computed once: a table that several finders share and that survives an interruption."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.generator import Generator
from faceuv.models.directions.sampling import RunningCovariance, check_count, sample_w

KIND = "scores"
_SAVE_EVERY = 20.0  # seconds of work that an interruption may cost

Report = Callable[[int, int], None]
"""Called with (codes scored, codes wanted)."""


@dataclass(frozen=True)
class CodeSample:
    """Which codes: those that :func:`~faceuv.models.directions.sampling.sample_w` draws with these settings."""

    samples: int = 200_000
    seed: int = 0
    truncation: float = 1.0
    batch: int = 1024

    def __post_init__(self) -> None:
        check_count("samples", self.samples, 1)
        check_count("batch", self.batch, 1)

    def same_codes(self, other: CodeSample) -> bool:
        """Whether code n is the same in both. Random numbers depend on the size of the batch they are drawn in."""
        return (self.seed, self.truncation, self.batch) == (other.seed, other.truncation, other.batch)

    def draw(self, generator: Generator, first: int = 0) -> Iterator[Tensor]:
        """The codes w ``(b, D)``, from number ``first`` on."""
        return sample_w(
            generator, self.samples, seed=self.seed, truncation=self.truncation, batch=self.batch, first=first
        )


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """``values (N, K)`` float32: row n holds the scores of code n of ``codes``, a column for each of ``names``; NaN
    where a code could not be scored. The codes themselves are not kept: their seed is."""

    names: tuple[str, ...]
    values: Tensor
    codes: CodeSample
    source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_shape("the values of a table of scores", self.values, (self.codes.samples, len(self.names)))

    def column(self, name: str) -> Tensor:
        """The scores ``(N,)`` of one name."""
        if name not in self.names:
            raise InputError(f"the table has no score {name!r}; it has {', '.join(self.names)}")
        return self.values[:, self.names.index(name)]

    @property
    def unscored(self) -> int:
        """How many codes lack a finite score; finders leave them out."""
        return int((~torch.isfinite(self.values).all(1)).sum())

    def batches(self, name: str, codes: CodeSample) -> Iterator[Tensor]:
        """The scores that belong to the batches of ``codes``, which must be these codes or the first of them."""
        if not self.codes.same_codes(codes) or codes.samples > self.codes.samples:
            raise InputError(f"the table holds the scores of {self.codes}, and those of {codes} are wanted")
        return iter(self.column(name)[: codes.samples].split(codes.batch))

    def moments(self, generator: Generator) -> RunningCovariance:
        """Of ``(w, scores)`` side by side, ``D + K`` columns, over the codes that have every score."""
        moments = RunningCovariance()
        for w, values in zip(self.codes.draw(generator), self.values.split(self.codes.batch)):
            usable = torch.isfinite(values).all(1)
            if bool(usable.any()):
                moments.add(torch.cat([w.cpu().double(), values.double()], 1)[usable])
        return moments

    def save(self, path: str | Path) -> Path:
        """Write it to a safetensors file, atomically."""
        return _save(path, self.values, self.names, self.codes, self.source)

    @classmethod
    def load(cls, path: str | Path) -> ScoreTable:
        """Read a file of :meth:`save`; one that an interrupted scoring left holds fewer codes than it set out for."""
        tensors, metadata = load_tensors(path, kind=KIND)
        try:
            values, codes = tensors["values"], CodeSample(**{**metadata["codes"], "samples": len(tensors["values"])})
            return cls(tuple(metadata["names"]), values, codes, metadata["source"])
        except (KeyError, TypeError, InputError) as error:
            raise AssetError(f"{path} is not a table of scores ({error}); delete it, and it is made again") from error


@torch.no_grad()
def score_codes(
    generator: Generator,
    score: Callable[[Tensor], Tensor],
    names: Sequence[str],
    codes: CodeSample,
    *,
    path: str | Path | None = None,
    source: Mapping[str, Any] | None = None,
    report: Report | None = None,
) -> ScoreTable:
    """Score codes in batches; only one batch of W+ codes is in memory at a time.

    Args:
        score: codes ``(b, L, D)`` → ``(b, K)``, one column for each of ``names``.
        path: file of the scores, written every few seconds and when the work stops. Scores in an existing file are
            used, and the work continues after them; scores of other names, codes or ``source`` are an error.
        source: description of the scorer, as JSON, for the file.
        report: called after each batch.
    """
    source, tell = dict(source or {}), report or (lambda done, wanted: None)
    done = _begun(path, tuple(names), codes, source)[: codes.samples]
    kept, saved = [done], time.monotonic()
    tell(len(done), codes.samples)
    try:
        for w in codes.draw(generator, first=len(done)):
            values = score(broadcast_code(w, generator.num_layers, generator.code_dim))
            check_shape("scores", values, (len(w), len(names)))
            kept.append(values.float().cpu())
            tell(sum(map(len, kept)), codes.samples)
            if path is not None and time.monotonic() - saved > _SAVE_EVERY:
                _save(path, torch.cat(kept), names, codes, source)
                saved = time.monotonic()
    finally:  # whatever stopped the work, what is scored is scored
        if path is not None and len(kept) > 1:
            _save(path, torch.cat(kept), names, codes, source)
    return ScoreTable(tuple(names), torch.cat(kept), codes, source)


def _begun(path: str | Path | None, names: tuple[str, ...], codes: CodeSample, source: Mapping[str, Any]) -> Tensor:
    """What an earlier run left, ``(n, K)``."""
    if path is None or not Path(path).exists():
        return torch.empty(0, len(names))
    found = ScoreTable.load(path)
    if found.names != names or not found.codes.same_codes(codes) or dict(found.source) != source:
        raise AssetError(
            f"{path} holds scores of other codes, or by another mapper: {', '.join(found.names)} of {found.codes};"
            " delete it or choose another place"
        )
    return found.values


def _save(path: str | Path, values: Tensor, names: Sequence[str], codes: CodeSample, source: Mapping[str, Any]) -> Path:
    kept = {"kind": KIND, "names": list(names), "codes": asdict(codes), "source": dict(source)}
    return save_tensors(path, {"values": values.contiguous()}, kept)
