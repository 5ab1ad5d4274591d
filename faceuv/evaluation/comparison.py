"""Compares finished reports face by face: differences of metrics, and whether they are significant."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from faceuv.errors import AssetError, InputError
from faceuv.evaluation.meanings import meaning
from faceuv.files.artefacts import load_tensors
from faceuv.models.base.subject import FULL, METHOD, Claim

METRICS, SAMPLES, SAMPLES_KIND = "metrics.json", "samples.safetensors", "report_samples"
_SURE = 1.96  # standard errors: 95 of 100
_LEAST = 4  # pairs, fewer say nothing

Verdict = Literal["yes", "no", "not told apart", "not measured"]


@dataclass(frozen=True, eq=False)
class Run:
    """A finished report: ``report`` as ``metrics.json`` holds it, and ``samples``, ``"subject/metric" (N,)``."""

    name: str
    report: Mapping[str, Any]
    samples: Mapping[str, Tensor]

    def of(self, subject: str, metric: str) -> Tensor | None:
        """The numbers of the single faces ``(N,)``."""
        return self.samples.get(f"{subject}/{metric}")

    @property
    def method(self) -> str:
        """The name of the subject that is the method."""
        return str(self.report["method"])

    @property
    def claims(self) -> tuple[Claim, ...]:
        """What the method says should hold."""
        return tuple(
            Claim(c["title"], tuple(c["better"]), tuple(c["worse"]), tuple(c["metrics"])) for c in self.report["claims"]
        )


def read_run(name: str, folder: str | Path) -> Run:
    """Read a report: its folder, or a work dir with one stage of that kind."""
    place = Path(folder)
    if not (place / METRICS).is_file():
        found = sorted(path.parent for path in place.glob(f"*/{SAMPLES}") if ".previous" not in path.parent.name)
        if len(found) != 1:
            raise AssetError(
                f"{place} holds {len(found)} reports ({METRICS} and {SAMPLES}); give a work dir with one finished stage"
                " of type 'report', or that stage's folder"
            )
        place = found[0]
    try:
        report = json.loads((place / METRICS).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise AssetError(f"{place / METRICS} is not JSON ({error}); run the stage 'report' again") from error
    if report.get("kind") != "faceuv report":
        raise AssetError(f"{place / METRICS} is not a report of faceuv; run the stage 'report' again")
    if not {"method", "claims", "instruments"} <= set(report):
        raise AssetError(
            f"{place / METRICS} does not say which subject is the method: it is of an older version of faceuv; run the"
            " stage 'report' again"
        )
    samples, _ = load_tensors(place / SAMPLES, kind=SAMPLES_KIND)
    return Run(name, report, samples)


def check_comparable(runs: Sequence[Run]) -> None:
    """Raise unless all runs measured the same faces with the same instruments; the error names what differs."""
    first = runs[0]
    for run in runs[1:]:
        for part in ("protocol", "instruments"):
            mine, theirs = first.report.get(part, {}), run.report.get(part, {})
            different = [key for key in {**mine, **theirs} if mine.get(key) != theirs.get(key)]
            if different:
                listed = "; ".join(f"{key}: {_short(mine.get(key))} and {_short(theirs.get(key))}" for key in different)
                raise InputError(
                    f"the reports {first.name!r} and {run.name!r} differ in their {part} ({listed}) and cannot be"
                    " compared face by face: evaluate both with the same protocol, teacher and instruments"
                )


@dataclass(frozen=True)
class Comparison:
    """One metric of two subjects over the same faces.

    better, worse  means of the one that should win and of the other
    gain           mean improvement per face, positive where the claim is right
    error          its standard error
    pairs          how many faces
    """

    metric: str
    better: float
    worse: float
    gain: float
    error: float
    pairs: int

    @property
    def verdict(self) -> Verdict:
        """Whether the gain differs from none by more than chance (95 %)."""
        if self.pairs < _LEAST:
            return "not measured"
        if abs(self.gain) <= _SURE * self.error:
            return "not told apart"
        return "yes" if self.gain > 0 else "no"


def compare(metric: str, better: Tensor | None, worse: Tensor | None) -> Comparison:
    """The one that should be better against the other, each ``(N,)`` over the same faces; NaN is left out."""
    if better is None or worse is None:
        return Comparison(metric, math.nan, math.nan, math.nan, math.nan, 0)
    if better.shape != worse.shape:
        raise InputError(f"{metric}: compared are the same faces, got {len(better)} and {len(worse)}")
    known = torch.isfinite(better) & torch.isfinite(worse)
    first, second = better[known].double(), worse[known].double()
    sign = 1.0 if meaning(metric).better == "higher" else -1.0
    gains = sign * (first - second)
    pairs = len(gains)
    error = float(gains.std()) / math.sqrt(pairs) if pairs > 1 else math.nan
    mean = [float(values.mean()) if pairs else math.nan for values in (first, second, gains)]
    return Comparison(metric, mean[0], mean[1], mean[2], error, pairs)


@dataclass(frozen=True)
class ClaimResult:
    """A claim with what was measured about it; ``lacking`` are the (report, subject) that were not given."""

    claim: Claim
    comparisons: Sequence[Comparison]
    lacking: Sequence[tuple[str, str]] = ()

    @property
    def verdict(self) -> str:
        """In words, from the verdicts of its metrics."""
        found = [c.verdict for c in self.comparisons if c.verdict != "not measured"]
        if not found:
            return "not measured"
        yes, no = found.count("yes"), found.count("no")
        if yes == len(found):
            return "holds"
        if yes and not no:
            return f"holds in {yes} of {len(found)} measures, the others cannot be told apart"
        if yes and no:
            return f"mixed: right in {yes} of {len(found)} measures, wrong in {no}"
        return "does not hold" if no else "cannot be told apart"


def check_claims(runs: Sequence[Run], claims: Sequence[Claim] | None = None) -> list[ClaimResult]:
    """Every claim, as far as the runs go; by default those of the first run's method. The first run is the full method,
    whatever it is called; a run that is not given can be a subject of the first one, spaces in its name written as
    underscores."""
    if not runs:
        raise InputError("there is nothing to compare; give at least one report")
    check_comparable(runs)
    return [_result(claim, runs) for claim in (runs[0].claims if claims is None else claims)]


def _result(claim: Claim, runs: Sequence[Run]) -> ClaimResult:
    places = [_found(place, runs) for place in (claim.better, claim.worse)]
    rows = [[None if place is None else place[0].of(place[1], m) for m in claim.metrics] for place in places]
    comparisons = [compare(m, better, worse) for m, better, worse in zip(claim.metrics, *rows)]
    lacking = [given for given, place in zip((claim.better, claim.worse), places) if place is None]
    return ClaimResult(claim, comparisons, list(dict.fromkeys(lacking)))


def _found(place: tuple[str, str], runs: Sequence[Run]) -> tuple[Run, str] | None:
    """The run and the name of the subject that a claim means; None if there is none."""
    run, subject = place
    named = {FULL: runs[0]} | {run.name: run for run in runs}
    if run in named:
        name = named[run].method if subject == METHOD else subject
        return (named[run], name) if name in named[run].report["subjects"] else None
    beside = {name.replace(" ", "_"): name for name in runs[0].report["subjects"]}
    return (runs[0], beside[run]) if run in beside and subject == METHOD else None


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:40] + "…"
