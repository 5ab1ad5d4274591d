"""Put a trained UV generator into the zoo: `python tools/export_quickstart.py SOURCE --entry quickstart`.

SOURCE is the work dir of a StyleFaceUV recipe, or the folder of one of its stages; or a `uv_generator.safetensors` that
was trained with the zoo's own teacher, F3D and F_yaw, which then are the other parts. Writes `uv_generator.safetensors`
(float16), `generator.json`, which names the other parts (those of the zoo are referred to, others are copied), pictures
and the model card. All numbers on the card are measured here, from the files as written, or read from the records of
the stages and from the report.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.cli.console import console
from faceuv.engine.stages.record import Record
from faceuv.errors import AssetError, InputError
from faceuv.export import save_png
from faceuv.export.surfaces import displacement_colours
from faceuv.export.tables import picture_table
from faceuv.figures import FigureStyle, interpolation_strip, yaw_strip
from faceuv.files import zoo
from faceuv.files.artefacts import load_tensors
from faceuv.files.cards import write_card
from faceuv.files.locate import locate
from faceuv.models.base.code_space import YAW_LIMIT
from faceuv.models.base.parts import check_reference, same_weights
from faceuv.models.directions import Direction, load_directions
from faceuv.models.stylefaceuv import load_uv_generator
from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator
from faceuv.models.stylefaceuv.mappers import load_mapper, load_stepper
from faceuv.models.stylegan2 import load_generator

LIMIT_MB = 20
SEEDS = range(8)
COMPARED = range(32)
REFERENCES = {
    "teacher": "zoo:teacher_64/generator.safetensors",
    "mapper": "zoo:mapper_64/weights.safetensors",
    "stepper": "zoo:stepper_64/weights.safetensors",
    "directions": "zoo:direction_yaw_64/direction.safetensors",
}
HEADS = {"teacher": "zoo:teacher_heads_64/generator.safetensors"}
FACE_MODEL = {"type": "ProceduralFace", "rows": 97, "columns": 81, "verbose": False}
COLD = """
from time import process_time
import faceuv.models.base.face_generator
imported = process_time()
face = faceuv.load({source!r}).sample(seed=7)
loaded = process_time()
face.render(256)
print(imported, loaded - imported, process_time() - loaded)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("--entry", default="quickstart", help="name of the zoo's entry")
    parser.add_argument("--config", help="the recipe that was run (default: the work dir's name)")
    parser.add_argument("--report", type=Path, help="metrics.json of the report (default: in the work dir's report)")
    parser.add_argument("--hardware", required=True, help="in words: '1 core of …'")
    parser.add_argument("--limits", required=True, help="what it does badly, after a look at the pictures")
    parser.add_argument("--out", type=Path, default=zoo.FOLDER, help="the zoo's folder")
    args = parser.parse_args()

    trained, work, training = read(args.source)
    config = args.config or work.resolve().name
    trained.name, trained.metadata = args.entry, {"config": config, **trained.metadata}
    if not trained.directions:
        trained.directions = own_directions(trained)

    differences = colour_differences(trained)
    trained.metadata["measured"] = differences  # what its test holds it to
    folder = args.out / args.entry
    refer = references(trained)
    trained.save(folder, refer=refer, half=True)
    kept = StyleFaceUVGenerator.load(folder)
    megabytes = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e6
    if megabytes > LIMIT_MB:
        raise SystemExit(f"{megabytes:.1f} MB of weights, more than the {LIMIT_MB} MB that an entry may have")
    pictures(kept, folder)
    report = args.report or work / "report" / "metrics.json"
    write_card(
        args.entry,
        f"{args.entry}: faces from stylecodes, {kept.uv_generator.size}² maps",
        {
            **facts(kept, config, refer, args),
            **training,
            f"Mean difference of pictures with and without the face, seeds 0 to {len(COMPARED) - 1}": differences,
            **times(folder),
            **measured(report),
        },
        text(args.entry, args.limits, measured_there=report.is_file()),
        folder=folder,
    )
    changed = largest_change(trained, kept)
    console.print(f"wrote {folder}: {megabytes:.1f} MB; float16 changed a pixel by {changed:.4f} at most")


def read(source: Path) -> tuple[StyleFaceUVGenerator, Path, dict[str, Any]]:
    """The generator, the work dir, and what is known of the training."""
    if source.is_file():
        _, kept = load_tensors(source, kind="uv_generator")
        parts = {part: locate(reference) for part, reference in REFERENCES.items()}
        teacher = load_generator(parts["teacher"])
        generator = StyleFaceUVGenerator(
            teacher,
            load_mapper(parts["mapper"]),
            load_uv_generator(source),
            FACE_MODEL,
            stepper=load_stepper(parts["stepper"]),
            directions=load_directions(parts["directions"]),
        )
        known = {key.replace("_", " "): kept[key] for key in ("images_seen", "views") if key in kept}
        return generator, source.parent, known or {"training": "not recorded in its file"}
    generator = StyleFaceUVGenerator.load(source)
    stage = source if (source / "stage.json").is_file() else source / generator.metadata["stage"]
    record = Record.read(stage)
    if record is None:
        raise AssetError(f"{stage} has no record of its training; export the work dir that faceuv train left")
    flat = {key.removeprefix("model."): value for key, value in record.description.items() if key.startswith("model.")}
    settings = {key: value for key, value in flat.items() if key.split(".")[0] in ("views", "mask", "adversarial")}
    return (
        generator,
        stage.parent,
        {
            "iterations": record.summary.get(
                "iterations", record.description.get("train_cfg.max_iters", "not recorded")
            ),
            "batch": record.description.get("train_dataloader.batch_size", "not recorded"),
            "settings of the method": ", ".join(f"{k}={v}" for k, v in settings.items()) or "its defaults",
            "hours": record.seconds / 3600,
        },
    )


def own_directions(generator: StyleFaceUVGenerator) -> dict[str, Direction]:
    """The zoo's directions, if this is the zoo's teacher: a recipe that starts from the zoo's stepper finds none."""
    if not same_weights(load_generator(locate(REFERENCES["teacher"])), generator.networks()["teacher"]):
        return {}
    return {found.name: found for found in load_directions(locate(REFERENCES["directions"]))}


def colour_differences(generator: StyleFaceUVGenerator) -> dict[str, float]:
    """Mean absolute difference over whole pictures, by which background and coverage count as well: a check that the
    weights are those of the card, not a measure of quality, for which there is the report."""
    code = generator.codes(COMPARED)
    mirrored = -generator.coefficients(code).rotation[:, 1].rad2deg().clamp(-YAW_LIMIT, YAW_LIMIT)
    seen = generator.turn(code, mirrored)
    own = generator.generate(code, seam="hard") - generator.image(code)
    other = generator.generate(code, yaw_deg=mirrored, seam="hard") - generator.image(seen)
    return {"original": float(own.abs().mean()), "symmetric": float(other.abs().mean())}


def references(generator: StyleFaceUVGenerator) -> dict[str, str]:
    """The parts that are the zoo's own, and where they lie there."""
    found = {}
    for part, reference in [*REFERENCES.items(), *HEADS.items()]:
        if part not in generator.parts() or part in found:
            continue
        try:
            check_reference(part, reference, generator.networks(), generator.directions)
        except (InputError, AssetError) as error:
            console.print(f"{part} is not {reference}: {error}")
        else:
            found[part] = reference
    return found


def facts(
    generator: StyleFaceUVGenerator, config: str, refer: Mapping[str, str], args: argparse.Namespace
) -> dict[str, Any]:
    """What the entry holds."""
    uv = generator.uv_generator
    megabytes = (args.out / args.entry / "uv_generator.safetensors").stat().st_size / 1e6
    copied = [part for part in ("teacher", "mapper", "stepper", "directions")
              if (args.out / args.entry / f"{part}.safetensors").is_file()]  # fmt: skip
    return {
        "config": f"`configs/{config}.py`",
        "files": "`generator.json`, `uv_generator.safetensors` (averaged weights, float16)"
        + "".join(f", `{part}.safetensors`" for part in copied),
        "parts of the zoo": [f"{part}: {reference}" for part, reference in refer.items()] or "none",
        "size of the UV generator": f"{megabytes:.1f} MB",
        "maps": f"diffuse and displacement, {uv.size}²; at most {uv.displacement_scale * 100:g} mm per axis",
        "face model": ", ".join(f"{key} {value}" for key, value in generator.face_model.config().items()),
        "codes": f"L = {generator.num_layers}, D = {generator.code_dim}",
        "hardware": args.hardware,
        "torch": torch.__version__,
    }


def times(folder: Path) -> dict[str, dict[str, float]]:
    """Processor time of a fresh process, with an empty cache (the face model is built) and again: other programs slow
    that down less than the clock's."""
    code = COLD.format(source=str(folder))
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for name in ("cold: empty cache", "warm"):
            run = subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "FACEUV_CACHE": cache},
                capture_output=True,
                text=True,
                check=False,
            )
            if run.returncode:
                raise AssetError(f"the generator in {folder} does not load: {run.stderr.strip()[-500:]}")
            imports, load, render = map(float, run.stdout.split())
            found[f"Seconds of processor time, fresh process, {name}"] = {
                "start and imports": imports,
                "load and sample a face": load,
                "its picture at 256²": render,
            }
    return found


def measured(report: Path) -> dict[str, dict[str, str]]:
    """The report's numbers, a table per subject; nothing if there is no report."""
    if not report.is_file():
        console.print(f"{report} does not exist: the card has no numbers of quality (faceuv train makes the report)")
        return {}
    content = json.loads(report.read_text(encoding="utf-8"))
    if content.get("kind") != "faceuv report":
        raise AssetError(f"{report} is no report of faceuv: expected kind 'faceuv report', got {content.get('kind')!r}")
    return {
        f"Report, {name}: {entry.get('about', '')}".rstrip(": "): {
            metric: number(value) for metric, value in entry["metrics"].items() if value.get("value") is not None
        }
        for name, entry in content["subjects"].items()
    }


def number(entry: Mapping[str, Any]) -> str:
    """``0.0312 ± 0.0009 (96)``: mean, standard error, count."""
    error = entry.get("error", entry.get("deviation"))
    spread = "" if error is None else f" ± {error:.2g}"
    return f"{entry['value']:.3g}{spread} ({entry['samples']})"


def text(entry: str, limits: str, *, measured_there: bool) -> str:
    """What the card says in words."""
    numbers = (
        " The report's numbers are `mean ± standard error (faces)`; what each is, and in which space, the report says."
        if measured_there
        else " **Its quality was not measured.**"
    )
    return (
        "Trained by `faceuv` on pictures that a teacher of `faceuv` makes; no data and no weights of others. Made by"
        f" `tools/export_quickstart.py`. `faceuv.load('{entry}')` reads it."
        "\n\nSeeds 0 to 7, nothing chosen; the teacher's picture, then the render over the teacher's picture of the"
        " turned code:\n\n![faces](faces.png)\n\nTheir maps, diffuse above displacement (grey is none):\n\n"
        "![maps](maps.png)\n\nBetween two of them: picture, render, shape:\n\n![between](between.png)\n\n"
        f"**Limits.** {limits}{numbers}"
    )


def pictures(generator: StyleFaceUVGenerator, folder: Path) -> None:
    """``faces.png``, ``maps.png``, ``between.png``."""
    style = FigureStyle(size=128)
    save_png(folder / "faces.png", yaw_strip(generator, list(SEEDS), yaws=(-60, -30, 0, 30, 60), style=style))
    save_png(folder / "between.png", interpolation_strip(generator, SEEDS[0], SEEDS[1], style=style))
    maps = generator.maps(generator.codes(SEEDS))
    rows: list[Sequence[Tensor]] = []
    if maps.diffuse is not None:
        rows.append(list(maps.diffuse.clamp(0, 1)))
    if maps.displacement is not None:
        rows.append(list(displacement_colours(maps.displacement, generator.uv_generator.displacement_scale)))
    save_png(folder / "maps.png", picture_table(rows))


def largest_change(first: StyleFaceUVGenerator, second: StyleFaceUVGenerator) -> float:
    """Of a pixel, by writing the weights in half precision."""
    code = first.codes(SEEDS)
    return float((first.generate(code, seam="hard") - second.generate(code, seam="hard")).abs().max())


if __name__ == "__main__":
    main()
