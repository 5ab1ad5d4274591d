"""Faces that were found in photographs, each fitted by itself, or several of one person together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from faceuv.data.window import Window
from faceuv.fitting import Fitter, Landmarks
from faceuv.fitting.confidence import DOUBTFUL
from faceuv.fitting.fit import Fit
from faceuv.geometry.projection import pose, project
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.photo.alignment import feature_shifts, moved
from faceuv.photo.finding import Found
from faceuv.photo.gaze import with_seen_gaze
from faceuv.photo.reading import View
from faceuv.photo.smiles import jaw_behind, with_teeth
from faceuv.renderers.base import Renderer
from faceuv.structures import Coefficients

SQUARE = 256
"""Pixels of the fitted square."""
_MOUTH, _FINE = 0.8, 160  # half of the square about the mouth in eye distances, and its pixels: teeth are small
_ASIDE = 0.55  # radians of yaw from which on none are looked for: only one side of the mouth is seen
_ONE_SIDED = 0.3  # of the difference between the sides of a face, how much is taken for real


@dataclass(frozen=True, eq=False)
class Shot:
    """One face in one photograph and its fit.

    picture       ``(3, H, W)``;  source: its name
    found         where the face is
    square, mask  ``(3, 256, 256)``, the part that was fitted, and ``(1, 256, 256)``, where the picture is
    coefficients  ``(1, N)``
    confidence    in [0, 1], of the fit;  doubt: why it is doubtful, '' if it is not
    reason        why there is no usable fit, '' if there is one
    """

    picture: Tensor
    source: str
    found: Found
    square: Tensor
    mask: Tensor
    coefficients: Coefficients
    confidence: float
    doubt: str
    reason: str


def fitted(
    first: Fitter, fitter: Fitter, faces: Sequence[tuple[Tensor, str, Found]], *, same_person: bool = False
) -> list[Shot]:
    """Fits of ``faces``, each a picture, its name and the face in it.

    A fit of the shape alone comes ``first``; then ``fitter`` fits everything on landmarks that were moved to where the
    drawn features look like those of the picture.

    Args:
        same_person: all are one person: identity and albedo are the same in all.
    """
    model = fitter.face_model
    cuts = [found.window.cut(picture, SQUARE) for picture, _, found in faces]
    squares, masks = (torch.stack(part) for part in zip(*cuts))
    landmarks, found, jaws = zip(*[_landmarks(first, fitter, *cut, face) for cut, face in zip(cuts, faces)])
    most = {"jawOpen": max(jaws)} if max(jaws) < 1 else {}
    fit = (fitter.fit_person if same_person else fitter.fit)(squares, _joined(landmarks), mask=masks, most=most)
    if len(faces) == 1 and landmarks[0] is not found[0] and not float(fit.confidence[0]) >= DOUBTFUL:
        plain = fitter.fit(squares, found[0], mask=masks)  # lips far from where a fit expects them can lead it astray
        fit = plain if float(plain.confidence[0]) > float(fit.confidence[0].nan_to_num(0.0)) else fit
    return [_shot(model, fitter.renderer, fit, row, face, squares[row], masks[row]) for row, face in enumerate(faces)]


def _shot(
    model: FaceModel,
    renderer: Renderer,
    fit: Fit,
    row: int,
    face: tuple[Tensor, str, Found],
    square: Tensor,
    mask: Tensor,
) -> Shot:
    reason = "" if bool(fit.ok[row]) else fit.reasons[row]
    confidence = float(fit.confidence[row])
    own = Coefficients(fit.coefficients.data[row : row + 1], fit.coefficients.layout)
    picture, source, found = face
    if not reason:
        own = evened(model, within_limits(model, own))
        own = with_seen_gaze(model, View(own, picture, found.window), renderer)
    doubt = fit.doubts[row] if confidence < DOUBTFUL else ""
    return Shot(picture, source, found, square, mask, own, confidence, doubt, reason)


def _landmarks(
    first: Fitter, fitter: Fitter, square: Tensor, mask: Tensor, face: tuple[Tensor, str, Found]
) -> tuple[Landmarks, Landmarks, float]:
    """The landmarks ``(1, 68, 2)`` in one square, laid onto its features, lips around seen teeth if it has them; those
    with the lips as they were; and how far the jaw may open."""
    picture, _, found = face
    model, detector = fitter.face_model, fitter.detector
    assert detector is not None
    known = torch.ones(1, dtype=torch.bool, device=square.device)
    points = detector.detect(square[None]).points
    landmarks = detector.look_again(square[None], Landmarks(points, known, square.new_tensor([found.score])))
    first.contour = fitter.contour = detector.contour
    fit = first.fit(square[None], landmarks, mask=mask[None])
    if not bool(fit.ok[0]):
        return landmarks, landmarks, 1.0
    own = within_limits(model, fit.coefficients)
    world = pose(model.mesh(own).vertices[:, model.landmarks], own.rotation, own.translation)
    drawn = project(world, fitter.renderer.camera, SQUARE, SQUARE)[0, :, :2]
    shifts = feature_shifts(FaceRenderer(model, fitter.renderer), own, square, drawn)
    points = moved(landmarks.points[0], drawn, shifts)
    plain = replace(landmarks, points=points[None])
    if not model.shows_teeth or float(own.rotation[0, 1].abs()) > _ASIDE:
        return plain, plain, 1.0
    around = _around_teeth(picture, found.window, points)
    return replace(plain, points=around[None]), plain, jaw_behind(points, around)


def _around_teeth(picture: Tensor, window: Window, points: Tensor) -> Tensor:
    """The landmarks ``points (68, 2)`` of the square with the lips around the teeth that the picture shows."""
    middle, half = points[60:68].mean(0), float((points[36] - points[45]).norm()) * _MOUTH
    if not half > 1:
        return points
    x, y = window.to_picture(middle[None].double(), SQUARE)[0].tolist()
    u, v = (2 * half / SQUARE * axis for axis in window.half_axis)
    low, zoom = middle - half, _FINE / (2 * half)
    seen = with_teeth(Window((x, y), (u, v)).cut(picture, _FINE)[0], (points - low) * zoom)
    return torch.cat([points[:48], seen[48:] / zoom + low])


def _joined(parts: Sequence[Landmarks]) -> Landmarks:
    return Landmarks(
        torch.cat([part.points for part in parts]),
        torch.cat([part.found for part in parts]),
        torch.cat([part.score for part in parts]),
        disagreement=torch.cat([part.looks_apart for part in parts]),
    )


def within_limits(model: FaceModel, coefficients: Coefficients) -> Coefficients:
    """``coefficients`` with an expression that the model can show, eyes straight ahead: 68 landmarks say nothing about
    the gaze. Models without limits keep theirs."""
    if model.expression_limits is None:
        return coefficients
    low, high = model.expression_limits.unbind(1)
    expression = torch.minimum(torch.maximum(coefficients.expression, low), high)
    names = model.mode_names["expression"]
    looks = torch.tensor([name.startswith("eyeLook") for name in names], device=expression.device)
    return coefficients.replace(expression=expression.masked_fill(looks, 0.0))


def evened(model: FaceModel, coefficients: Coefficients) -> Coefficients:
    """``coefficients`` with nearly the same expression on both sides, lids as open as the more open one: what differs
    between the sides is mostly error of the landmarks. Models without limits keep theirs."""
    if model.expression_limits is None:
        return coefficients
    names = list(model.mode_names["expression"])
    even = coefficients.expression.clone()
    for k, name in enumerate(names):
        if not name.endswith("Left") or name[:-4] + "Right" not in names:
            continue
        pair = [k, names.index(name[:-4] + "Right")]
        both = coefficients.expression[:, pair]
        lids = name == "eyeBlinkLeft"  # a wink is rarer than an error that looks like one
        middle = both.amin(1, keepdim=True) if lids else both.mean(1, keepdim=True)
        even[:, pair] = middle + (0.0 if lids else _ONE_SIDED) * (both - middle)
    return coefficients.replace(expression=even)
