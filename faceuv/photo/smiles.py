"""Lips that part in a smile: the teeth of a photograph say where, for a landmark network takes them for lips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.charts import near_landmarks, on_parts

# All lengths are in distances between the outer corners of the eyes.
_WIDE, _HIGH, _STEP = 0.62, 0.42, 0.01  # half of the patch about the mouth, and its pixels
_BESIDE, _ABOVE = 0.75, 0.2  # the mouth's ellipse, beyond which there is skin: of the mouth's width; half its height
_DARK = 0.05  # added before logarithms
_WHITE = 0.05  # logarithm of red over green, in which teeth are below the skin
_BRIGHT, _CLEARLY = 0.55, 0.7  # of the skin's brightness: each pixel of teeth is brighter; half of them are
_HOLLOW = 0.35  # of it: darker is the mouth's cavity
_SLIT = 4  # pixels between rows of teeth and the cavity that are neither
_LEAST = 0.004  # area of teeth: less may be a highlight of a lip
_OFF, _ASIDE = 0.14, 0.2  # how far the middle of the teeth may lie from where the lips were seen to meet: down, aside
_LIP = 0.10  # at most as far from the teeth the lips are redder than skin, and than teeth by
_REDDER, _ENCLOSED = 0.12, 0.85  # this logarithm, along this share of the teeth
_CORNERS = 0.13  # beyond the outermost teeth that are seen, the corners of the mouth are at least
_BENT = 0.08  # how far a smile rises from its middle to its outermost teeth, at most
_BEYOND = 0.08  # beyond the corners that were seen there are no teeth
_SEAM = (0.03, 0.06)  # dm from the landmarks at which the lips meet: where teeth may be painted on them; where not
_SHOWN = 0.02  # share of the teeth that a smile shows at least
_GAP = 0.01  # between the teeth that are white enough and the lips
_THIN = 0.7  # of the upper lip's height, of which the network took a part for teeth
_ROWS = 0.12  # lips farther apart than this show more than rows of teeth that meet
_BITE, _JAW = 0.03, 25.0  # how far the jaw opens behind lips that are nearer; how much farther for each distance beyond
_RIM = 0.05  # between the corners inside and outside of the lips
_INNER_UPPER, _INNER_LOWER = (61, 62, 63), (67, 66, 65)
_OUTER_UPPER, _OUTER_LOWER = (49, 50, 51, 52, 53), (59, 58, 57, 56, 55)


@dataclass(frozen=True, eq=False)
class Teeth:
    """What is seen between the lips, in the frame of the mouth: columns ``across (N,)``, rising, and the rows of the
    upper and the lower lip there, ``upper (N,)`` and ``lower (N,)``."""

    across: Tensor
    upper: Tensor
    lower: Tensor


def with_teeth(image: Tensor, points: Tensor) -> Tensor:
    """The landmarks ``points (68, 2)`` in ``image (3, S, S)`` with the lips around the teeth that the image shows;
    unchanged where it shows none, or has no colours to tell teeth from lips."""
    eyes = float((points[36] - points[45]).norm())
    if not eyes > 1:
        return points
    right = (points[45] - points[36]) / eyes
    axes = torch.stack([right, torch.stack([-right[1], right[0]])])
    middle = points[60:68].mean(0)
    local = (points - middle) @ axes.T / eyes
    across, down = (torch.arange(-half, half + _STEP / 2, _STEP).to(points) for half in (_WIDE, _HIGH))
    places = middle + eyes * (across[None, :, None] * axes[0] + down[:, None, None] * axes[1])
    patch = F.grid_sample(image[None], (places * 2 / image.shape[-1] - 1)[None].to(image), align_corners=False)[0]
    teeth = seen_teeth(patch, across, down, float((local[48] - local[54]).norm()))
    if teeth is None:
        return points
    return torch.cat([points[:48], middle + eyes * _around(local, teeth)[48:] @ axes])


def jaw_behind(before: Tensor, after: Tensor) -> float:
    """How far, of 1, the jaw may open behind lips that were laid around teeth: from the landmarks ``before (68, 2)`` to
    those ``after``; 1 where they hardly moved. Between lips that are no farther apart than rows of teeth are high, the
    rows meet: a smile parts the lips, not the teeth."""
    if torch.allclose(before, after, atol=0.1):
        return 1.0
    apart = float((after[66] - after[62]).norm() / (after[36] - after[45]).norm())
    return min(1.0, _BITE + _JAW * max(0.0, apart - _ROWS))


def teeth_on_lips(model: FaceModel, bare: Tensor, seen: Tensor, skin: Tensor) -> Tensor:
    """``(1, T, T)`` in [0, 1]: where the lips of a chart have the colours of teeth, because they were fitted a little
    too close; nowhere on heads whose teeth are not seen.

    Args:
        bare: ``(3, T, T)``, the photograph's colours without light, ``seen (1, T, T)`` how far it shows each texel;
            ``skin (1, T, T)``, which texels are skin of the face that it shows.
    """
    size, nowhere = bare.shape[-1], torch.zeros_like(seen)
    face = skin[0] > 0.5
    if "teeth" not in model.part_names or not bool(face.any()):
        return nowhere
    teeth = on_parts(model, size, "teeth")
    if float((seen * teeth).sum()) < _SHOWN * float(teeth.sum()):
        return nowhere
    red, light = torch.log(bare[:1] + _DARK) - torch.log(bare[1:2] + _DARK), bare.mean(0, keepdim=True)
    white = ((red[0, face].median() - _WHITE - red) / _WHITE).clamp(0, 1)
    white = white * (light > _BRIGHT * light[0, face].median())
    return white * near_landmarks(model, size, range(60, 68), _SEAM)


def seen_teeth(patch: Tensor, across: Tensor, down: Tensor, width: float) -> Teeth | None:
    """The teeth in a ``patch (3, H, W)`` about a mouth of some ``width``, whose pixels lie ``across (W,)`` and
    ``down (H,)`` from the middle of the lips. They are whiter than skin, bright, and between redder lips."""
    from scipy import ndimage

    light = patch.mean(0)
    red = torch.log(patch[0] + _DARK) - torch.log(patch[1] + _DARK)
    outside = (across / (_BESIDE * width)).square() + (down[:, None] / _ABOVE).square() > 1
    outside &= across.abs() < _BESIDE * width
    usual, bright = red[outside].median(), light[outside].quantile(0.6)
    white = ((red < usual - _WHITE) & (light > _BRIGHT * bright)).cpu().numpy()
    redness, shine, lip = red.cpu().numpy(), light.cpu().numpy(), round(_LIP / _STEP)
    number, count = ndimage.label(ndimage.binary_closing(white, np.ones((1, 3))))
    passed = []
    for k in range(1, count + 1):
        there = number == k
        area = float(there.sum()) * _STEP**2
        rows, columns = there.nonzero()
        if area < _LEAST or abs(float(across[int(columns.mean())])) > _ASIDE:
            continue
        if abs(float(down[int(rows.mean())])) > _OFF or float(across[columns].abs().max()) > width / 2 + _BEYOND:
            continue
        if np.median(shine[there]) < _CLEARLY * float(bright):
            continue
        least, enclosed = max(float(np.median(redness[there])) + _REDDER, float(usual)), []
        for column in np.unique(columns):
            own = rows[columns == column]
            above, below = redness[max(own.min() - lip, 0) : own.min(), column], redness[own.max() + 1 :, column][:lip]
            enclosed.append(min(above.max(initial=-9.0), below.max(initial=-9.0)) > least)
        if np.mean(enclosed) >= _ENCLOSED:
            passed.append(k)
    if len(passed) != 1:  # two of them: it is lips that lie between, and a pale chin below
        return None
    (best,) = passed
    hollow = (light < _HOLLOW * bright).cpu().numpy()
    # the cavity beside and behind the teeth, as far as it hangs together with them
    column = ndimage.binary_dilation(number == best, np.ones((4 * lip + 1, 3)))
    inside_lips = ndimage.binary_closing((white | hollow) & column, np.ones((_SLIT, 1))) | (number == best)
    opening = ndimage.binary_propagation(number == best, mask=inside_lips)
    columns = np.flatnonzero(opening.any(0))
    upper = opening.argmax(0)[columns]
    lower = opening.shape[0] - 1 - opening[::-1].argmax(0)[columns]
    return Teeth(across[columns], down[upper] - _GAP, down[lower] + _GAP)


def _around(local: Tensor, teeth: Teeth) -> Tensor:
    """The landmarks ``local (68, 2)`` with the lips around the teeth and as thick as they were. They are moved and
    parted no farther than that: lips show more than the teeth that are white enough to be found."""
    points = local.clone()
    middle = (teeth.across >= teeth.across.quantile(0.25)) & (teeth.across <= teeth.across.quantile(0.75))
    top, bottom = teeth.upper[middle].median(), teeth.lower[middle].median()
    upper, lower = local[62, 1], local[66, 1]
    if lower - upper < bottom - top:
        shift = (top + bottom - upper - lower) / 2
    else:
        shift = (top - upper).clamp(max=0) + (bottom - lower).clamp_min(0)
    points[48:, 1] += shift
    left = torch.minimum(local[48, 0], teeth.across[0] - _CORNERS)
    right = torch.maximum(local[54, 0], teeth.across[-1] + _CORNERS)
    ends = torch.stack([left, right])
    rows = _seam(teeth, ends)
    points[[48, 54]] = torch.stack([ends, rows], 1)
    points[[60, 64]] = torch.stack([ends + ends.new_tensor([_RIM, -_RIM]), rows], 1)
    for inner, outer, edge, least, kept in (
        (_INNER_UPPER, _OUTER_UPPER, teeth.upper, torch.minimum, _THIN),
        (_INNER_LOWER, _OUTER_LOWER, teeth.lower, torch.maximum, 1.0),
    ):
        thick = kept * (local[outer[2], 1] - local[inner[1], 1])
        gain = least(edge[middle].median() - points[inner[1], 1], edge.new_zeros(()))
        for row in inner:
            at = torch.lerp(left, right, _share(local, row))
            points[row] = torch.stack([at, least(_near(teeth.across, edge, at), points[row, 1] + gain / 2)])
        for row in outer:
            share = _share(local, row)
            at = torch.lerp(left, right, share)
            seam = torch.lerp(rows[0], rows[1], share)
            bow = 1 - (2 * share - 1) ** 2
            points[row] = torch.stack([at, seam + (points[inner[1], 1] + thick - rows.mean()) * bow])
    return points


def _share(local: Tensor, row: int) -> float:
    """Where a landmark lies between the corners of the mouth, from 0 to 1."""
    return float((local[row, 0] - local[48, 0]) / (local[54, 0] - local[48, 0]).clamp_min(1e-3))


def _seam(teeth: Teeth, at: Tensor) -> Tensor:
    """The rows ``(N,)`` at which the lips meet at the columns ``at (N,)``: the middle of the teeth bends on."""
    rows = (teeth.upper + teeth.lower) / 2
    centre, half = teeth.across.mean(), (teeth.across[-1] - teeth.across[0]) / 2
    terms = torch.stack([torch.ones_like(rows), (u := (teeth.across - centre) / half), u * u], 1)
    bent = torch.linalg.lstsq(terms, rows[:, None]).solution[:, 0]
    u = ((at - centre) / half).clamp(-1.4, 1.4)
    return bent[0] + bent[1] * u + bent[2].clamp(-_BENT, 0) * u * u


def _near(across: Tensor, rows: Tensor, at: Tensor) -> Tensor:
    """The median of ``rows (N,)`` about one place; teeth have gaps."""
    near = (across - at).abs()
    return rows[near <= near.min() + 0.04].median()
