"""The protocol: the same codes, instruments and counts for every subject.

Sample k is a function of the seed and k alone, so that numbers do not depend on batches or processes, and those of two
runs with one protocol can be compared face by face.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from mmengine.dist import all_gather_object, get_rank, get_world_size
from torch import Tensor

from faceuv.data.codes import latents_at
from faceuv.errors import InputError
from faceuv.evaluation.face_truth import FaceTruth
from faceuv.evaluation.feature_metric import distance_names
from faceuv.evaluation.meanings import IN_PICTURE, NO_MASK, PICTURES, TRUTH, TURNED, without
from faceuv.evaluation.measures import (
    Instruments,
    cpu,
    curve_means,
    curve_rows,
    face_mask,
    identity_features,
    left_out,
    reconstruction_rows,
    truth_rows,
)
from faceuv.models.base.codes import truncate
from faceuv.models.base.subject import Network, Setting, Subject, SubjectView, Targets

YAWS = (-60.0, -45.0, -30.0, -15.0, 0.0, 15.0, 30.0, 45.0, 60.0)
OWN_PICTURES = "its pictures are the teacher's own"
_PICTURES, _DONORS = 0, 1  # streams of the seed: the faces, and those whose yaws they are turned to


@dataclass(frozen=True)
class Protocol:
    """How much is measured.

    pictures   codes for reconstruction and for the distances between distributions
    curve      of these, the first so many are turned to every angle of ``yaws_deg``
    truth      of these, the first so many are compared with the truth
    yaws_deg   asked angles
    far_deg    angles from here on are far turned
    seed       of the codes
    truncation ψ of the codes
    batch      faces at a time; changes no number
    texels     side of the maps in which two views are compared
    """

    pictures: int = 96
    curve: int = 24
    truth: int = 32
    yaws_deg: Sequence[float] = YAWS
    far_deg: float = 45.0
    seed: int = 1234
    truncation: float = 1.0
    batch: int = 8
    texels: int = 64

    def __post_init__(self) -> None:
        for name, least in (("pictures", 4), ("curve", 0), ("truth", 0), ("batch", 1), ("texels", 8)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InputError(f"the protocol needs a whole number {name} ≥ {least}, got {value!r}")
        if max(self.curve, self.truth) > self.pictures:
            raise InputError(
                f"curve and truth are counts of the same faces and cannot be larger than pictures={self.pictures}, got"
                f" {self.curve} and {self.truth}"
            )
        object.__setattr__(self, "yaws_deg", tuple(float(angle) for angle in self.yaws_deg))
        if not self.yaws_deg or not all(abs(angle) <= 90 for angle in self.yaws_deg):
            raise InputError(f"yaws_deg must be angles within ±90°, got {self.yaws_deg}")

    def identity(self) -> dict[str, Any]:
        """What decides about the numbers: two evaluations with the same can be compared face by face."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items() if name != "batch"}


@dataclass(frozen=True, eq=False)
class Scores:
    """What was measured of one subject, faces in the order of their samples.

    rows      name → ``(N,)``; NaN where there was nothing to measure
    curves    name → ``(V, N)`` over the protocol's angles
    features  ``"original"``, ``"turned"`` → features of its pictures ``(N, C)``
    skipped   name → why it was not measured: ``"needs a surface"``
    """

    rows: dict[str, Tensor] = field(default_factory=dict)
    curves: dict[str, Tensor] = field(default_factory=dict)
    features: dict[str, Tensor] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores of every subject; ``reference`` holds those of the teacher's own pictures, ``"original"``, and, as
    ``"turned"``, as many others of its pictures: what the distances of real pictures to real ones are."""

    protocol: Protocol
    subjects: dict[str, Scores]
    reference: dict[str, Tensor]


@torch.no_grad()
def evaluate(
    subjects: Sequence[Subject],
    instruments: Instruments,
    protocol: Protocol,
    *,
    log: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """Measure every subject on this rank's share of the faces; the same complete result on every rank.

    All subjects must share one :class:`~faceuv.models.base.subject.Setting`.
    """
    if not subjects:
        raise InputError("there is nothing to evaluate; give at least one subject")
    setting = subjects[0].setting
    names = [subject.name for subject in subjects]
    if len(set(names)) < len(names) or any(subject.setting is not setting for subject in subjects):
        raise InputError(f"subjects need different names and one setting, got {', '.join(names)}")
    for subject in subjects:
        if setting.renderer is None and "coefficients" in subject.capabilities:
            raise InputError(
                f"the views of the subject {subject.name!r} carry coefficients, in the layout of the setting's face"
                " model; give the setting a renderer (a report: face_model=…)"
            )
    if protocol.truncation != 1 and any(truth.name == "scene" for truth in instruments.truths):
        raise InputError("a truncated code is not the code of its latent's scene: truth 'scene' needs truncation=1")
    instruments.to(setting.device)
    parts = []
    share = list(range(protocol.pictures))[get_rank() :: get_world_size()]
    for done, indices in _batches(share, protocol):
        parts.append(_batch(subjects, setting, instruments, protocol, indices))
        log(f"faces {done} of {len(share)}")
    return _joined([part for rank in all_gather_object(parts) for part in rank], protocol, names)


def _batches(share: Sequence[int], protocol: Protocol) -> Iterator[tuple[int, list[int]]]:
    """Batches in which all faces take part in the same measurements."""
    edges = sorted({protocol.curve, protocol.truth, protocol.pictures})
    done = 0
    for low, high in zip([0, *edges], edges):
        group = [index for index in share if low <= index < high]
        for start in range(0, len(group), protocol.batch):
            batch = group[start : start + protocol.batch]
            done += len(batch)
            yield done, batch


_Part = dict[str, Any]


@dataclass(frozen=True, eq=False)
class _Faces:
    """What the teacher shows of one batch, and what is known of it.

    codes     ``(B, L, D)``
    original  as the codes are; ``mirrored``: at minus their yaw, None if the setting cannot show it; ``turned``: at
              the yaws of other codes, None if no mapper reads them
    strip     at all angles of the protocol, ``yaw (V, B)``, if these faces take part in the curves
    person    features of the teacher's own pictures; None if nobody knows where their landmarks are
    truths    name → true faces
    """

    codes: Tensor
    original: Targets
    mirrored: Targets | None
    turned: Targets | None
    strip: Targets | None
    yaw: Tensor | None
    person: Tensor | None
    truths: Sequence[tuple[str, FaceTruth]]


def _batch(
    subjects: Sequence[Subject], setting: Setting, instruments: Instruments, protocol: Protocol, indices: Sequence[int]
) -> _Part:
    """Everything that is measured of a few faces."""
    latents, codes = sample(setting, protocol, indices)
    _, donors = sample(setting, protocol, indices, stream=_DONORS)
    original = setting.targets(codes)
    limit = math.radians(max(abs(angle) for angle in protocol.yaws_deg))
    turned = mirrored = person = None
    if setting.mapper is not None:
        turned = setting.sides(codes, setting.mapper.yaw(donors).clamp(-limit, limit))
    if original.read is not None and setting.stepper is not None:
        mirrored = setting.targets(codes, -original.read.rotation[:, 1], read="all")
    if original.read is not None or not instruments.aligns:
        person = identity_features(instruments, setting, original.images, original.read)
    truths = [
        (source.name, source.truth(latents, codes, original.images))
        for source in instruments.truths
        if indices[0] < protocol.truth
    ]
    yaw, strip = _strip(setting, codes, protocol) if indices[0] < protocol.curve else (None, None)
    faces = _Faces(codes, original, mirrored, turned, strip, yaw, person, truths)
    reference = {"original": original.images, "turned": setting.pictures(donors)}
    return {
        "index": list(indices),
        "subjects": {subject.name: _scores(subject, faces, instruments, protocol) for subject in subjects},
        "reference": cpu({name: instruments.features(images) for name, images in reference.items()}),
    }


def _scores(subject: Subject, faces: _Faces, instruments: Instruments, protocol: Protocol) -> Scores:
    """One subject's numbers of a few faces."""
    setting, scores = subject.setting, Scores()
    view = subject.checked(faces.codes, faces.original)
    names = [*PICTURES, *instruments.perceptual]
    if subject.shows_teacher:
        scores.skipped.update(dict.fromkeys([*names, *(f"{name}_symmetric" for name in names)], OWN_PICTURES))
    else:
        for ending, targets in (("", faces.original), ("_symmetric", faces.mirrored)):
            here = [f"{name}{ending}" for name in names]
            if targets is None:
                scores.skipped.update(dict.fromkeys(here, without(*_lacking(setting))))
                continue
            shown = view if targets is faces.original else subject.checked(faces.codes, targets)
            mask = face_mask(shown, targets, setting)
            if mask is None:
                scores.skipped.update(dict.fromkeys(here, NO_MASK))
                continue
            scores.rows.update(cpu(reconstruction_rows(shown.image, targets.images, mask, instruments, ending)))
        scores.features["original"] = instruments.features(view.image)
    if faces.turned is not None and subject.turns:
        scores.features["turned"] = instruments.features(subject.checked(faces.codes, faces.turned).image)
    else:
        lacking = _lacking(setting) if not subject.turns else ("mapper",)
        distances = [f"{name}_turned" for name in distance_names(instruments.space)]
        scores.skipped.update(dict.fromkeys(distances, without(*lacking)))
    for name, truth in faces.truths:
        mask = face_mask(view, faces.original, setting)
        rows = truth_rows(view, mask, truth, setting, name)
        scores.rows.update(cpu(rows))
        if mask is None:
            pictured = [key for key in IN_PICTURE if key != "picture" or truth.image is not None]
            scores.skipped.update({f"{name}_{key}": NO_MASK for key in pictured})
        scores.skipped.update(_missing([f"{name}_{key}" for key in TRUTH], rows, view, instruments))
    if faces.yaw is not None and not subject.turns:
        both = [f"{key}{ending}" for key in TURNED for ending in ("", "_far")]
        scores.skipped.update(dict.fromkeys(both, without("stepper")))
    elif faces.yaw is not None and faces.strip is not None:
        seen = subject.checked(faces.codes, faces.strip)
        curves = curve_rows(seen, faces.yaw, faces.person, setting, instruments, texels=protocol.texels)
        scores.curves.update(cpu(curves))
        scores.rows.update(curve_means(scores.curves, protocol.yaws_deg, protocol.far_deg))
        both = [f"{key}{ending}" for key in TURNED for ending in ("", "_far")]
        if faces.person is None:
            scores.skipped.update(dict.fromkeys(("identity", "identity_far"), without("mapper")))
        scores.skipped.update(_missing(both, scores.rows, view, instruments))
    scores.features.update(cpu(scores.features))
    return scores


def _lacking(setting: Setting) -> tuple[Network, ...]:
    """The networks that the setting does not have."""
    networks: tuple[Network, ...] = ("mapper", "stepper")
    return tuple(name for name in networks if getattr(setting, name) is None)


def _missing(
    names: Sequence[str], rows: Mapping[str, Tensor], view: SubjectView, instruments: Instruments
) -> dict[str, str]:
    """Why metrics have no row; one whose needs are met has none where maps hold no colours."""
    reasons = left_out(names, view, instruments)
    absent = {name: reasons.get(name, "needs a diffuse map") for name in names if name not in rows}
    return {name: reason for name, reason in absent.items() if name in reasons or "albedo" in name}


def sample(
    setting: Setting, protocol: Protocol, indices: Sequence[int], *, stream: int = _PICTURES
) -> tuple[Tensor, Tensor]:
    """Latents ``(B, Z)`` and codes ``(B, L, D)`` of some samples of the protocol."""
    teacher = setting.teacher
    latents = latents_at(teacher, indices, seed=2 * protocol.seed + stream).to(setting.device)
    w = teacher.mapping(latents)
    return latents, setting.broadcast(
        w if protocol.truncation == 1 else truncate(w, teacher.mean_code, protocol.truncation)
    )


def _strip(setting: Setting, codes: Tensor, protocol: Protocol) -> tuple[Tensor, Targets]:
    """Yaws ``(V, B)`` in radians, and the views at them."""
    angles = torch.tensor(protocol.yaws_deg, device=codes.device).deg2rad()
    yaw = angles[:, None].expand(-1, len(codes))
    return yaw, setting.sides(codes, yaw)


def _joined(parts: Sequence[_Part], protocol: Protocol, names: Sequence[str]) -> Evaluation:
    """The parts of all batches and ranks, faces in the order of their samples."""

    def join(tables: Sequence[tuple[list[int], Mapping[str, Tensor]]], axis: int) -> dict[str, Tensor]:
        keys = list(dict.fromkeys(key for _, table in tables for key in table))
        found = {}
        for key in keys:
            held = [(index, table[key]) for index, table in tables if key in table]
            order = torch.tensor([k for index, _ in held for k in index]).argsort()
            found[key] = torch.cat([value for _, value in held], axis).index_select(axis, order)
        return found

    subjects = {}
    for name in names:
        mine: list[tuple[list[int], Scores]] = [(part["index"], part["subjects"][name]) for part in parts]
        subjects[name] = Scores(
            rows=join([(index, scores.rows) for index, scores in mine], 0),
            curves=join([(index, scores.curves) for index, scores in mine], 1),
            features=join([(index, scores.features) for index, scores in mine], 0),
            skipped={name: reason for _, scores in mine for name, reason in scores.skipped.items()},
        )
    reference = join([(part["index"], part["reference"]) for part in parts], 0)
    return Evaluation(protocol, subjects, reference)
