"""An evaluation as numbers to publish: every metric with its unit, its direction, its error and its count."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from faceuv.evaluation.feature_metric import INCEPTION
from faceuv.evaluation.frechet import frechet_distance
from faceuv.evaluation.kernel import kernel_distance
from faceuv.evaluation.protocol import Evaluation

_SUBSETS = 20


@dataclass(frozen=True)
class Meaning:
    """What a number is: its unit, which way is better, and one line about it."""

    unit: str
    better: Literal["lower", "higher"]
    about: str


_COLOUR, _COSINE, _DEGREES = "of full scale", "cosine", "degrees"
_PICTURES = {
    "l1": Meaning(_COLOUR, "lower", "mean absolute colour difference from the teacher's picture, where the face is"),
    "psnr": Meaning("dB", "higher", "peak signal to noise ratio, where the face is"),
    "ssim": Meaning("", "higher", "structural similarity, where the face is"),
}
_TURNED = {
    "identity": Meaning(_COSINE, "higher", "features of the turned face and of the teacher's picture"),
    "identity_kept": Meaning(_COSINE, "higher", "features of the turned face and of the subject's own frontal view"),
    "pose_deg": Meaning(_DEGREES, "lower", "|yaw that the regressor reads - yaw asked for|"),
    "texels": Meaning(_COLOUR, "lower", "difference of a texel's colour in this view and in the frontal one"),
    "texels_unlit": Meaning(_COLOUR, "lower", "difference of a texel's colour over the light on it, likewise"),
}
_TRUTH = {
    "picture": Meaning(_COLOUR, "lower", "the pasted picture against the true one, where the face is"),
    "depth": Meaning("", "lower", "LiftedGAN's normalised depth error, 0 to 2"),
    "depth_mm": Meaning("mm", "lower", "depth after its mean is removed"),
    "normal_deg": Meaning(_DEGREES, "lower", "normals in the picture"),
    "normal_seen_deg": Meaning(_DEGREES, "lower", "normals per texel, object frame, side that the picture shows"),
    "normal_unseen_deg": Meaning(_DEGREES, "lower", "normals per texel, object frame, side that it does not show"),
    "albedo_seen": Meaning(_COLOUR, "lower", "colours per texel, side that the picture shows"),
    "albedo_unseen": Meaning(_COLOUR, "lower", "colours per texel, side that it does not show"),
    "albedo_seen_free": Meaning(
        _COLOUR, "lower", "colours after the best gain per channel, side that the picture shows"
    ),
    "albedo_unseen_free": Meaning(
        _COLOUR, "lower", "colours after the best gain per channel, side that it does not show"
    ),
}
DISTANCES = ("frechet", "kernel", "fid", "kid")
TRUTH_WORDS = {"scene": "the scene of the latent", "fitted": "the linear face fitted to the teacher's picture"}
_VIEWS = {"_symmetric": "symmetric view", "_far": "far turned"}


def meaning(name: str) -> Meaning:
    """What the metric ``name`` is; perceptual losses keep the names that the config gave them."""
    for truth, words in TRUTH_WORDS.items():
        if name.startswith(f"{truth}_") and name.removeprefix(f"{truth}_") in _TRUTH:
            found = _TRUTH[name.removeprefix(f"{truth}_")]
            return Meaning(found.unit, found.better, f"{found.about}; truth: {words}")
    for ending, words in _VIEWS.items():
        if name.endswith(ending):
            found = meaning(name.removesuffix(ending))
            return Meaning(found.unit, found.better, f"{found.about}; {words}")
    if name.partition("_")[0] in DISTANCES:
        side = "turned to other faces' yaws" if name.endswith("turned") else "in the original pose"
        return Meaning("", "lower", f"distance of the pictures, {side}, from the teacher's pictures")
    known = _PICTURES | _TURNED
    return known.get(name) or Meaning(
        "", "lower", f"the loss {name!r} against the teacher's picture, where the face is"
    )


def report_of(
    evaluation: Evaluation, *, space: str, about: Mapping[str, str], identity: str, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """What ``metrics.json`` holds.

    Args:
        space: name of the feature space of the distances.
        about: subject → one line about it.
        identity: name of the judge of identity.
        facts: whatever else belongs to the record: files, settings, time.
    """
    protocol = evaluation.protocol
    subjects = {}
    for name, scores in evaluation.subjects.items():
        metrics = {key: _mean(values) for key, values in scores.rows.items()}
        metrics |= distances(scores.features, evaluation.reference["original"], space)
        curves = {key: [_mean(row) for row in values] for key, values in scores.curves.items()}
        subjects[name] = {"about": about.get(name, ""), "metrics": metrics, "curves": curves}
    floor = distances({"turned": evaluation.reference["turned"]}, evaluation.reference["original"], space)
    floor = {key.removesuffix("_turned"): value for key, value in floor.items()}
    names = list(dict.fromkeys(key for entry in subjects.values() for key in entry["metrics"]))
    return {
        "kind": "faceuv report",
        "protocol": protocol.identity(),
        "spaces": {"distances": space, "identity": identity},
        "subjects": subjects,
        "floor": {"about": "as many other pictures of the teacher against the reference pictures", "metrics": floor},
        "yaw_deg": list(protocol.yaws_deg),
        "meanings": {key: vars(meaning(key)) for key in names},
        **facts,
    }


def distances(features: Mapping[str, Tensor], reference: Tensor, space: str) -> dict[str, dict[str, float]]:
    """Fréchet and kernel distances of each set of features ``(N, C)`` to ``reference (N, C)``; FID and KID only in
    Inception's space."""
    names = ("fid", "kid") if space == INCEPTION else (f"frechet_{space}", f"kernel_{space}")
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


HEADINGS = (
    "Reconstruction of the teacher's pictures",
    "Distances to the teacher's pictures",
    "Turned faces",
    *(f"Against {words}" for words in TRUTH_WORDS.values()),
)
"""The groups of metrics, in the order of a report."""


def heading(name: str) -> str:
    """The group of a metric, one of :data:`HEADINGS`."""
    for truth, words in TRUTH_WORDS.items():
        if name.startswith(f"{truth}_"):
            return f"Against {words}"
    if name.partition("_")[0] in DISTANCES:
        return HEADINGS[1]
    return HEADINGS[2] if name.startswith(tuple(_TURNED)) else HEADINGS[0]


def order(names: Sequence[str]) -> list[str]:
    """Metrics by their groups; within one, the symmetric view's after the original's."""
    return sorted(names, key=lambda name: (HEADINGS.index(heading(name)), name.endswith("_symmetric")))
