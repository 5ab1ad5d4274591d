"""Put a trained teacher into the zoo: `python tools/export_teacher.py CONFIG CHECKPOINT --entry teacher_64`.

Writes the averaged generator and the discriminator (float16 safetensors), a sheet of samples and the model card. All
numbers on the card are measured here, from the files as written, or read from the logs of the runs.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from torch import Tensor

from faceuv.cli.console import console
from faceuv.engine import load_config, load_weights, read_checkpoint
from faceuv.evaluation import frechet_distance, kernel_distance
from faceuv.export import contact_sheet, save_png
from faceuv.files.cards import write_card
from faceuv.files.locate import locate
from faceuv.files.networks import save_network
from faceuv.files.zoo import FOLDER
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylegan2 import StyleGAN2Generator, load_discriminator, load_generator
from faceuv.registry import DATASETS, GENERATORS, LANDMARK_DETECTORS, MODELS

LIMIT_MB = 20
BATCH = 32
EYES = 256
MATCH = 0.06
"""Two eyes match when their openings differ by less than this share of the distance between them."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--entry", required=True, help="name of the zoo's entry")
    parser.add_argument("--runs", type=Path, nargs="+", default=[], help="work dirs whose logs tell the training time")
    parser.add_argument("--count", type=int, default=2048, help="generated and held-out faces that are compared")
    parser.add_argument("--seed", type=int, default=1, help="of the held-out faces; training has seed 0")
    parser.add_argument("--hardware", required=True, help="in words: '1 core of …'")
    parser.add_argument("--limits", required=True, help="what this teacher does badly, after a look at the sheet")
    parser.add_argument("--out", type=Path, default=FOLDER, help="the zoo's folder")
    args = parser.parse_args()

    config = load_config(args.config)
    state = read_checkpoint(args.checkpoint)["state_dict"]
    folder = args.out / args.entry
    images = int(state["images_seen"])
    generator, change = export(config.model, state, folder, {"images_seen": images, "config": Path(args.config).stem})
    size = generator.size
    drawn = sample(generator, args.count, truncation=1.0)
    truncated = sample(generator, 64, truncation=0.7)
    faces = {**config.val_dataloader.dataset, "length": args.count}
    faces["dataset"] = {**faces["dataset"], "seed": args.seed}
    held_out, trained = pictures(faces), pictures({**config.train_dataloader.dataset, "length": args.count})
    save_png(folder / "samples.png", contact_sheet(list(drawn[:64]), columns=16, margin=1))
    save_png(folder / "truncated.png", contact_sheet(list(truncated), columns=16, margin=1))
    save_png(folder / "training_faces.png", contact_sheet(list(held_out[:64]), columns=16, margin=1))

    megabytes = sum(file.stat().st_size for file in folder.glob("*.safetensors")) / 1e6
    if megabytes > LIMIT_MB:
        raise SystemExit(f"{megabytes:.1f} MB of weights, more than the {LIMIT_MB} MB that an entry may have")
    write_card(
        args.entry,
        f"{args.entry}: a StyleGAN2 of {size}² synthetic faces",
        {
            "config": f"configs/{Path(args.config).stem}.py",
            "files": "generator.safetensors (averaged weights), discriminator.safetensors; float16",
            "size of both": f"{megabytes:.1f} MB",
            "images seen in adversarial training": images,
            "pictures learned from their latents before": earlier(args.runs),
            "hours": hours(args.runs),
            "hardware": args.hardware,
            "torch": torch.__version__,
            "data": f"{config.train_dataloader.dataset.length:,} drawn faces of SyntheticFaces, seed 0",
            "largest change of a pixel by float16 weights": f"{change:.4f} of 1",
            f"Distances to held-out faces (seed {args.seed}), {args.count:,} images each": {
                name: value
                for features in (config.val_evaluator["features"], dict(type="RegressorFeatures"))
                for name, value in distances(features, drawn, trained, held_out).items()
            },
            f"Faces and eyes that the zoo's landmarks_mixed finds, {EYES} images each": {
                name: eyes(side)
                for name, side in (
                    ("samples", drawn[:EYES]),
                    ("samples at truncation 0.7", sample(generator, EYES, truncation=0.7)),
                    ("held-out faces", held_out[:EYES]),
                )
            },
            "Poses that the zoo's regressor reads, standard deviations": poses(drawn, held_out),
        },
        "Trained by `faceuv` on pictures that `faceuv` draws; no data and no weights of others. Made by"
        f" `tools/export_teacher.py`.\n\nSamples, nothing chosen:\n\n![samples](samples.png)\n\nThe same at truncation"
        f" 0.7:\n\n![truncated](truncated.png)\n\nHeld-out drawn faces:\n\n![drawn faces](training_faces.png)\n\n"
        f"**Limits.** {args.limits} The Fréchet and kernel distances below are in the feature space that is named with"
        " them; they are no FID and no KID and not comparable with published ones. `training faces` beside them is the"
        " distance of real faces to real faces: what a perfect generator would reach.",
        folder=folder,
    )
    console.print(f"wrote {folder}: {megabytes:.1f} MB, {images:,} images")


def export(
    model: Mapping[str, Any], state: Mapping[str, Tensor], folder: Path, metadata: dict[str, Any]
) -> tuple[StyleGAN2Generator, float]:
    """Write both networks; the generator as read back, and how much float16 changed a pixel."""
    networks: dict[str, Any] = {
        "generator": (GENERATORS.build(model["generator"]), "ema.generator."),
        "discriminator": (MODELS.build(model["discriminator"]), "discriminator."),
    }
    for name, (network, prefix) in networks.items():
        own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        load_weights(network.eval(), own, name)
        if name == "generator":
            network.estimate_mean_code()
        save_network(folder / f"{name}.safetensors", network, dtype=torch.float16, metadata=metadata)
    exact, kept = networks["generator"][0], load_generator(folder / "generator.safetensors")
    load_discriminator(folder / "discriminator.safetensors")
    return kept, float((sample(exact, 64, truncation=1.0) - sample(kept, 64, truncation=1.0)).abs().max())


@torch.no_grad()
def sample(generator: StyleGAN2Generator, count: int, *, truncation: float) -> Tensor:
    """Images ``(count, 3, S, S)`` of the latents of seeds 0, 1, …"""
    latents = [generator.sample_latents(1, generator=torch.Generator().manual_seed(seed)) for seed in range(count)]
    parts = torch.cat(latents).split(BATCH)
    return torch.cat(
        [generator(z, truncation=truncation).clamp(0, 1) for z in track(parts, "samples", console=console)]
    )


def pictures(config: Mapping[str, Any]) -> Tensor:
    """All drawn faces of a dataset of cached images, ``(N, 3, S, S)`` in [0, 1]."""
    dataset = DATASETS.build(dict(config))
    return torch.stack([dataset[index]["image"] for index in range(len(dataset))]).float() / 255


@torch.no_grad()
def distances(features: Mapping[str, Any], drawn: Tensor, trained: Tensor, held_out: Tensor) -> dict[str, float]:
    """Fréchet and kernel distances of samples, and of training faces, to held-out faces."""
    network = MODELS.build(dict(features)).eval()
    sides = [torch.cat([network(part) for part in side.split(BATCH)]) for side in (drawn, trained, held_out)]
    found = {}
    for name, side in zip(("samples", "training faces"), sides):
        found[f"Fréchet, {network.space}: {name}"] = frechet_distance(side, sides[2])
        found[f"kernel, {network.space}: {name}"] = kernel_distance(side, sides[2], subset_size=min(1000, len(side)))[0]
    return found


@torch.no_grad()
def poses(drawn: Tensor, held_out: Tensor) -> dict[str, str]:
    """Spread of the three angles in samples and in drawn faces: whether the teacher turns heads as the data does."""
    regressor = load_regressor(locate("zoo:regressor/weights.safetensors"))
    spread = {}
    for name, side in (("samples", drawn), ("held-out faces", held_out)):
        rotation = torch.cat([regressor(part).rotation for part in side.split(BATCH)])
        pitch, yaw, roll = rotation.rad2deg().std(0).tolist()
        spread[name] = f"yaw {yaw:.1f}°, pitch {pitch:.1f}°, roll {roll:.1f}°"
    return spread


@torch.no_grad()
def eyes(images: Tensor) -> str:
    """Share of the images in which the detector sees a face, and a face whose eyes are open or shut alike."""
    detector = LANDMARK_DETECTORS.build(dict(type="SyntheticLandmarks", path="zoo:landmarks_mixed/weights.safetensors"))
    large = torch.nn.functional.interpolate(images, scale_factor=256 / images.shape[-1], mode="bilinear")
    found = [detector(part) for part in large.split(BATCH)]
    points = torch.cat([part.points for part in found])
    seen = torch.cat([part.found for part in found])
    lids = [(37, 41), (38, 40), (43, 47), (44, 46)]  # iBUG: upper and lower lid, two pairs for each eye
    opening = torch.stack([torch.linalg.vector_norm(points[:, a] - points[:, b], dim=1) for a, b in lids], 1)
    between = torch.linalg.vector_norm(points[:, 36:42].mean(1) - points[:, 42:48].mean(1), dim=1)
    apart = (opening[:, :2].mean(1) - opening[:, 2:].mean(1)).abs() / between
    alike = seen & (apart < MATCH)
    return f"{float(seen.float().mean()):.1%} with a face, {float(alike.float().mean()):.1%} whose eyes match"


def logged(runs: Sequence[Path]) -> list[list[dict[str, float]]]:
    """The training lines of every log below the work dirs, one list for each start."""
    files = [file for run in runs for file in sorted(run.glob("*/vis_data/scalars.json"))]
    lines = [[json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] for file in files]
    return [[entry for entry in file if "time" in entry and "iter" in entry] for file in lines]


def hours(runs: Sequence[Path]) -> float | str:
    """Hours inside training iterations, from the logs."""
    seconds = 0.0
    for entries in logged(runs):
        steps = [entry["iter"] for entry in entries]
        before = [steps[0] - (steps[1] - steps[0]) if len(steps) > 1 else 0, *steps[:-1]] if steps else []
        seconds += sum(entry["time"] * (step - start) for entry, step, start in zip(entries, steps, before))
    return seconds / 3600 if seconds else f"not logged ({platform.machine()})"


def earlier(runs: Sequence[Path]) -> int:
    """Pictures shown in the runs that learned from latents: those with a checkpoint of PairedGenerator."""
    count = 0
    for run in runs:
        newest = max(run.glob("iter_*.pth"), key=lambda path: path.stat().st_mtime, default=None)
        state = {} if newest is None else read_checkpoint(newest)["state_dict"]
        if "images_seen" in state and "steps" not in state:  # StyleGAN2 counts its steps, too
            count += int(state["images_seen"])
    return count


if __name__ == "__main__":
    main()
