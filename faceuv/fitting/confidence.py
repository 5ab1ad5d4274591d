"""How far a fit can be trusted: what is measured about it, one number in [0, 1], and the doubts in words.

Each piece of evidence x is at least 0, and 0 is perfect. Its limit L says how much alone makes a fit doubtful:

    part = 1 / (1 + (x / L)²)        confidence = 1 / (1 + Σ (x / L)²)

so that several small signs add up. A fit below :data:`DOUBTFUL` is doubtful. ``benchmarks/fit_confidence.py`` chooses
the limits and measures what the rule catches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.fitting.gradient import Prediction
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.kinematics import Posed
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.structures import Camera, Coefficients

DOUBTFUL = 0.5
"""A fit with less confidence is doubtful."""
LIMITS: dict[str, float] = {
    "detector": 0.5,
    "agreement": 0.065,
    "landmarks": 0.065,
    "colours": 0.55,
    "identity": 1.5,
    "expression": 1.5,
    "inside": 0.2,
}
"""Evidence → how much of it alone makes a fit doubtful.

detector    1 − the detector's score
agreement   distance between several looks of the detector, in eye distances
landmarks   distance of the fitted landmarks from the detector's, in eye distances
colours     mean colour difference over the visible skin, as a share of the skin's brightness in the picture
identity    root mean square of the identity coefficients, in standard deviations
expression  the same of the expression coefficients
inside      share of the face that lies outside the frame

The eye distance is that of the outer eye corners of the fitted face, as it would be seen from the front: it does not
shrink when the head turns.
"""
PARTS = tuple(LIMITS)
_POINTS = 500  # of the face, enough for the share inside the frame
_DARKEST = 0.05  # brightness, a length in [0, √3]: below, colours say nothing
_WORDS = {
    "detector": "the detector's score is {score:.2f}",
    "agreement": "two looks of the detector differ by {percent:.0f} % of the eye distance",
    "landmarks": "the landmarks stay {percent:.0f} % of the eye distance away",
    "colours": "the skin's colours differ by {percent:.0f} % of its brightness",
    "identity": "an unlikely identity ({x:.1f} standard deviations)",
    "expression": "an unlikely expression ({x:.1f} standard deviations)",
    "inside": "{percent:.0f} % of the face lie outside the frame",
}


def measure(
    model: FaceModel,
    pred: Prediction,
    x: Tensor,
    camera: Camera,
    *,
    images: Tensor,
    mask: Tensor | None,
    score: Tensor,
    disagreement: Tensor,
    landmark_error: Tensor,
    photometric: Tensor,
) -> Tensor:
    """Evidence ``(B, 7)``, columns as :data:`PARTS`; NaN where something is not known.

    Args:
        pred: the predictions for the coefficients ``x (B, N)``.
        images, mask: the pictures that were fitted, and the pixels that count.
        score, disagreement: ``(B,)`` of the detector, the latter in pixels.
        landmark_error, photometric: ``(B,)`` as in :class:`~faceuv.fitting.Fit`.
    """  # fmt: skip
    height, width = images.shape[2:]
    coefficients = Coefficients(x, model.layout)
    _, eyes = LandmarkTruth(model, camera).to(x)(coefficients, min(height, width))
    columns = {
        "detector": 1 - score,
        "agreement": disagreement / eyes,
        "landmarks": landmark_error / eyes,
        "colours": photometric / brightness(images, pred["mask"] if mask is None else pred["mask"] * mask),
        "identity": coefficients.identity.square().mean(1).sqrt(),
        "expression": coefficients.expression.square().mean(1).sqrt(),
        "inside": 1 - share_inside(model, x, camera, (height, width), mask),
    }
    return torch.stack([columns[name] for name in PARTS], 1)


def brightness(images: Tensor, mask: Tensor) -> Tensor:
    """``(B,)``: mean length of the colours of ``images (B, 3, H, W)`` over ``mask (B, 1, H, W)``, at least 0.05."""
    length = images.square().sum(1, keepdim=True).sqrt()
    return ((length * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp_min(1e-6)).clamp_min(_DARKEST)


def share_inside(
    model: FaceModel, x: Tensor, camera: Camera, size: tuple[int, int], mask: Tensor | None = None
) -> Tensor:
    """``(B,)``: the share of the skin's vertices that project into the frame, where ``mask (B, 1, H, W)`` is not 0;
    seen or not, so that a turned head does not count as cut."""
    height, width = size
    skin = model.skin_mask.nonzero()[:, 0]
    points = model.points(skin[:: max(1, len(skin) // _POINTS)])
    x_px, y_px = Posed.of(points, x, model.layout).pixels(camera, height, width).unbind(2)
    inside = (x_px >= 0) & (x_px < width) & (y_px >= 0) & (y_px < height)
    if mask is not None:
        column, row = x_px.clamp(0, width - 1).long(), y_px.clamp(0, height - 1).long()
        inside = inside & (mask[:, 0].flatten(1).gather(1, row * width + column) > 0)
    return inside.to(x.dtype).mean(1)


def parts_of(evidence: Tensor) -> Tensor:
    """Evidence ``(B, 7)`` → parts ``(B, 7)`` in [0, 1]; NaN where nothing is known."""
    return 1 / (1 + (evidence / _limits(evidence)).square())


def confidence_of(evidence: Tensor) -> Tensor:
    """Evidence ``(B, 7)`` → confidence ``(B,)`` in [0, 1]. What is not known does not count; a row of which nothing is
    known has 0."""
    check_shape("evidence", evidence, ("B", len(PARTS)))
    squares = (evidence / _limits(evidence)).square()
    known = ~evidence.isnan()
    return torch.where(known.any(1), 1 / (1 + squares.masked_fill(~known, 0).sum(1)), 0.0)


def doubt_of(evidence: Sequence[float]) -> str:
    """Why the fit with this evidence (a row of it) is doubtful: all that exceed their limit, or else the largest."""
    excess = {name: x / LIMITS[name] for name, x in zip(PARTS, evidence) if x == x}
    if not excess:
        return "nothing is known about it"
    order = sorted(excess, key=lambda name: -excess[name])
    named = [name for name in order if excess[name] > 1] or order[:2]
    return "; ".join(_in_words(name, dict(zip(PARTS, evidence))[name]) for name in named)


def _in_words(name: str, x: float) -> str:
    if name == "agreement" and math.isinf(x):
        return "a second look of the detector finds no face"
    return _WORDS[name].format(x=x, percent=100 * x, score=1 - x)


def _limits(like: Tensor) -> Tensor:
    return like.new_tensor([LIMITS[name] for name in PARTS])
