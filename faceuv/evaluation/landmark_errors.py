"""Errors of detected landmarks, in % of the distance of the outer eye corners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.models.faces.landmark_truth import interocular_distance
from faceuv.registry import METRICS

FAILURE = 10.0
"""A mean error above this share of the interocular distance, in %, is a failure, as the benchmarks count it."""


def landmark_errors(points: Tensor, truth: Tensor, interocular: Tensor | None = None) -> Tensor:
    """``(B, 68)``: distances of ``points`` to ``truth (B, 68, 2)`` in % of ``interocular (B,)``, by default that of the
    truth's outer eye corners."""
    sizes = check_shape("true landmarks", truth, ("B", 68, 2))
    check_shape("detected landmarks", points, (sizes["B"], 68, 2))
    scale = interocular_distance(truth) if interocular is None else interocular
    check_shape("interocular", scale, (sizes["B"],))
    if not bool((scale > 0).all()):
        raise InputError("the outer eye corners of a true face coincide: give its interocular distance")
    return torch.linalg.vector_norm(points - truth, dim=2) * (100 / scale)[:, None]


def summarise_landmarks(errors: Tensor, visible: Tensor | None = None) -> dict[str, float]:
    """Errors ``(N, 68)`` in % → median, mean and 95th percentile over pictures of their mean error, and the share of
    failures; the same of the visible points alone, ``visible (N, 68)``, where it is known."""
    parts = {"landmarks": errors.double().mean(1)}
    if visible is not None:
        seen = visible.double()
        parts["visible"] = (errors.double() * seen).sum(1)[seen.any(1)] / seen.sum(1)[seen.any(1)]
    found: dict[str, float] = {}
    for name, values in parts.items():
        found[f"{name}_median"], found[f"{name}_p95"] = values.quantile(values.new_tensor([0.5, 0.95])).tolist()
        found[f"{name}_mean"] = float(values.mean())
        found[f"{name}_failures"] = 100 * float((values > FAILURE).double().mean())
    return found


def summarise_scores(faces: Tensor, others: Tensor) -> dict[str, float]:
    """Scores of pictures with a face and without one → shares in % that are missed and imagined at 0.5, and how far
    the scores are from probabilities: the mean gap, in ten bins, both kinds counted equally (expected calibration
    error), in %."""
    scores = torch.cat([faces, others]).double()
    truth = torch.cat([torch.ones_like(faces), torch.zeros_like(others)]).double()
    weight = torch.cat([torch.full_like(faces, 0.5 / len(faces)), torch.full_like(others, 0.5 / len(others))]).double()
    bins = (scores * 10).long().clamp(0, 9)
    gaps = torch.zeros(10, dtype=torch.float64).index_add(0, bins, weight * (scores - truth)).abs()
    return {
        "missed": 100 * float((faces < 0.5).double().mean()),
        "imagined": 100 * float((others >= 0.5).double().mean()),
        "calibration": 100 * float(gaps.sum()),
    }


@METRICS.register_module()
class LandmarkErrors(BaseMetric):
    """Errors of detected landmarks in % of the interocular distance: median, mean, 95th percentile, share above 10 %.

    Samples are ``dict(points (68, 2), truth (68, 2))`` in pixels of one picture, and where known ``interocular ()``,
    ``visible (68,)``, ``score ()`` and ``other_score ()``, the score of a picture without a face. Logged are
    ``landmarks_median`` and so on, ``visible_…``, and of the scores ``missed``, ``imagined`` and ``calibration``.
    """

    default_prefix = None

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Tensor]]) -> None:
        """Errors and scores of each sample."""
        for sample in data_samples:
            points, truth = (sample[name].float().cpu()[None] for name in ("points", "truth"))
            interocular = sample["interocular"].float().cpu()[None] if "interocular" in sample else None
            row = {"errors": landmark_errors(points, truth, interocular)[0]}
            for name in ("visible", "score", "other_score"):
                if name in sample:
                    row[name] = sample[name].float().cpu()
            self.results.append(row)

    def compute_metrics(self, results: list[dict[str, Tensor]]) -> dict[str, float]:
        """The summary over all samples, and how many there were."""
        table = {name: torch.stack([row[name] for row in results]) for name in results[0]}
        found = summarise_landmarks(table["errors"], table.get("visible"))
        if "score" in table and "other_score" in table:
            found |= summarise_scores(table["score"], table["other_score"])
        return {**found, "samples": float(len(results))}
