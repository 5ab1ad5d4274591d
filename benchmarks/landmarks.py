"""How well a landmark detector finds the landmarks of held-out synthetic faces; ships a trained network with its card.

python benchmarks/landmarks.py [--weights FILE] [--faces 256] [--sheet FILE.png]
python benchmarks/landmarks.py --ship WORK_DIR [--entry landmarks_mixed] [--hardware TEXT]  the newest checkpoint's
averaged network → the zoo
python benchmarks/landmarks.py --generator FILE [--sheet FILE.png]  on pictures of a generator, whose truth is unknown
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from faceuv.data.cached import CachedImages
from faceuv.data.cutouts import cut, points_in, random_frames
from faceuv.data.no_face import no_face
from faceuv.data.perturb import perturb
from faceuv.engine import load_config
from faceuv.engine.compat.checkpoints import read_checkpoint
from faceuv.evaluation import landmark_errors, summarise_landmarks, summarise_scores
from faceuv.export import draw_points
from faceuv.export.images import contact_sheet, save_png
from faceuv.files import zoo
from faceuv.files.cards import write_card
from faceuv.files.networks import save_network
from faceuv.fitting.landmarks import LandmarkDetector, Landmarks, SyntheticLandmarks
from faceuv.models.faces import LandmarkTruth, ProceduralFace, interocular_distance
from faceuv.models.readers.landmark_network import LandmarkNetwork
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylegan2 import load_generator
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces

ENTRY, FILE = "landmarks", "weights.safetensors"
TEACHER = "teacher_64"
SIZE = 128
VALIDATION_SEED, HELD_OUT_SEED = 1, 2
YAWS = ((0, 15), (15, 30), (30, 45), (45, 65))
LOOSE: dict[str, Any] = {"shift": 0.15, "zoom": (0.7, 1.3), "turn": math.radians(30)}
_AVERAGE = "ema.network."


@dataclass(frozen=True)
class Faces:
    """Pictures ``(N, 3, S, S)`` in [0, 1] with their truth: points ``(N, 68, 2)`` in pixels, which of them are seen,
    the interocular distance in pixels and the yaw in degrees ``(N,)``."""

    images: Tensor
    points: Tensor
    visible: Tensor
    interocular: Tensor
    yaw: Tensor

    def loosely_framed(self) -> Faces:
        """Moved, turned and scaled at random, the same each time."""
        size = self.images.shape[3]
        frames = random_frames(self.images, generator=torch.Generator().manual_seed(0), **LOOSE)
        points = (points_in(frames, self.points) + 1) * (size / 2)
        zoom = (size / 2) / torch.linalg.det(frames[:, :, :2]).sqrt()
        return Faces(cut(self.images, frames, size), points, self.visible, self.interocular * zoom, self.yaw)

    def perturbed(self) -> Faces:
        """As bad photographs would show them."""
        spoilt = perturb(self.images, range(len(self.images)), self.points)
        return Faces(spoilt, self.points, self.visible, self.interocular, self.yaw)


def held_out(count: int, size: int = SIZE) -> Faces:
    """Faces that no training saw, with exact truth; drawing them takes minutes on a CPU."""
    truth = ("coefficients", "landmarks", "landmark_visibility")
    drawn = SyntheticFaces(size=size, seed=HELD_OUT_SEED, truth=truth).batch(range(count))
    face_model = ProceduralFace(rows=97, columns=81)
    coefficients = Coefficients(drawn["coefficients"], face_model.layout)
    _, interocular = LandmarkTruth(face_model)(coefficients, size)
    yaw = torch.rad2deg(coefficients.rotation[:, 1])
    return Faces(drawn["image"], drawn["landmarks"], drawn["landmark_visibility"], interocular, yaw)


def errors_of(found: Landmarks, faces: Faces) -> Tensor:
    return landmark_errors(found.points, faces.points, faces.interocular)


def row(errors: Tensor, visible: Tensor) -> str:
    """A row of a card."""
    found = summarise_landmarks(errors, visible)
    return "; ".join(
        f"{words} median {found[f'{name}_median']:.2f}, mean {found[f'{name}_mean']:.2f}, 95 % below"
        f" {found[f'{name}_p95']:.2f}"
        for name, words in (("landmarks", "all points"), ("visible", "visible ones"))
    )


def without_faces(faces: Faces) -> Tensor:
    size = faces.images.shape[3]
    return no_face(faces.images, faces.points * (2 / size) - 1, torch.Generator().manual_seed(0))


def measured(path: Path, faces: Faces) -> dict[str, Any]:
    """Everything a card says of errors."""
    detector = SyntheticLandmarks(path)
    sets = {
        "as synthetic faces are framed": faces,
        "loosely framed (moved ±15 %, scaled 0.7 … 1.3, rolled ±30°)": faces.loosely_framed(),
        "with photographic perturbations": faces.perturbed(),
    }
    found = {name: detector.detect(group.images) for name, group in sets.items()}
    framed = {name: row(errors_of(found[name], group), group.visible) for name, group in sets.items()}
    tight = errors_of(next(iter(found.values())), faces)
    by_yaw = {}
    for low, high in YAWS:
        chosen = (faces.yaw.abs() >= low) & (faces.yaw.abs() < high)
        if bool(chosen.any()):
            by_yaw[f"{low}° … {high}° ({int(chosen.sum())} faces)"] = row(tight[chosen], faces.visible[chosen])
    others = detector.detect(without_faces(faces)).score
    scores = {name: summarise_scores(marks.score, others) for name, marks in found.items()}
    ways = {}
    for looks, mirror in ((1, False), (1, True), (2, False), (2, True), (3, True)):
        other = SyntheticLandmarks(path, looks=looks, mirror=mirror)
        parts = [float(errors_of(other.detect(group.images), group).mean()) for group in list(sets.values())[:2]]
        ways[f"looks={looks}, mirror={mirror}"] = f"{parts[0]:.2f}; loosely framed {parts[1]:.2f}"
    return {
        "Errors, % of the interocular distance": framed,
        "The same by yaw": by_yaw,
        "Whether there is a face, %": {
            name: f"missed {s['missed']:.1f}, imagined {s['imagined']:.1f}, calibration error {s['calibration']:.1f}"
            for name, s in scores.items()
        },
        "Mean errors by settings": ways,
    }


def calibrated(network: LandmarkNetwork, path: Path, metadata: Mapping[str, Any]) -> None:
    """Fit scale and offset of the score on validation pictures, and write them with the weights."""
    save_network(path, network, dtype=torch.float16, metadata=metadata)
    detector = SyntheticLandmarks(path)
    pool = CachedImages(
        {"type": "SyntheticFaces", "size": network.size, "seed": VALIDATION_SEED}, 512, workers=2,
        facts=("coefficients",),
    )  # fmt: skip
    items = [pool[k] for k in range(len(pool))]
    images = torch.stack([item["image"] for item in items]) / 255
    truth = LandmarkTruth(ProceduralFace(rows=97, columns=81))
    points, scale = truth(Coefficients(torch.stack([item["coefficients"] for item in items])), network.size)
    faces = Faces(images, points, torch.ones(points.shape[:2]), scale, torch.zeros(len(points)))
    groups = [faces.images, faces.loosely_framed().images, faces.perturbed().images]
    seen = torch.cat([detector.logits(group) for group in groups]).double()
    others = detector.logits(without_faces(faces)).double()
    values = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([values], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.softplus(-(values[0] * seen + values[1])).mean() + F.softplus(values[0] * others + values[1]).mean()
        loss = loss + 1e-3 * (values[0] - 1).square()  # perfectly told apart, the scale would have no end
        loss.backward()
        return loss

    optimizer.step(closure)
    calibration = [float(value) for value in values.detach()]
    save_network(path, network, dtype=torch.float16, metadata={**metadata, "calibration": calibration})


def shipped(work_dir: Path, hardware: str) -> tuple[LandmarkNetwork, dict[str, Any]]:
    """The averaged network of the newest checkpoint, and how it was trained."""
    checkpoints = sorted(work_dir.glob("iter_*.pth"), key=lambda path: int(path.stem.split("_")[1]))
    if not checkpoints:
        raise SystemExit(f"{work_dir} holds no checkpoint iter_*.pth")
    state = read_checkpoint(checkpoints[-1])
    weights = {name.removeprefix(_AVERAGE): w for name, w in state["state_dict"].items() if name.startswith(_AVERAGE)}
    config = load_config(next(work_dir.glob("*.py")))
    network = LandmarkNetwork(**{key: value for key, value in config.model.network.items() if key != "type"})
    network.load_state_dict(weights)
    iterations, batch = int(state["meta"]["iter"]), int(config.train_dataloader.batch_size)
    logs = [json.loads(line) for path in work_dir.glob("*/vis_data/scalars.json") for line in path.open()]
    times = [log["time"] for log in logs if "time" in log and "points" in log]
    seconds = sum(times) * iterations / max(len(times), 1)
    data = config.train_dataloader.dataset
    several = data.dataset.type == "MixedFaces"
    people = "faces of MakeHuman, ICT-FaceKit and the procedural face (2 : 2 : 1)" if several else "synthetic faces"
    side, recipe = data.dataset.size, next(work_dir.glob("*.py")).name
    facts = {
        "config": f"`configs/{recipe}`",
        "training data": f"{int(data.length):,} {people} of {side}² (seed 0), in random frames, mirrored,"
        " perturbed; 15 % replaced by pictures without a face",
        "cut-outs seen": f"{iterations * batch:,}",
        "training time": f"{seconds / 60:.0f} minutes of wall time, {hardware}",
    }
    return network.eval(), facts


@torch.no_grad()
def speed(detector: LandmarkDetector, batch: int) -> float:
    """Pictures per second, the best of a few rounds."""
    images, best = torch.rand(batch, 3, SIZE, SIZE), 0.0
    detector.detect(images)
    for _ in range(3):
        start = time.perf_counter()
        detector.detect(images)
        best = max(best, batch / (time.perf_counter() - start))
    return best


def drawn(images: Tensor, found: Landmarks, side: int = 192) -> Tensor:
    """Enlarged, with the points on them."""
    large = F.interpolate(images, size=(side, side), mode="bicubic").clamp(0, 1)
    return draw_points(large, found.points * (side / images.shape[3]), found.found)


def sheet(path: Path, detector: LandmarkDetector, faces: Faces) -> None:
    """Twelve faces from left to right: as they are, loosely framed, perturbed; and pictures without a face."""
    order = torch.argsort(faces.yaw)
    chosen = order[torch.linspace(0, len(order) - 1, 12).round().long()]
    part = Faces(*(value[chosen] for value in vars(faces).values()))
    groups = [part, part.loosely_framed(), part.perturbed()]
    tiles, labels = [], []
    for group in groups:
        found = detector.detect(group.images)
        tiles += list(drawn(group.images, found))
        errors = errors_of(found, group).mean(1)
        labels += [f"yaw {yaw:.0f}°, {error:.1f} %" for yaw, error in zip(group.yaw.tolist(), errors.tolist())]
    others = without_faces(part)
    found = detector.detect(others)
    tiles += list(drawn(others, found))
    labels += [f"score {score:.2f}" for score in found.score.tolist()]
    save_png(path, contact_sheet(tiles, columns=12, labels=labels))


@torch.no_grad()
def on_generator(detector: LandmarkDetector, path: Path, count: int, picture: Path | None) -> dict[str, str]:
    """What can be said of pictures whose truth is unknown: how many faces are found, how much the points move when the
    picture is shifted, and how far they are from those of the coefficients that the regressor reads."""
    generator = load_generator(path).eval()
    latents = [generator.sample_latents(1, generator=torch.Generator().manual_seed(seed)) for seed in range(count)]
    images = torch.cat([generator(part).clamp(0, 1) for part in torch.cat(latents).split(32)])
    side = images.shape[3]
    found = detector.detect(images)
    scale = interocular_distance(found.points).clamp_min(0.1 * side)  # of a profile it says little
    step = side // 16
    moved = detector.detect(images.roll(step, 3)).points - found.points.new_tensor([step, 0.0])
    regressor = load_regressor(zoo.path("regressor", "weights.safetensors"))
    read, _ = LandmarkTruth(ProceduralFace(rows=97, columns=81))(regressor(images), side)
    others = {
        f"pictures shifted by {step} pixels": moved,
        "the landmarks of the regressor's coefficients": read,
    }
    if picture:
        save_png(picture, contact_sheet(list(drawn(images, found)[:48]), columns=12))
    rows = {"found": f"{100 * float(found.found.float().mean()):.1f} % of {count} pictures"}
    for name, points in others.items():
        if not bool(found.found.any()):
            break
        errors = landmark_errors(points, found.points, scale)[found.found].mean(1)
        rows[f"against {name}"] = f"median {float(errors.median()):.2f} %, mean {float(errors.mean()):.2f} %"
    return rows


TEXT = f"""
`{FILE}`: picture → the 68 landmarks (iBUG order) of one face, and whether there is one. A small convolutional network
with one map per landmark, whose centre of mass is the point, mended by a last layer that sees everything.

```python
from faceuv.fitting.landmarks import SyntheticLandmarks

found = SyntheticLandmarks().detect(images)  # (B, 3, H, W) in [0, 1] → points, found, score, reasons
```

Limits: trained on synthetic faces alone, |yaw| below 65°; photographs were not measured, for them `face-alignment` is
the better detector. One face per picture, which fills at least half of it. It looks at 64² cut-outs, so points are not
found more finely than that. The interocular distance is that of the outer eye corners as the face would show them from
the front. All points count, hidden ones too; visible ones are those that nothing covers.
""".strip()
MIXED = f"""
`{FILE}`: the network of the entry `landmarks`, trained on with people of three head models, who move more and turn
farther. `faceuv head` uses it; the tables below are of the same synthetic faces as in the card of `landmarks`.

```python
from faceuv.fitting.landmarks import SyntheticLandmarks

detector = SyntheticLandmarks("zoo:landmarks_mixed/weights.safetensors")
```

On 25 faces in photographs of public figures, against the points of dlib's public 68-point predictor, eyes, nose tip
and mouth corners are off by 5 % of the distance of the outer eye corners in the median (`landmarks`: 7 %), none by more
than 15 % (`landmarks`: 1). Points of the nose and the mouth still lie 4 to 5 % too low (`landmarks`: 6 to 8 %). The
head models are not the cause: on their pictures the same predictor agrees with their landmarks of eyes and mouth within
about 1 %; brows lie 2 to 3 % lower, the bridge of the nose and the jaw of ICT-FaceKit 4 %.

Limits: it learned from synthetic faces alone. One face per picture, which fills at least half of it. It looks at 64²
cut-outs, so points are not found more finely than that.
""".strip()
TEXTS = {ENTRY: ("Landmark detector", TEXT), "landmarks_mixed": ("Landmark detector for photographs", MIXED)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--faces", type=int, default=256, help="held-out faces, or generated ones, to measure on")
    parser.add_argument("--sheet", type=Path, help="write pictures with what was found in them")
    parser.add_argument("--ship", type=Path, metavar="WORK_DIR", help="write the zoo's weights and card")
    parser.add_argument("--entry", choices=TEXTS, default=ENTRY, help="the entry of the zoo")
    parser.add_argument("--hardware", default="one thread of a CPU")
    parser.add_argument("--generator", type=Path, help="a StyleGAN2 generator: measure on its pictures instead")
    args = parser.parse_args()

    path = args.weights or zoo.FOLDER / args.entry / FILE
    facts: dict[str, Any] = {}
    if args.ship:
        network, facts = shipped(args.ship, args.hardware)
        calibrated(network, path, facts)
    detector = SyntheticLandmarks(path)
    if args.generator:
        for name, value in on_generator(detector, args.generator, args.faces, args.sheet).items():
            print(f"{name:<56} {value}")
        return
    faces = held_out(args.faces)
    facts |= {
        "size": f"{path.stat().st_size / 1e6:.2f} MB, {sum(p.numel() for p in detector.parameters()):,} weights",
        "speed": f"{speed(detector, 64):.0f} pictures/s in batches of 64, {speed(detector, 1):.0f} /s one by one,"
        f" {torch.get_num_threads()} CPU thread(s)",
        "measured on": f"{args.faces} held-out synthetic faces of {SIZE}² (seed {HELD_OUT_SEED})",
        **measured(path, faces),
        f"On pictures of the zoo's {TEACHER}, whose truth nobody knows": on_generator(
            detector, zoo.path(TEACHER, "generator.safetensors"), args.faces, None
        ),
    }
    for name, value in facts.items():
        print(f"{name}: {value}" if not isinstance(value, dict) else f"\n{name}")
        if isinstance(value, dict):
            print("\n".join(f"  {key:<60} {text}" for key, text in value.items()))
    if args.ship:
        print(f"wrote {write_card(args.entry, TEXTS[args.entry][0], facts, TEXTS[args.entry][1])}")
    if args.sheet:
        sheet(args.sheet, detector, faces)


if __name__ == "__main__":
    main()
