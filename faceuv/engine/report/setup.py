"""What a report compares, and by which instruments: from a config to subjects and networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from faceuv.errors import AssetError, InputError, did_you_mean
from faceuv.evaluation.face_truth import FittedTruth, GroundTruth, SceneTruth
from faceuv.evaluation.identity import RegressorIdentity
from faceuv.evaluation.measures import Instruments
from faceuv.evaluation.protocol import Protocol
from faceuv.evaluation.reconstruction import measuring_losses
from faceuv.files.locate import locate
from faceuv.files.networks import read_network
from faceuv.models.base.generator import check_generator, check_same_codes
from faceuv.models.base.subject import METHOD, Setting, Subject
from faceuv.models.faces.face_renderer import FaceRenderer, Normals
from faceuv.models.readers.regressor import load_regressor
from faceuv.registry import COEFFICIENT_SOURCES, FACE_MODELS, GENERATORS, MODELS, SUBJECTS
from faceuv.structures import Coefficients

TRUTHS = ("scene", "fitted")


@dataclass(frozen=True)
class ReportSettings:
    """What a report is made of; parts are configs or files (``zoo:…`` is one of the zoo's).

    generator   config of the teacher
    subjects    name → config, ``dict(ours=dict(type="uv", path=…), linear=dict(type="linear"))``; None leaves one out
    features    config of the space of the distances, ``dict(type="DiscriminatorFeatures", …)`` or Inception
    mapper      file or config of a network that reads coefficients off codes; without one, what needs it is left out
    stepper     file or config of a network that moves codes to a yaw; likewise
    face_model  config; of the mapper, and of subjects whose views carry coefficients
    losses      name → config of a loss, for the reconstruction: ``dict(perceptual=dict(type=…))``
    method      name of the subject that figures, meshes and claims are about; the first one if absent
    regressor   file of the regressor that reads poses
    identity    config of the network that compares persons; the regressor if absent
    truth       what faces are compared with: ``"scene"``, ``"fitted"``
    source      config of what fits coefficients to pictures, for ``"fitted"``
    protocol    arguments of :class:`~faceuv.evaluation.protocol.Protocol`
    renderer    config or name, of the face model
    normals     as for :class:`~faceuv.models.faces.FaceRenderer`
    faces       how many mesh files are written
    strips      how many faces are shown from all sides
    """

    generator: Mapping[str, Any]
    subjects: Mapping[str, Mapping[str, Any] | None]
    features: Mapping[str, Any]
    mapper: Mapping[str, Any] | str | None = None
    stepper: Mapping[str, Any] | str | None = None
    face_model: Mapping[str, Any] | None = None
    losses: Mapping[str, Any] = field(default_factory=dict)
    method: str | None = None
    regressor: str = "zoo:regressor/weights.safetensors"
    identity: Mapping[str, Any] | None = None
    truth: Sequence[str] = ()
    source: Mapping[str, Any] | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)
    renderer: Mapping[str, Any] | str = "torch"
    normals: Normals = "map"
    faces: int = 10
    strips: int = 3

    def __post_init__(self) -> None:
        unknown = [name for name in self.truth if name not in TRUTHS]
        if isinstance(self.truth, str) or unknown:
            raise InputError(f"truth must be a list of {', '.join(map(repr, TRUTHS))}, got {self.truth!r}")
        if "fitted" in self.truth and self.source is None:
            raise InputError("truth 'fitted' needs source=dict(type=…), what fits coefficients to the pictures")
        self._check_face_model()
        self._check_subjects()
        if min(self.faces, self.strips) < 0 or max(self.faces, self.strips) > self.counts.pictures:
            raise InputError(
                f"faces and strips are counts of the protocol's faces, 0 to {self.counts.pictures}, got {self.faces}"
                f" and {self.strips}"
            )
        if self.identity is not None:
            MODELS.get(str(self.identity.get("type")))

    def _check_face_model(self) -> None:
        if self.face_model is not None:
            return
        if self.mapper is not None or "fitted" in self.truth:
            owner = "mapper reads" if self.mapper is not None else "truth 'fitted' has"
            raise InputError(f"the report's {owner} coefficients of a face model: give face_model=dict(type=…) as well")
        if (self.renderer, self.normals) != ("torch", "map"):
            raise InputError(
                f"renderer and normals draw the report's face model, got {self.renderer!r} and {self.normals!r} without"
                " one: give face_model, or leave them out"
            )

    def _check_subjects(self) -> None:
        if not isinstance(self.subjects, Mapping) or not self.compared:
            raise InputError(
                "a report needs subjects, dict(ours=dict(type='uv', path=…), linear=dict(type='linear')), got"
                f" {self.subjects!r}"
            )
        for name, config in self.compared.items():
            if not name or "/" in name or name == METHOD:
                raise InputError(f"a subject's name is a word without '/', other than {METHOD!r}; got {name!r}")
            if not isinstance(config, Mapping) or "type" not in config:
                raise InputError(
                    f"the subject {name!r} needs a config dict(type=…) with one of {', '.join(SUBJECTS.names())}, got"
                    f" {config!r}"
                )
            if isinstance(config["type"], str):
                self._check_needs(name, config["type"])
        if self.method is not None and self.method not in self.compared:
            raise InputError(
                f"method={self.method!r} is none of the report's subjects {', '.join(self.compared)}"
                f"{did_you_mean(self.method, self.compared)}"
            )

    def _check_needs(self, name: str, kind: str) -> None:
        needs = getattr(SUBJECTS.get(kind), "needs", ())
        lacking = [part for part in needs if getattr(self, part) is None]
        if lacking:
            raise InputError(
                f"the subject {name!r} (type {kind!r}) needs the report's {' and '.join(lacking)}: give"
                f" {', '.join(f'{part}=…' for part in lacking)}, the file or config of a network on codes"
            )

    @property
    def compared(self) -> dict[str, Mapping[str, Any]]:
        """Name → config of the subjects; those set to None are left out."""
        return {str(name): config for name, config in self.subjects.items() if config is not None}

    @property
    def method_name(self) -> str:
        """The subject that figures, meshes and claims are about."""
        return self.method if self.method is not None else next(iter(self.compared))

    def check(self) -> None:
        """What can be known to be wrong before any network is loaded."""
        kind = None if self.face_model is None else self.face_model.get("type")
        if "scene" in self.truth and kind not in (None, "ProceduralFace"):
            raise InputError(
                f"truth 'scene' is known for the procedural face, not for {kind!r}: leave it"
                " out, or use truth=['fitted']"
            )
        if not locate(self.regressor).is_file():
            raise AssetError(
                f"the report's regressor {self.regressor} does not exist; zoo:regressor/weights.safetensors does"
            )

    @property
    def counts(self) -> Protocol:
        """The protocol."""
        try:
            return Protocol(**self.protocol)
        except TypeError as error:
            raise InputError(f"the report's protocol: {error}") from error


def build_setting(settings: ReportSettings, device: torch.device | str) -> Setting:
    """The networks that all subjects share."""
    teacher: Any = check_generator(GENERATORS.build(settings.generator).to(device).eval(), "a report")
    mapper = stepper = None
    if settings.mapper is not None:
        mapper = check_same_codes(_network(settings.mapper, "mapper", ("layout", "yaw")).to(device), teacher)
    if settings.stepper is not None:
        stepper = check_same_codes(_network(settings.stepper, "stepper", ("move",)).to(device), teacher)
    if settings.face_model is None:
        return Setting(teacher, stepper=stepper)
    model = FACE_MODELS.build(settings.face_model)
    if mapper is not None and mapper.layout != model.layout:
        raise InputError(
            f"the report's mapper gives coefficients of the layout {mapper.layout.groups}, the face model has"
            f" {model.layout.groups}: it was trained for another face model"
        )
    renderer = FaceRenderer(model, settings.renderer, normals=settings.normals).to(device)
    return Setting(teacher, mapper, renderer, stepper)


def _network(part: Mapping[str, Any] | str, setting: str, members: Sequence[str]) -> Any:
    """A network on codes, from its config or its file."""
    MODELS.names()  # files are read by their kind, which a method's house registers when it is imported
    found: Any = read_network(locate(part)) if isinstance(part, str) else MODELS.build(part).eval()
    missing = [name for name in ("num_layers", "code_dim", *members) if not hasattr(found, name)]
    if missing:
        raise InputError(
            f"the report's {setting} is a {type(found).__name__}, which has no {', '.join(missing)}: see"
            " faceuv.models.base.contracts"
        )
    return found


def build_subjects(settings: ReportSettings, setting: Setting) -> list[Subject]:
    """The subjects in the order of the config."""
    found: list[Subject] = []
    for name, config in settings.compared.items():
        subject = SUBJECTS.build(config, setting=setting, name=name)
        if not isinstance(subject, Subject):
            raise InputError(
                f"the subject {name!r} is a {type(subject).__name__}; a subject derives from"
                " faceuv.models.base.subject.Subject"
            )
        found.append(subject)
    return found


def build_instruments(settings: ReportSettings, setting: Setting) -> Instruments:
    """Everything that measures."""
    regressor = load_regressor(locate(settings.regressor)).to(setting.device).eval()
    identity: Any = RegressorIdentity(regressor) if settings.identity is None else MODELS.build(settings.identity)
    losses = measuring_losses(settings.losses)
    truths: list[GroundTruth] = []
    for name in settings.truth:
        truths.append(SceneTruth(setting.teacher) if name == "scene" else _fitted(settings, setting))
    return Instruments(identity, regressor, MODELS.build(settings.features), losses, truths).to(setting.device)


def _fitted(settings: ReportSettings, setting: Setting) -> FittedTruth:
    source: Any = COEFFICIENT_SOURCES.build(settings.source)
    source.check(settings.generator)
    source.prepare(setting.teacher, setting.device)

    def fit(codes: Tensor, images: Tensor) -> Coefficients:
        names = [f"face {row}" for row in range(len(codes))]
        found = source.estimate(codes[:, 0], images, names)
        failed = torch.tensor([bool(reason) for reason in found.reasons], device=images.device)
        data = found.coefficients.data
        return Coefficients(data.masked_fill(failed[:, None], torch.nan), found.coefficients.layout)

    return FittedTruth(fit, setting.faces)
