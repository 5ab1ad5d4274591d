"""The fitter against the published way: images per second and errors on held-out synthetic faces.

    python benchmarks/fit.py                                   # speed; the published schedule is extrapolated
    python benchmarks/fit.py --images 200 --published 0 --regressor zoo:regressor/weights.safetensors
    python benchmarks/fit.py --images 8 --published 8 --whole  # the published schedule in full: minutes per image

The published way: Adam at 1e-2, 1000 iterations on the landmarks, 500 through the renderer, one image after the other
(batch 1). ``--shorten`` runs a share of both parts' iterations and scales the time up, which the table marks with ≈
(every iteration costs the same); its errors are only known from a run with ``--whole``. Both use the same mesh,
renderer and landmarks, in the same process. The errors of "start" are those of the first guess alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from faceuv.evaluation.coefficient_errors import coefficient_errors, face_weight
from faceuv.files.locate import locate
from faceuv.fitting import SCHEDULES, Fit, Fitter, Landmarks
from faceuv.models.faces import FaceModel
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.readers.regressor import load_regressor
from faceuv.registry import FACE_MODELS, LANDMARK_DETECTORS
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces

SEED = 2  # no training has seen these faces (the weights of two terms were chosen on the first 32 of them)
SHOWN = ("yaw_deg", "pitch_deg", "roll_deg", "landmarks_percent", "shape_mm", "expression_mm", "albedo", "light")


def noisy_truth(model: FaceModel, true: Coefficients, size: int, percent: float) -> Landmarks:
    """The true landmarks, each off by a normal error of ``percent`` of the image's side in x and y."""
    points, _ = LandmarkTruth(model)(true, size)
    noise = torch.randn(points.shape, generator=torch.Generator().manual_seed(0)).to(points)
    found = torch.ones(len(points), dtype=torch.bool, device=points.device)
    return Landmarks(points + 0.01 * percent * size * noise, found, found.to(points.dtype))


def seconds(run: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Wall and processor seconds of one call."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    wall, busy = time.perf_counter(), time.process_time()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - wall, time.process_time() - busy


def shortened(share: float) -> list[dict[str, Any]]:
    """The published schedule with a share of its iterations."""
    return [{**step, "iterations": max(1, round(step["iterations"] * share))} for step in SCHEDULES["published"]]


def one_by_one(fitter: Fitter, images: Tensor, landmarks: Landmarks) -> Fit:
    """Each image alone: the published tool's way."""
    rows = range(len(images))
    return Fit.cat([fitter.fit(images[k : k + 1], landmarks[slice(k, k + 1)]) for k in rows])


def row(
    name: str, fit: Fit | Coefficients, true: Coefficients, tools: Mapping[str, Any], speed: str = "", ratio: str = ""
) -> list[str]:
    """A line of the table: medians over the images that could be fitted."""
    data = fit.coefficients if isinstance(fit, Fit) else fit
    good = torch.isfinite(data.data).all(1)
    found = coefficient_errors(data[good], true[good], tools["model"], size=tools["size"], weight=tools["weight"])
    cells = [f"{float(found[key].median()):.3g}" for key in SHOWN]
    photometric = f"{float(fit.photometric[good].median()):.3f}" if isinstance(fit, Fit) else ""
    refused = str(int((~fit.ok).sum())) if isinstance(fit, Fit) else ""
    return [name, *cells, photometric, refused, speed, ratio]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=32, help="fitted by our schedule")
    parser.add_argument("--published", type=int, default=2, help="of them, fitted by the published one (0: none)")
    parser.add_argument("--whole", action="store_true", help="run the published schedule in full, for its errors")
    parser.add_argument("--shorten", type=float, default=0.02, help="else, this share of its iterations (default 0.02)")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--noise", type=float, default=0.6, help="of the landmarks, %% of the image's side")
    parser.add_argument("--detector", help="find the landmarks instead of taking the noisy truth")
    parser.add_argument("--regressor", help="weights that start the fit; by default cold")
    parser.add_argument("--schedule", default="fast")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()

    device = torch.device(options.device)
    model: FaceModel = FACE_MODELS.build({"type": "ProceduralFace", "rows": 97, "columns": 81}).to(device)
    dataset = SyntheticFaces(size=options.size, seed=SEED, truth=("coefficients",), face_model=model, device=device)
    drawn = dataset.batch(range(options.images))
    images, true = drawn["image"], Coefficients(drawn["coefficients"], model.layout)
    detector = None if options.detector is None else LANDMARK_DETECTORS.build(options.detector).to(device)
    landmarks = noisy_truth(model, true, options.size, options.noise) if detector is None else detector.detect(images)
    regressor = load_regressor(locate(options.regressor)).to(device).eval() if options.regressor else None
    tools = {"model": model, "size": options.size, "weight": face_weight(model)}

    ours = Fitter(model, "torch", detector, regressor, schedule=options.schedule).to(device)
    fits: list[Fit] = []

    def run_ours() -> None:
        """Everything that a picture costs, landmarks by a detector included."""
        parts = range(0, len(images), options.batch)
        given = landmarks if detector is None else None
        fits.append(
            Fit.cat(
                [
                    ours.fit(
                        images[k : k + options.batch], None if given is None else given[slice(k, k + options.batch)]
                    )
                    for k in parts
                ]
            )
        )

    ours.fit(images[:2], landmarks[slice(0, 2)])  # warms up
    wall, busy = seconds(run_ours, device)
    rate = len(images) / wall
    table = Table("", *SHOWN, "photometric", "not ok", "images/s", "ratio", box=None, title_justify="left")
    table.title = (
        f"{len(images)} faces of {options.size}² (seed {SEED}), medians; {device}, {torch.get_num_threads()} threads"
    )
    with torch.no_grad():
        table.add_row(*row("start", Coefficients(ours.start(images), model.layout), true, tools))
    table.add_row(*row(options.schedule, fits[0], true, tools, f"{rate:.2f}", "1"))
    cost = busy / len(images)
    if options.published:
        count, share = min(options.published, len(images)), 1.0 if options.whole else options.shorten
        theirs = Fitter(model, "torch", schedule=shortened(share)).to(device)
        some = landmarks[slice(0, count)]
        theirs_fits: list[Fit] = []
        taken, worked = seconds(lambda: theirs_fits.append(one_by_one(theirs, images[:count], some)), device)
        slow = count * share / taken
        mark = "" if options.whole else "≈ "
        # processor time does not see what else the machine is doing
        ratio = f"{mark}{rate / slow:.0f} × (processor time: {mark}{worked / share / count / cost:.0f} ×)"
        if options.whole:
            table.add_row(*row(f"{options.schedule}, the same {count}", _first(fits[0], count), true[:count], tools))
            table.add_row(*row("published, one by one", theirs_fits[0], true[:count], tools, f"{slow:.4f}", ratio))
        else:
            table.add_row("published, one by one", *[""] * (len(SHOWN) + 2), f"{mark}{slow:.4f}", ratio)
    console = Console(width=220)
    console.print(table)
    console.print(
        f"{cost:.3f} s of processor time per image; {float(fits[0].iterations.float().mean()):.1f} iterations"
    )
    if device.type == "cuda":
        console.print(f"36,000 images: {36_000 / rate / 60:.0f} minutes")


def _first(fit: Fit, count: int) -> Fit:
    return Fit(
        fit.coefficients[:count], fit.ok[:count], fit.reasons[:count], fit.landmark_error[:count],
        fit.photometric[:count], fit.iterations[:count], fit.evidence[:count], fit.confidence[:count],
        fit.doubts[:count],
    )  # fmt: skip


if __name__ == "__main__":
    main()
