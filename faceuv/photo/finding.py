"""Finds faces in a picture: squares of several sizes, the landmark detector's score in each, the best of each place.

This is a search for portraits and small groups: faces whose eyes are at least a tenth of the picture's shorter side
apart are found safely, half of that often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.data.window import Window
from faceuv.errors import InputError
from faceuv.fitting.landmarks.base import LandmarkDetector, Landmarks

LEAST_EYES = 6.0  # pixels between the outer corners of the eyes: below, there is nothing to make a head from
_SIDES = (1.0, 0.7, 0.5, 0.4, 0.3)  # of the squares, as shares of the picture's shorter side
_STEP = 0.25  # between squares, in sides
_LOOK = 128  # pixels of a square that is searched: twice what the network reads
_SURE = 0.9  # score in the square around a face
_NEAR = 1.2  # eye distances: finds nearer than this are one face
_SAME = 0.35  # eye distances between the eyes in the search and in the square around the face
_CHECKED = 24  # finds that are looked at closely
_TRIED = 2  # of the finds of one face, looked at together
_ROUNDS = 2
_TOGETHER = 128  # squares in one batch: bounds the memory


@dataclass(frozen=True, eq=False)
class Found:
    """One face: the upright square around it and its landmarks ``(68, 2)`` in pixels of the picture."""

    window: Window
    points: Tensor
    score: float

    @property
    def eyes(self) -> float:
        """Pixels between the outer corners of the eyes."""
        return float((self.points[36] - self.points[45]).norm())


@torch.no_grad()
def find_faces(detector: LandmarkDetector, picture: Tensor, *, most: int = 12) -> list[Found]:
    """The faces of ``picture (3, H, W)`` from the largest to the smallest; an empty list where none is found.

    Sizes are searched from large to small. Where a size has faces, the next one is searched too, and then the search
    ends: a picture without faces takes several times as long as a portrait.
    """
    sizes = check_shape("the picture", picture, (3, "H", "W"))
    small = max(1, int(min(sizes["H"], sizes["W"]) * min(_SIDES) / _LOOK))
    coarse = averaged(picture, small)  # what the finest search reads, averaged once
    faces: list[Found] = []
    before = 0
    for share in _SIDES:
        _look_closely(detector, picture, faces, _search(detector, coarse, small, (sizes["H"], sizes["W"]), share))
        if before:
            break
        before = len(faces)
    return sorted(faces, key=lambda face: -face.eyes)[:most]


def averaged(picture: Tensor, shrink: int) -> Tensor:
    """``picture (3, H, W)`` with each ``shrink × shrink`` pixels averaged; its border is repeated to fill the last."""
    if shrink == 1:
        return picture
    beyond = (0, -picture.shape[2] % shrink, 0, -picture.shape[1] % shrink)
    return F.avg_pool2d(F.pad(picture[None], beyond, mode="replicate"), shrink)[0]


def _search(
    detector: LandmarkDetector, coarse: Tensor, shrink: int, size: tuple[int, int], share: float
) -> list[tuple[float, Window, Tensor]]:
    """Squares in which the detector finds a face, the surest first: the score, the square, the points in the picture.

    Squares of one size are parts of the picture at the scale at which they are :data:`_LOOK` pixels wide. ``size`` is
    the picture's, ``coarse`` the picture averaged by ``shrink``.
    """
    height, width = size
    found: list[tuple[float, Window, Tensor]] = []
    side = share * min(height, width)
    if share == 1.0 and height != width:
        whole = Window.whole(height, width)
        (x, y), (half, _) = whole.centre, whole.half_axis
        own = Window((x / shrink, y / shrink), (half / shrink, 0.0))
        found += _found(detector, [whole], own.cut(coarse, _LOOK)[0][None])
    shape = [max(_LOOK, round(length * _LOOK / side)) for length in (height, width)]
    shown = F.interpolate(coarse[None], shape, mode="bilinear", antialias=True, align_corners=False)[0]
    down, right = (length / count for length, count in zip((height, width), shape))
    corners = [(top, left) for top in _starts(shape[0]) for left in _starts(shape[1])]
    for first in range(0, len(corners), _TOGETHER):
        some = corners[first : first + _TOGETHER]
        windows = [
            Window(((left + _LOOK / 2) * right, (top + _LOOK / 2) * down), (side / 2, 0.0)) for top, left in some
        ]
        cuts = torch.stack([shown[:, top : top + _LOOK, left : left + _LOOK] for top, left in some])
        found += _found(detector, windows, cuts)
    return sorted(found, key=lambda one: -one[0])


def _starts(length: int) -> list[int]:
    """Where squares of :data:`_LOOK` pixels begin along ``length``."""
    count = max(1, round((length - _LOOK) / (_STEP * _LOOK)) + 1)
    return torch.linspace(0, length - _LOOK, count).round().long().tolist() if count > 1 else [(length - _LOOK) // 2]


def _found(detector: LandmarkDetector, windows: list[Window], cuts: Tensor) -> list[tuple[float, Window, Tensor]]:
    seen = detector.detect(cuts)
    return [
        (float(seen.score[k]), windows[k], windows[k].to_picture(seen.points[k], _LOOK))
        for k in seen.found.nonzero()[:, 0].tolist()
    ]


def _look_closely(
    detector: LandmarkDetector,
    picture: Tensor,
    faces: list[Found],
    candidates: Sequence[tuple[float, Window, Tensor]],
) -> None:
    """Add to ``faces`` those of the ``candidates``, the surest first, that are seen in the square about them as well.

    Several candidates show the same face. Some of each place are looked at, until one is a face.
    """
    places: list[list[Tensor]] = []
    for _, _, points in candidates[:_CHECKED]:
        if any(_same(points, face.points) for face in faces):
            continue
        place = next((place for place in places if _same(points, place[0])), None)
        if place is None:
            places.append([points])
        else:
            place.append(points)
    while places:
        tried = [(k, points) for k, place in enumerate(places) for points in place[:_TRIED]]
        found = _closely(detector, picture, [points for _, points in tried])
        known = {k for (k, _), face in zip(tried, found) if face is not None}
        for face in found:
            if face is not None and face.eyes >= LEAST_EYES:
                _keep(faces, face)
        places = [place[_TRIED:] for k, place in enumerate(places) if k not in known and len(place) > _TRIED]


def _closely(detector: LandmarkDetector, picture: Tensor, starts: Sequence[Tensor]) -> list[Found | None]:
    """The faces in the upright squares that the landmarks ``starts``, each ``(68, 2)``, give; None for one that is not
    seen there as well."""
    windows: dict[int, Window] = {}
    points, scores = dict(enumerate(starts)), {}
    for _ in range(_ROUNDS):
        windows = {k: window for k, own in points.items() if (window := _around(own, picture)) is not None}
        if not windows:
            break
        cuts = torch.stack([window.cut(picture, _LOOK)[0] for window in windows.values()])
        look: Landmarks = detector.detect(cuts)
        seen, scores = look.found.tolist(), dict(zip(windows, look.score.tolist()))
        points = {
            k: window.to_picture(own, _LOOK)
            for (k, window), own, good in zip(windows.items(), look.points, seen)
            if good
        }
    found: list[Found | None] = [None] * len(starts)
    for k, own in points.items():
        if k not in windows:
            continue
        moved = (own[36:48].mean(0) - starts[k][36:48].mean(0)).norm()
        if scores[k] >= _SURE and moved <= _SAME * (own[36] - own[45]).norm():
            found[k] = Found(windows[k], own, scores[k])
    return found


def _around(points: Tensor, picture: Tensor) -> Window | None:
    """The upright square about ``points (68, 2)``; None where they do not span a face in the picture."""
    try:
        window = Window.aligned(points)
    except InputError:
        return None
    return window if 2 * LEAST_EYES <= window.side <= 4 * max(picture.shape[1:]) else None


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two sets of landmarks ``(68, 2)`` are one face."""
    reach = _NEAR * max(float((points[36] - points[45]).norm()) for points in (one, other))
    return float((one[27:48].mean(0) - other[27:48].mean(0)).norm()) < reach


def _keep(faces: list[Found], face: Found) -> None:
    """Add a face, unless the same face was found with a better score."""
    for k, other in enumerate(faces):
        if _same(face.points, other.points):
            if face.score > other.score:
                faces[k] = face
            return
    faces.append(face)
