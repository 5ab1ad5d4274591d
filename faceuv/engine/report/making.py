"""Making a report: evaluate, draw, write."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.dist import is_main_process
from torch import Tensor, nn

from faceuv.engine.report.figures import curve_chart, face_sheet, map_sheet, view_sheet, yaw_strips
from faceuv.engine.report.page import html_page, markdown_page
from faceuv.engine.report.setup import ReportSettings, build_judges, build_setting, build_subjects, files_of
from faceuv.evaluation.comparison import METRICS, SAMPLES, SAMPLES_KIND
from faceuv.evaluation.measures import Judges
from faceuv.evaluation.protocol import Protocol, evaluate, sample
from faceuv.evaluation.subjects import OURS, Setting, UVSubject
from faceuv.evaluation.summary import report_of, tables
from faceuv.export.face_mesh import face_mesh
from faceuv.export.glb import save_glb
from faceuv.export.images import save_png
from faceuv.files.artefacts import atomic_path, save_tensors, sha256_of
from faceuv.files.locate import locate

_SHOWN = 6  # faces on a sheet of views or maps


def make_report(
    settings: ReportSettings, folder: Path, *, title: str, say: Callable[[str], None] = print
) -> tuple[list[str], dict[str, Any]]:
    """Write a report into ``folder``; called on every rank, written by the first.

    Returns: the files, and the report as ``metrics.json`` holds it (empty on other ranks).
    """
    began = time.monotonic()
    device = get_device()
    setting = build_setting(settings, device)
    subjects = build_subjects(settings, setting)
    judges = build_judges(settings, setting)
    protocol = settings.counts
    evaluation = evaluate(subjects, judges, protocol, say=_now_and_then(say))
    if not is_main_process():
        return [], {}
    facts = {
        "title": title,
        "device": torch.cuda.get_device_name() if device == "cuda" else str(device),
        "seconds": round(time.monotonic() - began, 1),
        "files": {name: sha256_of(path)[:16] for name, path in files_of(settings).items()},
        "judged": _judged(settings, setting, judges),
    }
    about = {subject.name: subject.about for subject in subjects}
    identity = str(judges.identity.name)
    report = report_of(evaluation, space=judges.space, about=about, identity=identity, facts=facts)
    say("drawing figures")
    ours = next(subject for subject in subjects if isinstance(subject, UVSubject) and subject.name == OURS)
    few = min(_SHOWN, protocol.pictures)
    figures = {"curves": curve_chart(report)} if protocol.curve else {}
    figures |= yaw_strips(subjects, protocol, settings.strips)
    figures |= {"views": view_sheet(ours, judges, protocol, few), "maps": map_sheet(ours, judges, protocol, few)}
    if settings.faces:
        figures["faces"] = face_sheet(ours, protocol, settings.faces)
    names = _write_figures(folder, figures)
    names += _write_faces(folder, ours, protocol, settings.faces)
    shared = {"protocol": protocol.identity(), "judged": facts["judged"]}
    save_tensors(folder / SAMPLES, tables(evaluation), {"kind": SAMPLES_KIND, **shared})
    report["figures"] = list(figures)
    report["faces"] = [name for name in names if name.endswith(".glb")]
    _write_text(folder / METRICS, json.dumps(report, indent=1))
    _write_text(folder / "report.md", markdown_page(report))
    _write_text(folder / "report.html", html_page(report, figures))
    return [METRICS, SAMPLES, "report.md", "report.html", *names], report


def _judged(settings: ReportSettings, setting: Setting, judges: Judges) -> dict[str, str]:
    """What decides about the numbers beside the UV generators: networks by their weights, judges by their names. (Not
    files by their paths, which differ between work dirs.)"""
    networks = {"teacher": setting.teacher, "mapper": setting.mapper, "stepper": setting.stepper}
    losses = {name: getattr(loss, "space", type(loss).__name__) for name, loss in judges.perceptual.items()}
    return {
        "features": judges.space,
        "identity": str(judges.identity.name),
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
def _write_faces(folder: Path, subject: UVSubject, protocol: Protocol, count: int) -> list[str]:
    """The first faces of the protocol as meshes."""
    names = []
    model, renderer = subject.setting.renderer.face_model, subject.setting.renderer
    for k in range(count):
        _, code = sample(subject.setting, protocol, [k])
        coefficients, maps = subject.setting.mapper(code), subject.maps(code)
        side = subject.generator.size
        diffuse = maps.diffuse if maps.diffuse is not None else model.albedo_map(coefficients.albedo, side, side)
        metadata = {"seed": protocol.seed, "sample": k}
        mesh = face_mesh(renderer, coefficients, maps, diffuse[0].clamp(0, 1), name=f"face_{k}", metadata=metadata)
        names.append(f"faces/face_{k}.glb")
        save_glb(folder / names[-1], mesh)
    return names


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _now_and_then(say: Callable[[str], None]) -> Callable[[str], None]:
    """Says a line every few seconds at most."""
    last = time.monotonic()

    def maybe(line: str) -> None:
        nonlocal last
        if time.monotonic() - last > 5:
            last = time.monotonic()
            say(f"report: {line}")

    return maybe
