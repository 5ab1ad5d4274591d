"""What a report evaluates, and by whom: from a config to subjects and judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.errors import AssetError, InputError
from faceuv.evaluation.face_truth import FittedTruth, SceneTruth, TruthSource
from faceuv.evaluation.identity import RegressorIdentity
from faceuv.evaluation.measures import Judges
from faceuv.evaluation.protocol import Protocol
from faceuv.evaluation.reconstruction import measuring_losses
from faceuv.evaluation.subjects import LINEAR, OURS, TURNED, LinearSubject, Setting, Subject, TurnedSubject, UVSubject
from faceuv.files.locate import locate
from faceuv.models.faces.face_renderer import FaceRenderer, Normals
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylefaceuv import load_uv_generator
from faceuv.models.stylefaceuv.mappers import load_mapper, load_stepper
from faceuv.registry import COEFFICIENT_SOURCES, FACE_MODELS, GENERATORS, MODELS
from faceuv.structures import Coefficients

TRUTHS = ("scene", "fitted")


@dataclass(frozen=True)
class ReportSettings:
    """What a report is made of; parts are configs or files (``zoo:…`` is one of the zoo's).

    generator   config of the teacher
    mapper      file of F3D
    stepper     file of F_yaw
    uv          file of the UV generator
    face_model  config
    features    config of the space of the distances, ``dict(type="DiscriminatorFeatures", …)`` or Inception
    losses      name → config of a loss, for the reconstruction: ``dict(perceptual=dict(type=…))``
    others      name → file of another UV generator that is evaluated beside it: one trained on one view, say
    regressor   file of the regressor that reads poses
    identity    config of the judge of identity; the regressor if absent
    truth       what faces are compared with: ``"scene"``, ``"fitted"``
    source      config of what fits coefficients to pictures, for ``"fitted"``
    protocol    arguments of :class:`~faceuv.evaluation.protocol.Protocol`
    renderer    config or name
    normals     as for :class:`~faceuv.models.faces.FaceRenderer`
    faces       how many mesh files are written
    strips      how many faces are shown from all sides
    """

    generator: Mapping[str, Any]
    mapper: str
    stepper: str
    uv: str
    face_model: Mapping[str, Any]
    features: Mapping[str, Any]
    losses: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, str] = field(default_factory=dict)
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
        if taken := {OURS, LINEAR, TURNED} & set(self.others):
            raise InputError(f"others may not be called {', '.join(sorted(taken))}: a report has these already")
        if min(self.faces, self.strips) < 0 or max(self.faces, self.strips) > self.counts.pictures:
            raise InputError(
                f"faces and strips are counts of the protocol's faces, 0 to {self.counts.pictures}, got {self.faces}"
                f" and {self.strips}"
            )
        if self.identity is not None:
            MODELS.get(str(self.identity.get("type")))

    def check(self) -> None:
        """What can be known to be wrong before any network is loaded."""
        if "scene" in self.truth and self.face_model.get("type") not in (None, "ProceduralFace"):
            raise InputError(
                f"truth 'scene' is known for the procedural face, not for {self.face_model.get('type')!r}: leave it"
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
    teacher = GENERATORS.build(settings.generator).to(device).eval()
    mapper = load_mapper(locate(settings.mapper), teacher).to(device)
    stepper = load_stepper(locate(settings.stepper), teacher).to(device)
    model = FACE_MODELS.build(settings.face_model)
    mapper.check_layout(model.layout)
    renderer = FaceRenderer(model, settings.renderer, normals=settings.normals).to(device)
    return Setting(teacher, mapper, renderer, stepper)


def build_subjects(settings: ReportSettings, setting: Setting) -> list[Subject]:
    """The method, the other UV generators, and the two baselines that need no training."""
    found: list[Subject] = []
    for name, path in {OURS: settings.uv, **settings.others}.items():
        found.append(UVSubject(setting, load_uv_generator(locate(path)).to(setting.device), name))
    return [*found, LinearSubject(setting), TurnedSubject(setting)]


def build_judges(settings: ReportSettings, setting: Setting) -> Judges:
    """Everyone who measures."""
    regressor = load_regressor(locate(settings.regressor)).to(setting.device).eval()
    identity: Any = RegressorIdentity(regressor) if settings.identity is None else MODELS.build(settings.identity)
    losses = measuring_losses(settings.losses)
    truths: list[TruthSource] = []
    for name in settings.truth:
        truths.append(SceneTruth(setting.teacher) if name == "scene" else _fitted(settings, setting))
    return Judges(identity, regressor, MODELS.build(settings.features), losses, truths).to(setting.device)


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

    return FittedTruth(fit, setting.renderer)


def files_of(settings: ReportSettings) -> dict[str, Path]:
    """The files that are evaluated, by the subject's name."""
    return {name: locate(path) for name, path in {OURS: settings.uv, **settings.others}.items()}
