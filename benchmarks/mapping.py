"""How well F3D reads and F_yaw turns held-out codes of a teacher; ships trained ones with their cards.

python benchmarks/mapping.py [--work-dir DIR] [--codes 256] [--strip FILE.png]   the zoo's, or a work dir's
python benchmarks/mapping.py --ship DIR [--hardware TEXT]       what `faceuv train stepper_64` left → the zoo

Held-out codes are those of seed 2; what F3D reads off a code is compared with what the regressor reads in its picture.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.data.codes import codes_at
from faceuv.evaluation import YawErrors, coefficient_errors, face_weight, mean_face, summarise
from faceuv.export.images import contact_sheet, save_png
from faceuv.files import zoo
from faceuv.files.cards import write_card
from faceuv.files.locate import locate
from faceuv.files.networks import save_network
from faceuv.models.directions import load_directions, save_directions
from faceuv.models.faces import ProceduralFace
from faceuv.models.readers.regressor import CoefficientRegressor, load_regressor
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper, load_mapper, load_stepper
from faceuv.models.stylegan2 import StyleGAN2Generator, load_generator
from faceuv.structures import Coefficients
from faceuv.synthetic import FACTORS, Scene, SyntheticFaces
from faceuv.synthetic.seeds import combine

MAPPER, STEPPER = "mapper_64", "stepper_64"
WEIGHTS, DIRECTION = "weights.safetensors", "yaw.safetensors"
HELD_OUT_SEED = 2
ANGLES = (-45, -30, -15, 0, 15, 30, 45)


@torch.no_grad()
def pictures(generator: StyleGAN2Generator, codes: Tensor) -> Tensor:
    return torch.cat([generator.synthesis(code).clamp(0, 1) for code in codes.split(32)])


@torch.no_grad()
def read(regressor: CoefficientRegressor, images: Tensor) -> Coefficients:
    return Coefficients(torch.cat([regressor(part).data for part in images.split(64)]), regressor.layout)


def degrees(angle: Tensor) -> Tensor:
    return torch.rad2deg(angle)


def mapper_figures(pred: Coefficients, true: Coefficients) -> dict[str, str]:
    """Rows of a card: F3D against the regressor, per group, in natural units."""
    model = ProceduralFace(rows=97, columns=81, verbose=False)
    weight = face_weight(model)
    errors, baseline = (
        coefficient_errors(side, true, model, size=64, weight=weight) for side in (pred, mean_face(true))
    )
    found, rows = summarise(errors, baseline), {}
    for name in errors:
        rows[f"`{name}`"] = ", ".join(f"{word} {found[f'{name}_{word}']:.3g}" for word in ("median", "mean", "p95"))
        group = name.removesuffix("_mm")
        if f"{group}_of_mean_face" in found:
            rows[f"`{name}`"] += f"; {found[f'{group}_of_mean_face']:.0f} % of what the mean face gets wrong"
    pair = torch.stack([pred.rotation[:, 1], true.rotation[:, 1]])
    rows["correlation of the yaws"] = f"{float(torch.corrcoef(pair)[0, 1]):.4f}"
    return rows


def asked(generator: StyleGAN2Generator, count: int) -> Tensor | None:
    """The yaw ``(count,)`` of the scenes that the held-out latents describe, if the teacher learned them in pairs."""
    if generator.latent_dim != sum(FACTORS.values()):
        return None
    seeds = combine(torch.tensor([HELD_OUT_SEED]), torch.arange(count))
    z = torch.cat([generator.sample_latents(1, generator=torch.Generator().manual_seed(int(seed))) for seed in seeds])
    columns = z.split(list(FACTORS.values()), 1)
    scene = Scene(dict(zip(FACTORS, columns)), {name: torch.zeros(count, dtype=torch.int64) for name in FACTORS})
    studio = SyntheticFaces(size=64, face_model={"type": "ProceduralFace", "rows": 97, "columns": 81}).studio
    return studio.coefficients(scene).rotation[:, 1]


@torch.no_grad()
def stepper_samples(
    codes: Tensor, mapper: CoefficientMapper, stepper: YawStepper, generator: Any, regressor: Any
) -> list[dict[str, Tensor]]:
    """What :class:`~faceuv.evaluation.YawErrors` reads, for the angles of ``ANGLES``."""
    own = mapper.yaw(codes)
    wanted = torch.tensor([math.radians(angle) for angle in ANGLES])
    turned = [stepper.move(codes, angle) for angle in wanted]
    mirror = stepper.move(codes, -own)
    back = stepper.move(mirror, -mapper.yaw(mirror))
    columns = {
        "wanted": wanted.expand(len(codes), -1),
        "read": torch.stack([mapper.yaw(code) for code in turned], 1),
        "seen": torch.stack([read(regressor, pictures(generator, code)).rotation[:, 1] for code in turned], 1),
        "steps": torch.stack([stepper.sigmas(codes, angle) for angle in wanted], 1),
        "own": own,
        "mirrored": mapper.yaw(mirror),
        "return": (stepper.position(back) - stepper.position(codes)).abs(),
    }
    return [{name: column[k] for name, column in columns.items()} for k in range(len(codes))]


@torch.no_grad()
def symmetric_seen(codes: Tensor, mapper: Any, stepper: YawStepper, generator: Any, regressor: Any) -> float:
    """Mean |yaw seen in the symmetric view + yaw seen in the original|, degrees."""
    own = read(regressor, pictures(generator, codes)).rotation[:, 1]
    mirrored = read(regressor, pictures(generator, stepper.symmetric(codes, mapper))).rotation[:, 1]
    return float(degrees(own + mirrored).abs().mean())


@torch.no_grad()
def strip(path: Path, codes: Tensor, stepper: YawStepper, generator: Any, regressor: Any) -> None:
    """Faces as they are, and turned to each angle, with the yaw that the regressor sees."""
    images, labels = [], []
    for code in codes.split(1):
        row = [generator.broadcast(code), *(stepper.move(code, math.radians(angle)) for angle in ANGLES)]
        shown = pictures(generator, torch.cat(row))
        seen = degrees(read(regressor, shown).rotation[:, 1])
        images += list(torch.nn.functional.interpolate(shown, size=(128, 128), mode="bilinear"))
        labels += [f"own: {seen[0]:.0f}°", *(f"{angle}°: {value:.0f}°" for angle, value in zip(ANGLES, seen[1:]))]
    save_png(path, contact_sheet(images, columns=len(ANGLES) + 1, labels=labels))


def record(work_dir: Path, stage: str) -> dict[str, Any]:
    path = work_dir / stage / "stage.json"
    if not path.is_file():
        raise SystemExit(f"{path} does not exist; run: faceuv train configs/stepper_64.py --work-dir {work_dir}")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def minutes(work_dir: Path, *stages: str) -> str:
    return ", ".join(f"{stage} {record(work_dir, stage)['seconds'] / 60:.1f}" for stage in stages)


def training_facts(work_dir: Path, config: str, stages: tuple[str, ...], hardware: str) -> dict[str, Any]:
    """What the records of the stages say."""
    fits, last = record(work_dir, "fits"), record(work_dir, stages[-1])
    source = fits["description"].get("source.type")
    return {
        "config": f"`configs/{config}.py`",
        "training data": f"{fits['summary']['codes']:,} sampled codes of `{fits['description']['generator.path']}`, the"
        f" coefficients of their pictures by the source `{source}`; every tenth held out",
        "failed fits": fits["summary"]["failed"],
        "iterations": last["summary"]["iterations"],
        "batch": last["description"]["train_dataloader.batch_size"],
        "minutes": minutes(work_dir, *stages),
        "hardware": hardware,
    }


MAPPER_TEXT = f"""
`{WEIGHTS}`: stylecode of the teacher `teacher_64` → the 257 coefficients of `ProceduralFace` of its picture.

```python
from faceuv import zoo
from faceuv.models.stylefaceuv.mappers import load_mapper

coefficients = load_mapper(zoo.path("{MAPPER}", "{WEIGHTS}"))(code)  # (B, L, D), or one w per face (B, D)
```

Limits: it learned what the zoo's regressor reads in pictures, mistakes included, and cannot be better than it; the
figures below are its distance to that, not to a truth. It was trained on codes with one w for all rows, and reads the
mean row of any other. Landmarks are in pixels of a 64² picture.
""".strip()

STEPPER_TEXT = f"""
`{WEIGHTS}`: a code of the teacher `teacher_64` and a wanted yaw → the step along the yaw direction that turns it there.
`{DIRECTION}` is that direction.

```python
from faceuv import zoo
from faceuv.models.stylefaceuv.mappers import load_stepper

turned = load_stepper(zoo.path("{STEPPER}", "{WEIGHTS}")).move(code, 0.35)  # radians, to the viewer's right
```

Limits: `yaw` figures are F3D's own judgement, which taught it; `seen` figures are the regressor's, on pictures of the
turned codes. Wanted angles beyond the range of the training are extrapolated.
""".strip()


def ship(work_dir: Path) -> None:
    """Copy the networks into the zoo, in half precision."""
    mapper, stepper = work_dir / "mapper" / "mapper.safetensors", work_dir / "stepper" / "stepper.safetensors"
    save_network(zoo.FOLDER / MAPPER / WEIGHTS, load_mapper(mapper), dtype=torch.float16)
    save_network(zoo.FOLDER / STEPPER / WEIGHTS, load_stepper(stepper), dtype=torch.float16)
    save_directions(
        zoo.FOLDER / STEPPER / DIRECTION, load_directions(work_dir / "direction" / "directions.safetensors")
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work-dir", type=Path, help="of the recipe stepper_64; the zoo's networks if absent")
    parser.add_argument("--ship", type=Path, metavar="WORK_DIR", help="write the zoo's weights and cards")
    parser.add_argument("--generator", help="default: that of the recipe, or the zoo's")
    parser.add_argument("--regressor", default="zoo:regressor/weights.safetensors")
    parser.add_argument("--codes", type=int, default=256, help="held-out codes to measure on")
    parser.add_argument("--strip", type=Path, help="write faces turned by the stepper")
    parser.add_argument("--hardware", default="one thread of a CPU")
    args = parser.parse_args()
    work_dir = args.ship or args.work_dir
    if args.ship:
        ship(args.ship)
    if args.work_dir and not args.ship:
        files = [work_dir / name / f"{name}.safetensors" for name in ("mapper", "stepper")]
    else:
        # read before the cards are there, which make entries of the folders
        files = [zoo.FOLDER / entry / WEIGHTS for entry in (MAPPER, STEPPER)]
    described = record(work_dir, "fits")["description"]["generator.path"] if work_dir else None
    generator = load_generator(locate(args.generator or described or "zoo:teacher_64/generator.safetensors"))
    mapper, stepper = load_mapper(files[0], generator), load_stepper(files[1], generator)
    regressor = load_regressor(locate(args.regressor))

    codes = codes_at(generator, range(args.codes), seed=HELD_OUT_SEED)
    with torch.no_grad():
        pred, true = mapper(codes), read(regressor, pictures(generator, codes))
    reading = {"F3D against the regressor": mapper_figures(pred, true)}
    wanted = asked(generator, args.codes)
    if wanted is not None:
        errors = {"F3D": pred.rotation[:, 1] - wanted, "regressor, on the pictures": true.rotation[:, 1] - wanted}
        reading["Yaw against the scene that the latent describes, median degrees"] = {
            name: f"{float(degrees(error).abs().median()):.2f}" for name, error in errors.items()
        }
    metric = YawErrors()
    few = codes[: max(8, args.codes // 4)]
    metric.process(None, stepper_samples(few, mapper, stepper, generator, regressor))
    turning: dict[str, Any] = {f"`{name}`": value for name, value in metric.compute_metrics(metric.results).items()}
    turning["`symmetric_deg` as the regressor sees it"] = symmetric_seen(few, mapper, stepper, generator, regressor)
    for title, rows in {**reading, "F_yaw": turning}.items():
        print(f"\n{title}")
        print("\n".join(f"  {key:<40} {value}" for key, value in rows.items()))
    if args.ship:
        weights = sum(parameter.numel() for parameter in mapper.parameters())
        facts = training_facts(args.ship, "stepper_64", ("fits", "mapper"), args.hardware)
        facts["size"] = f"{files[0].stat().st_size / 1e6:.2f} MB, {weights:,} weights"
        facts["measured on"] = f"{args.codes} codes of seed {HELD_OUT_SEED}, which no training saw"
        print(f"wrote {write_card(MAPPER, 'F3D of the 64² teacher', {**facts, **reading}, MAPPER_TEXT)}")
        facts = training_facts(args.ship, "stepper_64", ("fits", "mapper", "direction", "stepper"), args.hardware)
        facts["degrees of yaw per σ of the direction"] = math.degrees(float(stepper.yaw_per_sigma))
        facts |= {"measured on": f"{len(few)} codes of seed {HELD_OUT_SEED}", "Turning": turning}
        print(f"wrote {write_card(STEPPER, 'F_yaw of the 64² teacher', facts, STEPPER_TEXT)}")
    if args.strip:
        strip(args.strip, few[:6], stepper, generator, regressor)


if __name__ == "__main__":
    main()
