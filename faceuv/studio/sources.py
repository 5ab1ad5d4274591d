"""Where the studio's faces come from: random people of a head model, a generator of faces, or a saved face."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from faceuv.errors import InputError, did_you_mean
from faceuv.face import Face, build_face_model
from faceuv.models.base.face_generator import FaceGenerator, list_models, load
from faceuv.models.faces import FaceModel
from faceuv.models.faces.hair.styles import COLOURS, STYLES
from faceuv.models.faces.hair.surroundings import is_procedural
from faceuv.models.faces.hair.worn import wears_hair
from faceuv.registry import FACE_GENERATORS, FACE_MODELS
from faceuv.studio.wishes import Wish

HEADS = "heads"
TEXTURE_SIZE = 1024
DETAIL_SIZE = 512  # of generated faces, whose maps are drawn on at each step of a slider: a third of a second
METHODS_SIDE = 192
_SHARE = {"low": 0, "high": 1, "step": 0.01, "start": 0.5}
_TRAITS: dict[str, dict[str, Any]] = {
    "age": {"label": "age in years", "low": 3, "high": 90, "step": 1, "start": 30},
    "gender": {"label": "female … male", **_SHARE},
    "weight": {"label": "thin … heavy", **_SHARE},
    "muscle": {"label": "soft … muscular", **_SHARE},
    "ethnicity": {"words": ["african", "asian", "caucasian"]},
}


class Source(Protocol):
    """Makes faces of wishes, and says what a page may wish for."""

    def about(self) -> dict[str, Any]:
        """``title``; ``seeds``, ``truncation``, ``mixing`` as booleans; ``traits``: name → range or words;
        ``directions``: names; ``layers``: rows of a code; ``methods``: whether pictures of several methods exist."""

    def face(self, wish: Wish) -> Face:
        """The face of a wish by seed, between or mix."""

    def pictures(self, wish: Wish, yaw_deg: float) -> dict[str, Tensor]:
        """Name → picture ``(3, S, S)``: the teacher's, and the same code by each method at a yaw."""


class _Pairs(ABC):
    """Faces between two others, for sources whose faces have coefficients of one model."""

    def face(self, wish: Wish) -> Face:
        if wish.form == "between" and wish.pair is not None:
            first, second = (self.face(one) for one in wish.pair)
            return first.interpolate(second, wish.t)
        if wish.form != "seed":
            raise InputError(f"this source makes no face of the form {wish.form!r}: styles are mixed by generators")
        return self.seeded(wish)

    @abstractmethod
    def seeded(self, wish: Wish) -> Face:
        """The face of a wish for a seed."""

    def pictures(self, wish: Wish, yaw_deg: float) -> dict[str, Tensor]:
        raise InputError("pictures of several methods need a generator: start faceuv studio quickstart")


class HeadSource(_Pairs):
    """Random people of a head model, at rest, on a device. Those of whom the model tells age and gender have hair."""

    def __init__(
        self, face_model: FaceModel, *, texture_size: int = TEXTURE_SIZE, device: torch.device | str = "cpu"
    ) -> None:
        self.face_model, self.texture_size, self.device = face_model, texture_size, torch.device(device)
        self._bare: tuple[Wish, Face] | None = None  # the last person, for the next hair

    def about(self) -> dict[str, Any]:
        known = [name for name in self.face_model.known_traits() if name in _TRAITS]
        traits = {name: _TRAITS[name] for name in known}
        name = FACE_MODELS.name_of(type(self.face_model))
        return {"title": f"people of {name}", "seeds": True, "traits": traits, **hair_choices(self.face_model)}

    def seeded(self, wish: Wish) -> Face:
        bare = replace(wish, hair="", hair_colour="")
        if self._bare is None or self._bare[0] != bare:
            self._bare = bare, self._person(bare)
        face = self._bare[1]
        return with_hair(face, wish) if wish.hair or wears_hair(self.face_model, face.coefficients) else face

    def _person(self, wish: Wish) -> Face:
        known = self.face_model.known_traits()
        for name, _ in wish.traits:
            if name not in known:
                raise InputError(f"this head model knows no trait {name!r}; known: {', '.join(known) or 'none'}")
        if wish.edits:
            raise InputError("edits move codes of a generator along directions, and this source has no codes")
        face = Face.random(wish.seed, face_model=self.face_model, texture_size=self.texture_size, **dict(wish.traits))
        face = face.to(self.device)
        assert face.coefficients is not None  # a random face has them
        return face.with_expression(torch.zeros_like(face.coefficients.expression))


class FileSource(_Pairs):
    """One saved face, on a device."""

    def __init__(self, path: Path, *, device: torch.device | str = "cpu") -> None:
        self.path, self.only = path, Face.load(path).to(torch.device(device))

    def about(self) -> dict[str, Any]:
        return {"title": self.path.stem, "seeds": False}

    def seeded(self, wish: Wish) -> Face:
        return self.only


def hair_choices(model: FaceModel) -> dict[str, Any]:
    """The styles and colours for heads that have a scalp."""
    if model.part is None and not is_procedural(model):
        return {}
    return {"hair": ["bald", *STYLES], "hair_colours": list(COLOURS)}


def with_hair(face: Face, wish: Wish) -> Face:
    """The face in the hair of a wish; what the wish leaves open is the seed's."""
    return face.with_hair(wish.hair or None, colour=wish.hair_colour or None, seed=seed_of(wish))


def seed_of(wish: Wish) -> int:
    """The seed of a wish; of a pair that of the first."""
    while wish.pair is not None:
        wish = wish.pair[0]
    return wish.seed


def traits_of(face: Face) -> dict[str, float]:
    """What the shape of a person shows of what sliders choose, where its head model tells."""
    if face.face_model is None or face.coefficients is None:
        return {}
    likely = face.face_model.likely_traits(face.coefficients) or {}
    known = {name: likely[name] for name in _TRAITS if name in likely and "low" in _TRAITS[name]}
    return {name: round(min(max(value, _TRAITS[name]["low"]), _TRAITS[name]["high"]), 2)
            for name, value in known.items()}  # fmt: skip


class GeneratorSource:
    """Faces of a generator's codes; other generators of the same codes stand beside it as methods to compare."""

    def __init__(self, generator: FaceGenerator, others: Mapping[str, FaceGenerator] | None = None) -> None:
        self.generator = generator
        self.others = dict(others or {})
        for name, other in self.others.items():
            if not same_teacher(generator, other):
                raise InputError(
                    f"{name} has another teacher than {generator.name}, so their codes mean different faces"
                )

    def about(self) -> dict[str, Any]:
        steps = {name: direction.meaning for name, direction in self.generator.directions.items()
                 if direction.scale > 0}  # fmt: skip
        return {
            "title": f"faces of {self.generator.name}",
            "seeds": True,
            "truncation": True,
            "mixing": True,
            "layers": self.generator.num_layers,
            "directions": steps,
            "methods": True,
            **({} if self.generator.face_model is None else hair_choices(self.generator.face_model)),
        }

    def code(self, wish: Wish) -> Tensor:
        """The code ``(1, L, D)`` of a wish."""
        if wish.form == "seed":
            if wish.traits:
                raise InputError("traits choose among the people of a head model; a generator's come from its codes")
            code = self.generator.codes(wish.seed, truncation=wish.truncation)
        elif wish.pair is not None:
            first, second = (self.code(one) for one in wish.pair)
            if wish.form == "between":
                code = self.generator.interpolate(first, second, wish.t)
            else:
                code = self.generator.mix(first, second, min(wish.layer, self.generator.num_layers))
        else:
            raise InputError("this person has no code")
        for name, step in wish.edits:
            code = self.generator.edit(code, name, step)
        return code

    @torch.no_grad()
    def face(self, wish: Wish) -> Face:
        face = self.generator.face(self.code(wish))
        known = {"licences": self.generator.licences} if self.generator.licences else {}
        face = face.with_metadata(**known, **({"seed": wish.seed} if wish.form == "seed" else {}))
        face = face.with_detail(seed_of(wish), DETAIL_SIZE) if face.takes_detail else face
        return with_hair(face, wish) if wish.hair or wears_hair(face.face_model, face.coefficients) else face

    @torch.no_grad()
    def pictures(self, wish: Wish, yaw_deg: float) -> dict[str, Tensor]:
        code, generator = self.code(wish), self.generator
        yaw = min(max(yaw_deg, -90.0), 90.0)
        found = {"the teacher's picture": generator.image(code)[0]}
        if generator.editor is not None:
            found["2D: code turned"] = generator.image(generator.turn(code, yaw))[0]
        face = generator.face(code)
        if face.coefficients is not None and face.maps is not None:
            # in the place, pitch and roll of the turned code, as a method's own picture
            turned = face if generator.editor is None else generator.face(generator.turn(code, yaw))
            rotation, translation = turned.pose
            pitch, _, roll = rotation[0].rad2deg().tolist()
            linear = face.with_maps(None).placed(translation).with_pose(yaw, pitch, roll)
            found["linear model"] = linear.render(METHODS_SIDE)
        for one in (generator, *self.others.values()):
            if one.turns:
                name = FACE_GENERATORS.name_of(type(one))
                name = f"{name} ({one.name})" if name in found else name
                found[name] = one.generate(code, yaw_deg=yaw, size=METHODS_SIDE)[0]
        return found


def same_teacher(one: FaceGenerator, other: FaceGenerator) -> bool:
    """Whether codes of one generator mean the same pictures to the other."""
    if (one.num_layers, one.code_dim) != (other.num_layers, other.code_dim):
        return False
    return bool(torch.allclose(one.teacher.mean_code.cpu(), other.teacher.mean_code.cpu(), atol=1e-2))


def open_source(
    name: str | None,
    *,
    face_model: str | None = None,
    default_model: Callable[[], str],
    others: Sequence[str] = (),
    device: torch.device | str = "cpu",
) -> Source:
    """The source that a word names: None or ``heads`` for random people, a ``.safetensors`` face, or what
    :func:`faceuv.load` reads, with other generators of the same codes beside it. Its faces are computed on ``device``.
    """
    if name is None or name == HEADS:
        return HeadSource(build_face_model(face_model or default_model()), device=device)
    path = Path(name)
    if path.suffix.lower() == ".safetensors":
        return FileSource(path, device=device)
    known = [HEADS, *list_models()]
    if name not in known and not path.is_dir():
        raise InputError(
            f"no source is called {name!r}{did_you_mean(name, known)}; known: {', '.join(known)}, a generator's folder,"
            " a work dir, or a .safetensors face"
        )
    return GeneratorSource(load(name).to(device), {other: load(other).to(device) for other in others})
