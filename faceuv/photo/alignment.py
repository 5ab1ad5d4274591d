"""Eyes, nose and mouth of a fit laid onto those of the photograph, by what they look like."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.geometry.boxes import box_mean
from faceuv.models.faces import FaceRenderer
from faceuv.structures import Coefficients

_GROUPS = {"eyes": range(36, 48), "nose": range(29, 36), "mouth": range(48, 68)}
_AROUND = {"eyes": 0.16, "nose": 0.12, "mouth": 0.14}  # of the eye distance, the patch beyond the landmarks
_WHOLE_AROUND, _WHOLE_FAR = 0.08, 0.14  # the same of all features together, and their largest shift, in eye distances
_FAR = 0.06  # the largest shift of one feature beyond that
_PULL = 0.5  # loss of correlation at the largest shift: nothing moves without a reason
_DARK = 0.05  # added before the logarithm
_GAIN = 0.02  # correlation that a shift must gain


@torch.no_grad()
def feature_shifts(
    renderer: FaceRenderer, coefficients: Coefficients, image: Tensor, landmarks: Tensor
) -> dict[str, Tensor]:
    """How far the photograph's features lie from the fitted face's: name → ``(2,)`` pixels.

    The face is drawn as it was fitted, and shifted to where brows, eyes, nose and mouth together correlate best with
    the picture; then patches about the eyes, the nose and the mouth are shifted a little farther, each on its own.

    Args:
        image: ``(3, S, S)``, the fitted square; ``landmarks (68, 2)`` of the fitted face in it.
    """
    ours, theirs = _structure(_drawn_over(renderer, coefficients, image)), _structure(image)
    eyes = float((landmarks[36] - landmarks[45]).norm())
    inner = landmarks[17:]
    reach = _WHOLE_AROUND * eyes
    whole = _shift(ours, theirs, inner.amin(0) - reach, inner.amax(0) + reach, max(1, round(_WHOLE_FAR * eyes)))
    across, down = (int(step) for step in whole.tolist())
    ours = ours.roll((down, across), (1, 2))
    found = {}
    for name, rows in _GROUPS.items():
        points = landmarks[list(rows)] + whole.to(landmarks)
        reach = _AROUND[name] * eyes
        low, high = points.amin(0) - reach, points.amax(0) + reach
        found[name] = whole + _shift(ours, theirs, low, high, max(1, round(_FAR * eyes)))
    return found


def _drawn_over(renderer: FaceRenderer, coefficients: Coefficients, image: Tensor) -> Tensor:
    """``image (3, S, S)`` with the face before it, averaged over four samples a pixel."""
    drawn = renderer(coefficients, size=2 * image.shape[1])
    colour, mask = (F.avg_pool2d(part, 2)[0] for part in (drawn.image, drawn.mask))
    return colour + (1 - mask) * image


def moved(found: Tensor, drawn: Tensor, shifts: dict[str, Tensor]) -> Tensor:
    """The landmarks ``found (68, 2)`` by the detector, each feature moved as a whole to where the ``drawn (68, 2)`` one
    looks like the picture; brows with the eyes, the jaw between eyes and mouth.

    A feature keeps the shape that the detector saw: that of the fitted face is nearer to the mean, and would be nearer
    still after every fit, until a smile is gone.
    """
    steps = {
        name: (drawn[list(rows)] - found[list(rows)]).mean(0) + shifts[name].to(found) for name, rows in _GROUPS.items()
    }
    points = found.clone()
    for name, rows in _GROUPS.items():
        points[list(rows)] += steps[name]
    points[17:27] += steps["eyes"]
    points[27:29] += (steps["eyes"] + steps["nose"]) / 2
    share = torch.linspace(-1, 1, 17).abs()[:, None].to(points)  # 1 at the ears, 0 at the chin
    points[:17] += share * steps["eyes"] + (1 - share) * steps["mouth"]
    return points


def _structure(image: Tensor) -> Tensor:
    """``(1, H, W)``: logarithm of the brightness without its slow part, which light and skin tone decide."""
    fine = torch.log(box_mean(image.mean(0, keepdim=True)[None], 5).clamp_min(0) + _DARK)
    return (fine - box_mean(fine, 41))[0]


def _shift(ours: Tensor, theirs: Tensor, low: Tensor, high: Tensor, most: int) -> Tensor:
    """The shift ``(2,)`` of a patch of ``ours`` at which it looks most like ``theirs``."""
    height, width = ours.shape[1:]
    left, top = (max(most, int(v)) for v in low.tolist())
    right, bottom = (min(size - most, int(v) + 1) for v, size in zip(high.tolist(), (width, height)))
    if right - left < 8 or bottom - top < 6:
        return ours.new_zeros(2)
    patch = ours[:, top:bottom, left:right]
    field = theirs[:, top - most : bottom + most, left - most : right + most]
    patch = patch - patch.mean()
    ones = torch.ones_like(patch)[None]
    count = patch.numel()
    product = F.conv2d(field[None], patch[None])
    mean, square = F.conv2d(field[None], ones) / count, F.conv2d(field.square()[None], ones) / count
    spread = ((square - mean.square()).clamp_min(1e-10) * patch.square().mean().clamp_min(1e-10)).sqrt()
    match = (product / count / spread)[0, 0]
    steps = torch.arange(-most, most + 1).to(match)
    down, across = torch.meshgrid(steps, steps, indexing="ij")
    score = match - _PULL * (down.square() + across.square()) / (2 * most**2)
    best = int(score.argmax())
    if float(score.flatten()[best] - score[most, most]) < _GAIN:
        return ours.new_zeros(2)
    return torch.stack([across.flatten()[best], down.flatten()[best]])
