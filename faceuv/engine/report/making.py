"""Making a report: evaluate, draw, write."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import is_main_process
from torch import Tensor, nn

from faceuv.data.codes import codes_at
from faceuv.engine.report.figures import curve_chart, face_sheet, map_sheet, view_sheet, yaw_strips
from faceuv.engine.report.page import html_page, markdown_page
from faceuv.engine.report.setup import ReportSettings, build_instruments, build_setting, build_subjects
from faceuv.evaluation.comparison import METRICS, SAMPLES, SAMPLES_KIND
from faceuv.evaluation.measures import Instruments, reconstruction_rows
from faceuv.evaluation.protocol import Protocol, evaluate, sample
from faceuv.evaluation.summary import report_of, tables
from faceuv.export.face_mesh import face_mesh
from faceuv.export.glb import save_glb
from faceuv.export.images import save_png
from faceuv.export.page import PageFace, save_page
from faceuv.files.artefacts import atomic_path, save_tensors, sha256_of
from faceuv.files.locate import locate
from faceuv.models.base.subject import Setting, Subject, SubjectView
from faceuv.models.faces.base import FaceModel

_SHOWN = 6  # faces on a sheet of views or maps
VIEWER = "faces/faces.html"
_MESH = frozenset(("coefficients", "surface"))  # what a subject's views must carry for faces as mesh files
_TEXTURE = 256  # side of a mesh's texture where a subject has no maps


def make_report(
    settings: ReportSettings, folder: Path, *, title: str, log: Callable[[str], None] = print
) -> tuple[list[str], dict[str, Any]]:
    """Write a report into ``folder``; called on every rank, written by the first.

    Returns: the files, and the report as ``metrics.json`` holds it (empty on other ranks).
    """
    setting = build_setting(settings, get_device())
    subjects = build_subjects(settings, setting)
    instruments = build_instruments(settings, setting)
    return write_report(
        subjects,
        instruments,
        settings.counts,
        folder,
        title=title,
        method=settings.method_name,
        faces=settings.faces,
        strips=settings.strips,
        record=_record(settings, setting, instruments),
        log=log,
    )


@torch.no_grad()
def rehearse_report(settings: ReportSettings) -> None:
    """Build what :func:`make_report` builds, and draw and measure one face of each subject; nothing is written."""
    setting = build_setting(settings, get_device())
    subjects = build_subjects(settings, setting)
    instruments = build_instruments(settings, setting)
    code = setting.broadcast(codes_at(setting.teacher, [0], seed=settings.counts.seed).to(setting.device))
    picture = setting.pictures(code)
    instruments.features(picture)
    for subject in subjects:
        view = subject.views(code)
        reconstruction_rows(view.image, picture, torch.ones_like(picture[:, :1]), instruments)


def write_report(
    subjects: Sequence[Subject],
    instruments: Instruments,
    protocol: Protocol,
    folder: Path,
    *,
    title: str,
    method: str | None = None,
    faces: int = 0,
    strips: int = 1,
    record: Mapping[str, str] | None = None,
    log: Callable[[str], None] = print,
) -> tuple[list[str], dict[str, Any]]:
    """Measure subjects that are already built and write the report into ``folder``; see :func:`make_report`.

    Args:
        method: name of the subject that figures, meshes and claims are about; the first one if absent.
        faces: how many mesh files are written, if the method's views carry coefficients and a surface.
        strips: how many faces are shown from all sides.
        record: what decides about the numbers beside the subjects, by name: reports with another one are not compared.
    """
    began = time.monotonic()
    evaluation = evaluate(subjects, instruments, protocol, log=_now_and_then(log))
    if not is_main_process():
        return [], {}
    named = {subject.name: subject for subject in subjects}
    shown = named[method] if method is not None else subjects[0]
    device = shown.setting.device
    facts = {
        "title": title,
        "device": torch.cuda.get_device_name() if device.type == "cuda" else str(device),
        "seconds": round(time.monotonic() - began, 1),
        "files": {name: sha256_of(s.path)[:16] for name, s in named.items() if s.path is not None},
        "instruments": dict(record or {}),
        "method": shown.name,
        "claims": [asdict(claim) for claim in shown.claims],
    }
    about = {name: subject.about for name, subject in named.items()}
    identity = str(instruments.identity.name)
    report = report_of(evaluation, space=instruments.space, about=about, identity=identity, facts=facts)
    log("drawing figures")
    few = min(_SHOWN, protocol.pictures)
    figures = {"curves": curve_chart(report)} if any(scores.curves for scores in evaluation.subjects.values()) else {}
    figures |= yaw_strips(subjects, protocol, strips)
    figures["views"] = view_sheet(shown, instruments, protocol, few)
    if "maps" in shown.capabilities:
        figures["maps"] = map_sheet(shown, instruments, protocol, few)
    if faces and shown.turns:
        figures["faces"] = face_sheet(shown, protocol, faces)
    names = _write_figures(folder, figures)
    if shown.capabilities >= _MESH:
        names += _write_faces(folder, shown, protocol, faces)
    shared = {"protocol": protocol.identity(), "instruments": facts["instruments"]}
    save_tensors(folder / SAMPLES, tables(evaluation), {"kind": SAMPLES_KIND, **shared})
    report["figures"] = list(figures)
    report["viewer"] = VIEWER if VIEWER in names else None
    report["faces"] = [name for name in names if name.endswith(".glb")]
    _write_text(folder / METRICS, json.dumps(report, indent=1))
    _write_text(folder / "report.md", markdown_page(report))
    _write_text(folder / "report.html", html_page(report, figures))
    return [METRICS, SAMPLES, "report.md", "report.html", *names], report


def _record(settings: ReportSettings, setting: Setting, instruments: Instruments) -> dict[str, str]:
    """What decides about the numbers beside the subjects: networks by their weights, instruments by their names. (Not
    files by their paths, which differ between work dirs.)"""
    networks: dict[str, Any] = {"teacher": setting.teacher, "mapper": setting.mapper, "stepper": setting.stepper}
    losses = {name: getattr(loss, "space", type(loss).__name__) for name, loss in instruments.perceptual.items()}
    return {
        "features": instruments.space,
        "identity": str(instruments.identity.name),
        "losses": json.dumps(losses, sort_keys=True),
        "regressor": sha256_of(locate(settings.regressor))[:16],
        **{name: _weights(network) for name, network in networks.items() if network is not None},
    }


def _weights(network: nn.Module) -> str:
    """The beginning of the SHA-256 of a network's weights."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _write_figures(folder: Path, figures: Mapping[str, Tensor]) -> list[str]:
    return [str(save_png(folder / "figures" / f"{name}.png", picture).relative_to(folder))
            for name, picture in figures.items()]  # fmt: skip


@torch.no_grad()
def _write_faces(folder: Path, subject: Subject, protocol: Protocol, count: int) -> list[str]:
    """The first faces of the protocol as meshes, and a page that shows them in 3D."""
    names = []
    shown: list[PageFace] = []
    renderer = subject.setting.faces
    for k in range(count):
        _, code = sample(subject.setting, protocol, [k])
        view = subject.views(code)
        assert view.coefficients is not None  # a view of a subject with this capability
        make = partial(
            face_mesh,
            renderer,
            view.coefficients,
            view.maps,
            _texture(renderer.face_model, view)[0].clamp(0, 1),
            name=f"face_{k}",
            metadata={"seed": protocol.seed, "sample": k},
        )
        names.append(f"faces/face_{k}.glb")
        save_glb(folder / names[-1], make())
        if k < _SHOWN:
            light = view.coefficients.lighting[0].flatten().tolist()
            shown.append(PageFace.of_mesh(make(blend_shapes=True), light=light, view={"light": "own"}))
    if shown:
        names.append(VIEWER)
        save_page(folder / VIEWER, shown, title=f"faces of {subject.name}")
    return names


def _texture(model: FaceModel, view: SubjectView) -> Tensor:
    """The diffuse map ``(B, 3, H, W)``, or the linear albedo at the size of the other map."""
    if view.maps is not None and view.maps.diffuse is not None:
        return view.maps.diffuse
    assert view.coefficients is not None
    displacement = None if view.maps is None else view.maps.displacement
    side = _TEXTURE if displacement is None else displacement.shape[-1]
    return model.albedo_map(view.coefficients.albedo, side, side)


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _now_and_then(log: Callable[[str], None]) -> Callable[[str], None]:
    """Logs a line every few seconds at most."""
    last = time.monotonic()

    def maybe(line: str) -> None:
        nonlocal last
        if time.monotonic() - last > 5:
            last = time.monotonic()
            log(f"report: {line}")

    return maybe
