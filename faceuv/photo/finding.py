"""Finds faces in a picture: squares of several sizes, the landmark detector's score in each, the best of each place.

This is a search for portraits and small groups: faces whose eyes are at least a tenth of the picture's shorter side
apart are found safely, half of that often.
"""

from __future__ import annotations

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
_ROUNDS = 2


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
    ends: a portrait takes a second, a picture without faces several.
    """
    sizes = check_shape("the picture", picture, (3, "H", "W"))
    height, width = sizes["H"], sizes["W"]
    faces: list[Found] = []
    before = 0
    for share in _SIDES:
        candidates = _search(detector, picture, _squares(height, width, share))
        for window, points in candidates[:_CHECKED]:
            face = _closely(detector, picture, window, points)
            if face is not None and face.eyes >= LEAST_EYES:
                _keep(faces, face)
        if before:
            break
        before = len(faces)
    return sorted(faces, key=lambda face: -face.eyes)[:most]


def _squares(height: int, width: int, share: float) -> list[Window]:
    short = min(height, width)
    if share == 1.0:
        whole = [Window.whole(height, width)]
        return whole if height == width else [*whole, *_grid(height, width, float(short))]
    return _grid(height, width, share * short)


def _grid(height: int, width: int, side: float) -> list[Window]:
    def along(length: int) -> list[float]:
        count = max(1, round((length - side) / (_STEP * side)) + 1)
        return torch.linspace(side / 2, length - side / 2, count).tolist() if count > 1 else [length / 2]

    return [Window((x, y), (side / 2, 0.0)) for y in along(height) for x in along(width)]


def _search(detector: LandmarkDetector, picture: Tensor, windows: list[Window]) -> list[tuple[Window, Tensor]]:
    """Squares in which the detector finds a face, the surest first, with the points in the picture."""
    cuts = cuts_of(picture, windows, _LOOK)
    found = detector.detect(cuts)
    order = found.score.argsort(descending=True).tolist()
    return [(windows[k], windows[k].to_picture(found.points[k], _LOOK)) for k in order if bool(found.found[k])]


def cuts_of(picture: Tensor, windows: list[Window], size: int) -> Tensor:
    """The contents ``(N, 3, size, size)`` of many windows as :meth:`Window.cut` gives them; the picture is averaged
    once for each factor, not once for each window."""
    smaller: dict[int, Tensor] = {}
    cuts = []
    for window in windows:
        shrink = max(1, int(window.side / size))
        if shrink not in smaller:
            beyond = (0, -picture.shape[2] % shrink, 0, -picture.shape[1] % shrink)
            padded = F.pad(picture[None], beyond, mode="replicate")
            smaller[shrink] = F.avg_pool2d(padded, shrink)[0]
        (x, y), (u, v) = window.centre, window.half_axis
        own = Window((x / shrink, y / shrink), (u / shrink, v / shrink))
        cuts.append(own.cut(smaller[shrink], size)[0])
    return torch.stack(cuts)


def _closely(detector: LandmarkDetector, picture: Tensor, window: Window, points: Tensor) -> Found | None:
    """The face in the upright square that its landmarks give; None if it is not seen there as well."""
    score = 0.0
    start = points
    for _ in range(_ROUNDS):
        try:
            window = Window.aligned(points)
        except InputError:  # the points do not span a face
            return None
        if window.side < 2 * LEAST_EYES or window.side > 4 * max(picture.shape[1:]):
            return None
        look: Landmarks = detector.detect(window.cut(picture, 2 * _LOOK)[0][None])
        score = float(look.score[0])
        if not bool(look.found[0]):
            return None
        points = window.to_picture(look.points[0], 2 * _LOOK)
    eyes = (points[36] - points[45]).norm()
    moved = (points[36:48].mean(0) - start[36:48].mean(0)).norm()
    if score < _SURE or moved > _SAME * eyes:
        return None
    return Found(window, points, score)


def _keep(faces: list[Found], face: Found) -> None:
    """Add a face, unless the same face was found with a better score."""
    middle = face.points[27:48].mean(0)
    for k, other in enumerate(faces):
        reach = _NEAR * max(face.eyes, other.eyes)
        if float((other.points[27:48].mean(0) - middle).norm()) < reach:
            if face.score > other.score:
                faces[k] = face
            return
    faces.append(face)
