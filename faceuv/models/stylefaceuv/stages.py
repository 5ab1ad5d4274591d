"""A face generator in a recipe's work dir: the record of its ``uv`` stage says which parts belong to it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from faceuv.errors import AssetError
from faceuv.files import zoo
from faceuv.files.assets import locate
from faceuv.models.stylefaceuv.folder import MANIFEST, Manifest
from faceuv.models.stylefaceuv.uv_generator import UV_FILE, load_uv_generator

DIRECTIONS_FILE = "directions.safetensors"


def manifest_of_stages(folder: Path) -> Manifest:
    """The manifest of what the stages below ``folder`` made; ``folder`` may be the work dir, or that of one stage that
    trained a UV generator (a recipe can have several)."""
    from faceuv.engine.stages.record import Record

    stage = folder if (folder / "stage.json").is_file() else find_stage(folder)
    work = stage.parent
    record = Record.read(stage)
    assert record is not None  # its file is there
    if not record.complete or not (stage / UV_FILE).is_file():
        raise AssetError(
            f"{stage}: the stage {record.stage!r} {'left no ' + UV_FILE if record.complete else 'is not finished'}; run"
            " the recipe again (faceuv train CONFIG), it goes on where it was"
        )
    model = nested(record.description, "model")
    face_model, teacher, mapper = model.get("face_model"), model.get("teacher"), model.get("mapper")
    if face_model is None or not isinstance(teacher, Mapping) or "path" not in teacher or not isinstance(mapper, str):
        raise AssetError(
            f"{stage / 'stage.json'} does not say which teacher, mapper and face model were used: expected those of a"
            " StyleFaceUV model"
        )
    files = {"teacher": teacher["path"], "mapper": mapper, "uv_generator": f"{{{stage.name}}}/{UV_FILE}"}
    if isinstance(model.get("stepper"), str):
        files["stepper"] = model["stepper"]
    found = {part: resolved(reference, work) for part, reference in files.items()}
    directions = sorted(path for path in work.glob(f"*/{DIRECTIONS_FILE}") if ".previous" not in path.parent.name)
    if len(directions) == 1:
        found["directions"] = str(directions[0].resolve())
    codes = load_uv_generator(stage / UV_FILE)
    return Manifest(
        work.resolve().name,
        found,
        dict(face_model) if isinstance(face_model, Mapping) else {"type": face_model},
        codes.num_layers,
        codes.code_dim,
        metadata={"stage": record.stage, "fingerprint": record.fingerprint},
    )


def find_stage(work: Path) -> Path:
    """The one stage of a work dir that trained a UV generator."""
    stages = sorted(path.parent for path in work.glob("*/stage.json") if ".previous" not in path.parent.name)
    found = [stage for stage in stages if (stage / UV_FILE).is_file()] or [s for s in stages if s.name == "uv"]
    if len(found) > 1:
        found = [stage for stage in found if stage.name == "uv"] or found
    if not found:
        listed = f"it has the stages {', '.join(stage.name for stage in stages)}" if stages else "it has no stages"
        raise AssetError(
            f"{work} holds neither {MANIFEST} nor a stage with {UV_FILE} ({listed}); expected a folder that"
            " FaceGenerator.save wrote, or the work dir of a finished StyleFaceUV recipe"
        )
    if len(found) > 1:
        raise AssetError(f"{work} has several UV generators; load one of {', '.join(str(stage) for stage in found)}")
    return found[0]


def nested(description: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The part below ``prefix`` of a flat description, as nested dicts."""
    tree: dict[str, Any] = {}
    for key, value in description.items():
        path = key.split(".")
        if path[0] != prefix or len(path) == 1:
            continue
        branch = tree
        for name in path[1:-1]:
            branch = branch.setdefault(name, {})
        branch[path[-1]] = value
    return tree


def resolved(reference: str, work: Path) -> str:
    """``{stage}/file`` → the file in that stage's folder; what is of the zoo stays so; other paths become absolute."""
    from faceuv.engine.stages.references import referenced, resolve

    if reference.startswith(zoo.PREFIX):
        return reference
    return str(locate(resolve(reference, {stage: work / stage for stage in referenced(reference)})).resolve())
