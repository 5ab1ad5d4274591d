"""The protocol: the same codes, the same judges, the same counts for the method and its baselines.

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
from faceuv.evaluation.measures import (
    Judges,
    cpu,
    curve_means,
    curve_rows,
    identity_features,
    reconstruction_rows,
    truth_rows,
)
from faceuv.evaluation.subjects import Setting, Subject, Targets
from faceuv.models.base.codes import truncate

YAWS = (-60.0, -45.0, -30.0, -15.0, 0.0, 15.0, 30.0, 45.0, 60.0)
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
    """

    rows: dict[str, Tensor] = field(default_factory=dict)
    curves: dict[str, Tensor] = field(default_factory=dict)
    features: dict[str, Tensor] = field(default_factory=dict)


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
    judges: Judges,
    protocol: Protocol,
    *,
    say: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """Measure every subject on this rank's share of the faces; the same complete result on every rank.

    All subjects must share one :class:`~faceuv.evaluation.subjects.Setting`.
    """
    if not subjects:
        raise InputError("there is nothing to evaluate; give at least one subject")
    setting = subjects[0].setting
    names = [subject.name for subject in subjects]
    if len(set(names)) < len(names) or any(subject.setting is not setting for subject in subjects):
        raise InputError(f"subjects need different names and one setting, got {', '.join(names)}")
    if protocol.truncation != 1 and any(truth.name == "scene" for truth in judges.truths):
        raise InputError("a truncated code is not the code of its latent's scene: truth 'scene' needs truncation=1")
    judges.to(setting.device)
    parts = []
    share = list(range(protocol.pictures))[get_rank() :: get_world_size()]
    for done, indices in _batches(share, protocol):
        parts.append(_batch(subjects, setting, judges, protocol, indices))
        say(f"faces {done} of {len(share)}")
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


def _batch(
    subjects: Sequence[Subject], setting: Setting, judges: Judges, protocol: Protocol, indices: Sequence[int]
) -> _Part:
    """Everything that is measured of a few faces."""
    latents, codes = sample(setting, protocol, indices)
    _, donors = sample(setting, protocol, indices, stream=_DONORS)
    original = setting.targets(codes)
    limit = math.radians(max(abs(angle) for angle in protocol.yaws_deg))
    turned = setting.targets(codes, setting.mapper.yaw(donors).clamp(-limit, limit))
    mirrored = setting.targets(codes, -original.read.rotation[:, 1], read="all")
    person = identity_features(judges, setting, original.images, original.read)
    truths = [
        (source.name, source.truth(latents, codes, original.images))
        for source in judges.truths
        if indices[0] < protocol.truth
    ]
    yaw, strip = _strip(setting, codes, protocol) if indices[0] < protocol.curve else (None, None)
    found: dict[str, Scores] = {}
    for subject in subjects:
        view = subject.show(codes, original)
        scores = Scores()
        if subject.draws:
            scores.rows.update(cpu(reconstruction_rows(view, original.images, judges)))
            other = subject.show(codes, mirrored)
            scores.rows.update(cpu(reconstruction_rows(other, mirrored.images, judges, "_symmetric")))
            scores.features["original"] = judges.features(view.image)
        scores.features["turned"] = judges.features(subject.show(codes, turned).image)
        for name, truth in truths:
            scores.rows.update(cpu(truth_rows(subject, view, truth, setting, name)))
        if yaw is not None and strip is not None:
            seen = subject.show(codes, strip)
            scores.curves.update(cpu(curve_rows(seen, yaw, person, setting, judges, texels=protocol.texels)))
            scores.rows.update(curve_means(scores.curves, protocol.yaws_deg, protocol.far_deg))
        scores.features.update(cpu(scores.features))
        found[subject.name] = scores
    reference = {"original": original.images, "turned": setting.pictures(donors)}
    return {
        "index": list(indices),
        "subjects": found,
        "reference": cpu({name: judges.features(images) for name, images in reference.items()}),
    }


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
    return yaw, setting.targets(codes, yaw)


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
        )
    reference = join([(part["index"], part["reference"]) for part in parts], 0)
    return Evaluation(protocol, subjects, reference)
