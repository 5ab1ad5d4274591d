"""The parts of a study of directions, built from its config and checked before anything is scored."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from faceuv.engine.direction_study.reading import CodeReader
from faceuv.engine.stages.fingerprint import describe, fingerprint
from faceuv.engine.stages.references import resolve
from faceuv.errors import FaceUVError, InputError
from faceuv.models.directions import CodeSample, DirectionFinder, named_score
from faceuv.models.directions.scored import ScoredFinder
from faceuv.models.faces.base import FaceModel
from faceuv.registry import COEFFICIENT_SOURCES, DIRECTION_FINDERS, FACE_MODELS, GENERATORS
from faceuv.structures import Coefficients

T = TypeVar("T")
REQUIRED = ("generator", "source", "finders")
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class MovedFaces:
    """How many faces are moved, and to which ``steps`` in σ of a direction; ``truncation`` of their codes."""

    faces: int
    steps: Sequence[float] = (-3, -2, -1, 0, 1, 2, 3)
    truncation: float = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.faces, bool) or not isinstance(self.faces, int) or self.faces < 1:
            raise InputError(f"faces must be a whole number of at least 1, got {self.faces!r}")
        if len(self.steps) < 3 or 0 not in self.steps:
            raise InputError(f"steps must be at least three, 0 among them, got {list(self.steps)}")


@dataclass(frozen=True, eq=False)
class PlannedFinder:
    """A finder, and those of the scores that its direction shall leave alone (they are found first)."""

    finder: DirectionFinder
    aside: Mapping[str, DirectionFinder]


@dataclass(frozen=True, eq=False)
class DirectionStudy:
    """A study, ready to run.

    score        the score that the directions change
    columns      all scores of the codes: that one, and those of directions to be orthogonal to
    codes        the codes that are scored
    reader       reads the scores
    judge        measures the directions
    face_model   face model of movements and millimetres
    finders      finders by their names in files and figures
    quality      the faces of the measurements
    strip        the faces of the strips
    scores_file  file of the scores; its name is a hash of all that they depend on
    described    generator, source and judge as in the config, for the record
    """

    score: str
    columns: tuple[str, ...]
    codes: CodeSample
    generator: Any
    reader: CodeReader
    judge: CodeReader
    face_model: FaceModel
    finders: Mapping[str, PlannedFinder]
    quality: MovedFaces
    strip: MovedFaces
    scores_file: Path
    described: Mapping[str, Any]


def build_study(config: Mapping[str, Any], work_dir: str | Path, *, device: str = "cpu") -> DirectionStudy:
    """Build and check every part; one error lists all that is missing or wrong, before any work.

    Keys of the config: ``generator``; ``source``, what scores codes; ``finders``, name → config, to which score and
    codes are added. Optional: ``score`` (``"yaw"``); ``judge``, what measures, the source if absent; ``face_model``;
    ``codes``, ``quality`` and ``strip``, settings of :class:`~faceuv.models.directions.CodeSample` and
    :class:`MovedFaces`. A finder's ``orthogonal_to`` lists files of directions, or scores.
    """
    if missing := [key for key in REQUIRED if not config.get(key)]:
        raise InputError(f"the config does not set {', '.join(missing)}, which a search for directions needs")
    parts, score = _Parts(), config.get("score", "yaw")
    codes = parts.build("codes", _settings, CodeSample, config.get("codes"))
    quality = parts.build("quality", _settings, MovedFaces, config.get("quality"), faces=64)
    shown = parts.build("strip", _settings, MovedFaces, config.get("strip"), faces=5)
    face_model = parts.build("face_model", FACE_MODELS.build, config.get("face_model", "ProceduralFace"))
    generator = parts.build("generator", _generator, config["generator"], device)
    reader, judge = (
        parts.build(key, _reader, config[key], config["generator"], generator, device)
        for key in ("source", "judge" if config.get("judge") else "source")
    )
    finders = {
        name: parts.build(f"finders.{name}", _finder, settings, score, codes, generator)
        for name, settings in config["finders"].items()
    }
    aside = [other for planned in finders.values() if planned is not None for other in planned.aside]
    columns = tuple(dict.fromkeys([score, *aside]))
    for column in columns:
        parts.build("score", _check_score, column, face_model)
    parts.raise_missing()
    scored_by = {key: config[key] for key in ("generator", "source", "face_model") if key in config}
    sampled = {**asdict(codes), "samples": None}  # more of the same codes go on from those that are there
    return DirectionStudy(
        score=score,
        columns=columns,
        codes=codes,
        generator=generator,
        reader=reader,
        judge=judge,
        face_model=face_model,
        finders=finders,
        quality=quality,
        strip=shown,
        scores_file=Path(work_dir)
        / f"scores_{fingerprint(describe({**scored_by, 'columns': list(columns), 'codes': sampled}))}{SUFFIX}",
        described={key: config[key] for key in ("generator", "source", "judge") if config.get(key)},
    )


class _Parts:
    """Builds parts one after another and collects what goes wrong. (A part that depends on a missing one is None.)"""

    def __init__(self) -> None:
        self.wrong: dict[str, str] = {}

    def build(self, name: str, make: Callable[..., Any], *args: Any, **options: Any) -> Any:
        try:
            return make(*args, **options)
        except (FaceUVError, OSError, TypeError) as error:  # TypeError: an argument that the part does not have
            self.wrong.setdefault(name, str(error))
        except _Unknown:
            pass  # the part that it needs is named already
        return None

    def raise_missing(self) -> None:
        if self.wrong:
            listing = "; ".join(f"{name}: {message}" for name, message in self.wrong.items())
            raise InputError(
                f"nothing was done, because {len(self.wrong)} of the config's parts cannot be had: {listing}"
            )


class _Unknown(Exception):
    """Something cannot be built because another part is missing."""


def _settings(kind: type[T], settings: Mapping[str, Any] | None, **defaults: Any) -> T:
    return kind(**{**defaults, **(settings or {})})


def _generator(config: Mapping[str, Any], device: str) -> nn.Module:
    network: nn.Module = GENERATORS.build(resolve(config, {}))
    return network.to(device).eval().requires_grad_(False)


def _reader(config: Any, generator_config: Mapping[str, Any], generator: Any, device: str) -> CodeReader:
    source = COEFFICIENT_SOURCES.build(resolve(config, {}))
    source.check(generator_config)
    if generator is None:
        raise _Unknown
    source.prepare(generator, device)
    return CodeReader(generator, source)


def _check_score(name: str, face_model: FaceModel | None) -> None:
    if face_model is None:
        raise _Unknown
    named_score(Coefficients.zeros(1, face_model.layout), name, face_model)


def _finder(config: Mapping[str, Any], score: str, codes: CodeSample | None, generator: Any) -> PlannedFinder:
    if codes is None or generator is None:
        raise _Unknown
    settings = dict(config)
    wanted = settings.pop("orthogonal_to", ())
    wanted = [wanted] if isinstance(wanted, (str, Path)) else list(wanted)
    files = [resolve(other, {}) for other in wanted if str(other).endswith(SUFFIX)]
    aside = {other: _build(settings, other, codes) for other in wanted if not str(other).endswith(SUFFIX)}
    finder = _build({**settings, "orthogonal_to": files} if files else settings, score, codes)
    if aside and not isinstance(finder, ScoredFinder):
        raise InputError(f"{config['type']!r} does not score codes, and cannot be orthogonal to {', '.join(aside)}")
    for one in (finder, *aside.values()):
        one.check(generator)
    return PlannedFinder(finder, aside)


def _build(config: Mapping[str, Any], score: str, codes: CodeSample) -> DirectionFinder:
    """A finder with the study's score and codes where it takes such settings and its config has none."""
    taken = inspect.signature(DIRECTION_FINDERS.get(config.get("type", ""))).parameters
    shared = {name: value for name, value in {**asdict(codes), "score": score}.items() if name in taken}
    finder: DirectionFinder = DIRECTION_FINDERS.build({**shared, **config})
    if isinstance(finder, ScoredFinder):
        if finder.score != score:
            raise InputError(f"its score is {finder.score!r} and the study's {score!r}: one study has one score")
        if not codes.same_codes(finder.codes) or finder.samples > codes.samples:
            raise InputError(f"it needs scores of {finder.codes}, and the study scores {codes}: set them in codes")
    return finder
