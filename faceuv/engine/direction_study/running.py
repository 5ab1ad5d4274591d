"""Score codes, find directions, measure them, write files and pictures."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.engine.direction_study.setup import SUFFIX, DirectionStudy, MovedFaces, PlannedFinder
from faceuv.evaluation.coefficient_errors import face_weight
from faceuv.evaluation.direction_figures import quality_figure, strip
from faceuv.evaluation.direction_quality import DirectionQuality, Unit, direction_quality
from faceuv.export.images import save_png
from faceuv.files.artefacts import atomic_path
from faceuv.models.directions import Direction, DirectionFinder, ScoreTable, named_score, save_directions, score_codes
from faceuv.models.directions.sampling import RunningCovariance, spread
from faceuv.models.directions.scored import ScoredFinder
from faceuv.models.directions.scores import degree_of
from faceuv.models.directions.table import Report

_HELD_OUT, _SHOWN = 1, 2  # added to the seed: faces that no finder has seen


@dataclass(frozen=True, eq=False)
class Found:
    """The result of one finder.

    direction          of the score, which grows along it; of several components the one that goes with it best
    components         all of them, if the finder gives several
    codes_correlation  of the score with where unmoved codes lie along the direction
    seconds            that finding took, without the scoring
    """

    direction: Direction
    components: list[Direction]
    codes_correlation: float
    seconds: float


def score_all(study: DirectionStudy, report: Report | None = None) -> ScoreTable:
    """The scores of all codes; continues an interrupted run."""

    def score(code: Tensor) -> Tensor:
        coefficients = study.reader(code)
        return torch.stack([named_score(coefficients, name, study.face_model) for name in study.columns], 1)

    return score_codes(study.generator, score, study.columns, study.codes, path=study.scores_file, report=report)


def find_all(study: DirectionStudy, table: ScoreTable) -> dict[str, Found]:
    """Name of a finder → its result."""
    moments = table.moments(study.generator)
    return {name: _find(planned, study, table, moments) for name, planned in study.finders.items()}


def measure(study: DirectionStudy, found: Mapping[str, Found], table: ScoreTable) -> dict[str, DirectionQuality]:
    """Name of a finder → effects of its direction on held-out faces, measured by the judge."""
    values = table.column(study.score).double()
    unit = Unit.of(study.score, float(values[torch.isfinite(values)].std()))
    codes, weight = _faces(study, study.quality, _HELD_OUT), face_weight(study.face_model)
    return {
        name: direction_quality(
            one.direction, study.score, study.judge, codes,
            face_model=study.face_model, unit=unit, steps=study.quality.steps, weight=weight,
        )
        for name, one in found.items()
    }  # fmt: skip


def write_all(
    study: DirectionStudy, found: Mapping[str, Found], qualities: Mapping[str, DirectionQuality], out: str | Path
) -> list[Path]:
    """Write directions, strips, the figure and ``quality.json`` to a folder; the paths."""
    out, prefix = Path(out), study.score.replace(":", "_")
    written = []
    for name, one in found.items():
        written.append(save_directions(out / f"{prefix}_{name}{SUFFIX}", [one.direction]))
        if one.components:
            written.append(save_directions(out / f"{prefix}_{name}_components{SUFFIX}", one.components))
        written.append(save_png(out / f"strip_{prefix}_{name}.png", draw_strip(study, one.direction)))
    written.append(save_png(out / f"quality_{prefix}.png", quality_figure(qualities, study.score)))
    record = {
        "score": study.score,
        **study.described,
        "codes": vars(study.codes),
        "finders": {name: {**_record(found[name]), **qualities[name].summary()} for name in found},
    }
    path = out / f"quality_{prefix}.json"
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2, default=str) + "\n", encoding="utf-8")
    return [*written, path]


def draw_strip(study: DirectionStudy, direction: Direction) -> Tensor:
    """Several faces at every step along a direction, with the judge's reading under each → ``(3, H, W)``."""
    steps, degree = study.strip.steps, degree_of(study.score)
    images, values = [], []
    for code in _faces(study, study.strip, _SHOWN).split(1):
        sizes = torch.tensor([step * direction.scale for step in steps]).to(code)
        picture, coefficients = study.judge.look(direction.move(code, sizes))
        images.append(picture.float().cpu())
        values.append(named_score(coefficients, study.score, study.face_model).cpu() / (degree or 1.0))
    return strip(torch.stack(images), torch.stack(values), steps, degrees=degree is not None)


def _faces(study: DirectionStudy, moved: MovedFaces, offset: int) -> Tensor:
    rng = torch.Generator().manual_seed(study.codes.seed + offset)
    with torch.no_grad():
        codes: Tensor = study.generator.sample_codes(moved.faces, truncation=moved.truncation, generator=rng)
    return codes


def _find(planned: PlannedFinder, study: DirectionStudy, table: ScoreTable, moments: RunningCovariance) -> Found:
    start = time.perf_counter()
    finder = copy.copy(planned.finder)
    if planned.aside and isinstance(finder, ScoredFinder):
        aside = [_run(other, study, table)[0] for other in planned.aside.values()]
        finder.orthogonal_to = [*finder.orthogonal_to, *aside]
    directions = _run(finder, study, table)
    seconds = time.perf_counter() - start
    correlations = [correlation(d, moments, study, table) for d in directions]
    best = max(range(len(directions)), key=lambda k: abs(correlations[k]))
    direction = directions[best]
    if len(directions) > 1:
        direction = _towards(direction, study.score, best, correlations[best])
    several = directions if len(directions) > 1 else []
    return Found(direction, several, abs(correlations[best]) if several else correlations[best], seconds)


def _run(finder: DirectionFinder, study: DirectionStudy, table: ScoreTable) -> list[Direction]:
    if isinstance(finder, ScoredFinder):
        return finder.find(study.generator, scores=table)
    return finder.find(study.generator, study.reader)


def correlation(direction: Direction, moments: RunningCovariance, study: DirectionStudy, table: ScoreTable) -> float:
    """Of the score with where the scored codes lie along a direction; 0 if either does not vary."""
    width = study.generator.code_dim
    column = width + table.names.index(study.score)
    joint = moments.covariance
    along = direction.vector.double().cpu().sum(0)
    size = spread(direction.vector.cpu(), joint[:width, :width]) * math.sqrt(float(joint[column, column]))
    return float(along @ joint[:width, column]) / size if size > 0 else 0.0


def _towards(direction: Direction, score: str, index: int, value: float) -> Direction:
    """A component as a direction of the score: turned so that the score grows."""
    kept: dict[str, Any] = {**direction.metadata, "component": index, "codes_correlation": abs(value)}
    sign = 1.0 if value >= 0 else -1.0
    meaning = f"{score}, as far as it goes with {direction.meaning}"
    return replace(direction, vector=sign * direction.vector, name=score, meaning=meaning, metadata=kept)


def _record(one: Found) -> dict[str, Any]:
    direction = one.direction
    return {
        "method": direction.method,
        "component": direction.metadata.get("component"),
        "meaning": direction.meaning,
        "scale": direction.scale,
        "accuracy": direction.accuracy,
        "codes_correlation": one.codes_correlation,
        "seconds": one.seconds,
    }
