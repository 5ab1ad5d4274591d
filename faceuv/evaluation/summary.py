"""An evaluation as numbers to publish: every metric with its unit, its direction, its error and its count."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from faceuv.evaluation.feature_metric import distance_names
from faceuv.evaluation.frechet import frechet_distance
from faceuv.evaluation.kernel import kernel_distance
from faceuv.evaluation.meanings import meaning
from faceuv.evaluation.protocol import OWN_PICTURES, Evaluation

_SUBSETS = 20


def report_of(
    evaluation: Evaluation, *, space: str, about: Mapping[str, str], identity: str, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """What ``metrics.json`` holds.

    Args:
        space: name of the feature space of the distances.
        about: subject → one line about it.
        identity: name of the network that compares persons.
        facts: whatever else belongs to the record: files, settings, time.
    """
    protocol = evaluation.protocol
    subjects = {}
    for name, scores in evaluation.subjects.items():
        metrics = {key: _mean(values) for key, values in scores.rows.items()}
        metrics |= distances(scores.features, evaluation.reference["original"], space)
        curves = {key: [_mean(row) for row in values] for key, values in scores.curves.items()}
        skipped = dict(scores.skipped)
        if "original" not in scores.features:
            skipped |= {f"{distance}_original": OWN_PICTURES for distance in distance_names(space)}
        subjects[name] = {
            "about": about.get(name, ""),
            "metrics": metrics,
            "curves": curves,
            "not_measured": skipped,
        }
    floor = distances({"turned": evaluation.reference["turned"]}, evaluation.reference["original"], space)
    floor = {key.removesuffix("_turned"): value for key, value in floor.items()}
    names = list(dict.fromkeys(key for entry in subjects.values() for key in entry["metrics"]))
    names += dict.fromkeys(key for entry in subjects.values() for key in entry["not_measured"] if key not in names)
    return {
        "kind": "faceuv report",
        "protocol": protocol.identity(),
        "spaces": {"distances": space, "identity": identity},
        "subjects": subjects,
        "floor": {"about": "as many other pictures of the teacher against the reference pictures", "metrics": floor},
        "yaw_deg": list(protocol.yaws_deg),
        "meanings": {key: meaning(key).record() for key in names},
        **facts,
    }


def distances(features: Mapping[str, Tensor], reference: Tensor, space: str) -> dict[str, dict[str, float]]:
    """Fréchet and kernel distances of each set of features ``(N, C)`` to ``reference (N, C)``; FID and KID only in
    Inception's space."""
    names = distance_names(space)
    found: dict[str, dict[str, float]] = {}
    for side, rows in features.items():
        count = min(len(rows), len(reference))
        kernel, deviation = kernel_distance(rows, reference, subsets=_SUBSETS, subset_size=max(2, count // 2))
        found[f"{names[0]}_{side}"] = {"value": frechet_distance(rows, reference), "samples": len(rows)}
        found[f"{names[1]}_{side}"] = {"value": kernel, "deviation": deviation, "samples": len(rows)}
    return found


def tables(evaluation: Evaluation) -> dict[str, Tensor]:
    """The single faces' numbers, ``"subject/metric" (N,)``: two evaluations of one protocol can be compared face by
    face."""
    return {
        f"{name}/{key}": values.contiguous()
        for name, scores in evaluation.subjects.items()
        for key, values in scores.rows.items()
    }


def _mean(values: Tensor) -> dict[str, Any]:
    """Mean, its standard error, and how many numbers it rests on; None where there are none."""
    known = values[torch.isfinite(values)].double()
    if len(known) == 0:
        return {"value": None, "error": None, "samples": 0}
    error = float(known.std()) / math.sqrt(len(known)) if len(known) > 1 else None
    return {"value": float(known.mean()), "error": error, "samples": len(known)}


def rounded(value: float | None, digits: int = 3) -> str:
    """A number for a table: ``digits`` significant ones; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"
