"""How well a coefficient regressor reads held-out synthetic faces; ships a trained one with its card.

python benchmarks/regressor.py [--entry regressor] [--weights FILE] [--faces 512] [--sheet FILE.png]
python benchmarks/regressor.py --ship WORK_DIR … [--entry NAME] [--hardware TEXT]   the last one's network → the zoo

A work dir may be that of a stage. The face model and the world of the held-out faces are those of its recipe; without
one, those that the weights' file names.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.data.cached import CachedImages
from faceuv.data.perturb import Shares, perturb
from faceuv.engine import load_config
from faceuv.engine.compat.checkpoints import read_checkpoint
from faceuv.engine.stages.record import Record
from faceuv.evaluation import coefficient_errors, face_weight, mean_face, summarise
from faceuv.export.images import contact_sheet, save_png
from faceuv.files import zoo
from faceuv.files.cards import write_card
from faceuv.files.networks import read_header, save_network
from faceuv.models.faces import FaceModel, FaceRenderer
from faceuv.models.readers.regressor import CoefficientRegressor, load_regressor
from faceuv.registry import FACE_MODELS
from faceuv.structures import Coefficients

FILE = "weights.safetensors"
HELD_OUT_SEED = 2
YAWS = ((0, 15), (15, 30), (30, 45), (45, 65))
_AVERAGE = "ema.regressor."
_PROCEDURAL = {"type": "ProceduralFace", "rows": 97, "columns": 81, "verbose": False}
Errors = dict[str, Tensor]


@dataclass(frozen=True)
class Reading:
    """What a regressor reads: the coefficients of a face model, in pictures of a population (configs of both)."""

    face_model: dict[str, Any]
    population: dict[str, Any]

    @classmethod
    def of(cls, path: Path) -> Reading:
        """As the file of weights says; files that do not say read the procedural face in the whole world."""
        known = read_header(path)
        return cls(known.get("face_model", _PROCEDURAL), known.get("population", {"type": "SyntheticFaces"}))

    def metadata(self) -> dict[str, Any]:
        return {"face_model": self.face_model, "population": self.population}

    def built(self) -> FaceModel:
        """The face model."""
        return FACE_MODELS.build(self.face_model)


def held_out(population: Mapping[str, Any], count: int) -> tuple[Tensor, Tensor]:
    """Pictures ``(N, 3, S, S)`` in [0, 1] that no training saw, and their coefficients."""
    faces = {**population, "seed": HELD_OUT_SEED}
    pool = CachedImages(faces, count, workers=2, facts=("coefficients",))
    items = [pool[k] for k in range(count)]
    return torch.stack([item["image"] for item in items]) / 255, torch.stack([i["coefficients"] for i in items])


@torch.no_grad()
def read(regressor: CoefficientRegressor, images: Tensor) -> Coefficients:
    parts = [regressor(batch).data for batch in images.split(64)]
    return Coefficients(torch.cat(parts), regressor.layout)


def figures(errors: Errors, baseline: Errors) -> dict[str, str]:
    """The rows of a card: median, mean and 95th percentile, and how it compares with the mean face."""
    found = summarise(errors, baseline)
    rows = {}
    for name in errors:
        median, mean, p95 = (found[f"{name}_{kind}"] for kind in ("median", "mean", "p95"))
        row = f"median {median:.3g}, mean {mean:.3g}, 95 % below {p95:.3g}"
        group = name.removesuffix("_mm")
        if f"{group}_of_mean_face" in found:
            row += f"; {found[f'{group}_of_mean_face']:.0f} % of what the mean face gets wrong"
        rows[f"`{name}`"] = row
    return rows


def by_yaw(errors: Errors, true: Coefficients) -> dict[str, str]:
    """Medians by how far the head is turned."""
    turned = torch.rad2deg(true.rotation[:, 1]).abs()
    rows = {}
    for low, high in YAWS:
        chosen = (turned >= low) & (turned < high)
        if bool(chosen.any()):
            medians = {
                name: float(errors[name][chosen].median())
                for name in ("yaw_deg", "pitch_deg", "roll_deg", "landmarks_percent", "shape_mm", "expression_mm")
            }
            listed = ", ".join(f"`{name}` {value:.3g}" for name, value in medians.items())
            rows[f"{low}° … {high}° ({int(chosen.sum())} faces)"] = listed
    return rows


@torch.no_grad()
def speed(regressor: CoefficientRegressor, batch: int) -> float:
    """Images per second of one CPU thread's own time, which other processes do not lengthen much; the best round."""
    torch.set_num_threads(1)
    images, best = torch.rand(batch, 3, regressor.size, regressor.size), 0.0
    regressor(images)
    for _ in range(5):
        start = time.process_time()
        regressor(images)
        best = max(best, batch / (time.process_time() - start))
    return best


def sheet(path: Path, images: Tensor, pred: Coefficients, true: Coefficients, face_model: FaceModel) -> None:
    """Pictures, what was read in them drawn beside, and the surface laid over them, from the left to the right."""
    order = torch.argsort(true.rotation[:, 1])
    chosen = order[torch.linspace(0, len(order) - 1, 12).round().long()]
    images, pred, true = images[chosen], pred[chosen], true[chosen]
    images = torch.nn.functional.interpolate(images, size=(128, 128), mode="bilinear")
    drawn = FaceRenderer(face_model)(pred, size=128)
    over = images + (drawn.image.clamp(0, 1) - images) * drawn.mask * 0.6
    truth = FaceRenderer(face_model)(true, size=128)
    rows = [images, over, drawn.image.clamp(0, 1), truth.image.clamp(0, 1)]
    labels = [f"yaw {float(torch.rad2deg(y)):.0f}°" for y in true.rotation[:, 1]]
    labels += (
        ["laid over"] * 12 + [f"read {float(torch.rad2deg(y)):.0f}°" for y in pred.rotation[:, 1]] + ["truth"] * 12
    )
    save_png(path, contact_sheet([image for row in rows for image in row], columns=12, labels=labels))


def shipped(
    work_dirs: list[Path], hardware: str, recipe: str | None = None
) -> tuple[CoefficientRegressor, Reading, dict[str, Any]]:
    """The averaged network of the newest checkpoint of the last work dir, what it was taught to read, and how; each
    work dir went on from the newest checkpoint of the one before. ``recipe`` is by default the work dir's name."""
    states = [read_checkpoint(newest_checkpoint(work_dir)) for work_dir in work_dirs]
    weights = states[-1]["state_dict"]
    config = load_config(next(work_dirs[-1].glob("*.py")))
    network = {key: value for key, value in config.model.regressor.items() if key != "type"}
    reading = Reading(dict(config.model.face_model), dict(config.model.population))
    regressor = CoefficientRegressor(**network, layout=reading.built().layout)
    regressor.load_state_dict({k.removeprefix(_AVERAGE): w for k, w in weights.items() if k.startswith(_AVERAGE)})
    iterations = [int(state["meta"]["iter"]) for state in states]
    seconds = sum(count * seconds_per_iteration(path) for path, count in zip(work_dirs, iterations))
    data = config.train_dataloader
    distinct, seen = int(data.dataset.length), sum(iterations) * int(data.batch_size)
    stage = Record.read(work_dirs[-1])
    folder = work_dirs[-1].resolve()
    recipe = recipe or (folder if stage is None else folder.parent).name
    mirrored = "mirrored, " if config.model.get("mirror", True) else ""
    facts = {
        "config": f"`configs/{recipe}.py`"
        + ("" if stage is None else f", its stage `{folder.name}`")
        + (f", in {len(work_dirs)} runs" if len(work_dirs) > 1 else ""),
        "iterations": " + ".join(map(str, iterations)),
        "training data": f"{distinct:,} synthetic faces of {regressor.size}² (seed 0), {mirrored}rolled, perturbed",
        "pictures seen": f"{seen:,} ({seen / distinct:.0f} × each)",
        "training time": f"{seconds / 60:.0f} minutes, {hardware}",
    }
    return regressor.eval().requires_grad_(False), reading, facts


def newest_checkpoint(work_dir: Path) -> Path:
    found = sorted(work_dir.glob("iter_*.pth"), key=lambda path: int(path.stem.split("_")[1]))
    if not found:
        raise SystemExit(f"{work_dir} holds no checkpoint iter_*.pth")
    return found[-1]


def seconds_per_iteration(work_dir: Path) -> float:
    """From the training's own log."""
    logs = [json.loads(line) for path in work_dir.glob("*/vis_data/scalars.json") for line in path.open()]
    times = [float(log["time"]) for log in logs if "landmarks" in log]
    return sum(times) / max(len(times), 1)


def text(entry: str, reading: Reading, coefficients: int) -> str:
    """What the card says in words."""
    model, world = reading.face_model["type"], reading.population.get("world")
    seen = "synthetic faces" if world is None else f"synthetic faces of the {world} world"
    return f"""
`{FILE}`: picture → the {coefficients} coefficients of `{model}` in the full image frame, in one pass of a small
residual network. It starts the fitter and judges poses; it is not the last word on a face.

```python
from faceuv import zoo
from faceuv.models.readers.regressor import load_regressor

coefficients = load_regressor(zoo.path("{entry}", "{FILE}"))(images)  # (B, 3, S, S) in [0, 1], any side S
```

Limits: trained on {seen} alone, framed as FFHQ frames them, |yaw| below 65°; it reads pictures at 64², so that fine
form and the exact distance are guesses; albedo and light share the blame for brightness. Photographs were not
measured. Below, `albedo` is in colour levels, `light` in shading, both of 1; landmarks are in pixels of a 64² picture.
""".strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entry", default="regressor", help="of the zoo: read, or written by --ship (regressor)")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--faces", type=int, default=512, help="held-out faces to measure on")
    parser.add_argument("--sheet", type=Path, help="write pictures and what was read in them")
    parser.add_argument("--ship", type=Path, nargs="+", metavar="WORK_DIR", help="write the zoo's weights and card")
    parser.add_argument("--config", help="the recipe that was run (default: the work dir's name)")
    parser.add_argument("--hardware", default="one thread of a CPU")
    args = parser.parse_args()

    facts: dict[str, Any] = {}
    if args.ship:
        regressor, reading, facts = shipped(args.ship, args.hardware, args.config)
        metadata = {**facts, **reading.metadata()}
        path = save_network(zoo.FOLDER / args.entry / FILE, regressor, dtype=torch.float16, metadata=metadata)
    else:
        path = args.weights or zoo.path(args.entry, FILE)
        reading = Reading.of(path)
    regressor = load_regressor(path)
    face_model = reading.built()
    weight = face_weight(face_model)
    images, truth = held_out({**reading.population, "size": regressor.size}, args.faces)
    true = Coefficients(truth, regressor.layout)
    pred = read(regressor, images)

    def errors_of(coefficients: Coefficients) -> Errors:
        return coefficient_errors(coefficients, true, face_model, size=regressor.size, weight=weight)

    errors, baseline = errors_of(pred), errors_of(mean_face(true))
    spoilt = perturb(images, range(len(images)), shares=Shares())
    geometry = {
        name: value for name, value in errors_of(read(regressor, spoilt)).items() if name not in ("albedo", "light")
    }
    facts |= {
        "size": f"{path.stat().st_size / 1e6:.2f} MB, {sum(p.numel() for p in regressor.parameters()):,} weights",
        "speed": f"{speed(regressor, 64):.0f} pictures/s in batches of 64, {speed(regressor, 1):.0f} /s one by one,"
        " one CPU thread",
        "measured on": f"{args.faces} held-out synthetic faces of {regressor.size}² (seed {HELD_OUT_SEED})",
        "Errors": figures(errors, baseline),
        "Medians by yaw": by_yaw(errors, true),
        "Errors on the same faces with photographic perturbations": figures(geometry, baseline),
    }
    for name, value in facts.items():
        print(f"{name}: {value}" if not isinstance(value, dict) else f"\n{name}")
        if isinstance(value, dict):
            print("\n".join(f"  {key:<32} {row}" for key, row in value.items()))
    if args.ship:
        title = f"Coefficient regressor of {reading.face_model['type']}"
        print(f"wrote {write_card(args.entry, title, facts, text(args.entry, reading, true.layout.size))}")
    if args.sheet:
        sheet(args.sheet, images, pred, true, face_model)


if __name__ == "__main__":
    main()
