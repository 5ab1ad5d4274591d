"""What the confidence of a fit says about its true error, on synthetic faces that are clean, covered, blurred or dark.

    python benchmarks/fit_confidence.py --seed 32 --images 144                # the table of docs/fitting.md
    python benchmarks/fit_confidence.py --seed 31 --images 288 --calibrate    # choose limits
    python benchmarks/fit_confidence.py --sheet found.png                     # look at the pictures

Half of the faces are clean, of which a third has the most open mouths among many; the others go through
``faceuv.data.occlude``, each kind in turn. Each is fitted twice as ``faceuv fit`` does it,
started by the regressor and with ``--regressor none``. The error is the mean distance of the fitted landmarks from the
true ones, in eye distances, of the worst of five regions: jaw, brows, nose, eyes, mouth. With ``--cache FILE`` evidence
and errors are kept in a file, from which an interrupted run goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from faceuv.data.occlude import KINDS, occlude
from faceuv.export import contact_sheet, draw_points, save_png
from faceuv.files import zoo
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.fitting import Fit, Fitter
from faceuv.fitting.confidence import DOUBTFUL, LIMITS, PARTS, confidence_of, doubt_of
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.readers.regressor import load_regressor
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces

GOOD, BAD = 0.08, 0.15  # errors in eye distances
ALL_KINDS = ("clean", "open", *KINDS)
REGIONS = (slice(0, 17), slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 68))  # jaw, brows, nose, eyes, mouth
RANGES = {  # of the limits that are searched; fits of synthetic faces cannot say which coefficients go too far
    "detector": (0.2, 0.8), "agreement": (0.06, 0.15), "landmarks": (0.06, 0.15), "colours": (0.4, 1.0),
    "inside": (0.04, 0.3),
}  # fmt: skip
FALSE_ALARM = 1.5
_POOL = 600  # faces among which the most open mouths are looked for
_AT_ONCE = 8


class Faces:
    """Row → a picture, its kind and true landmarks: a function of the row alone."""

    def __init__(self, size: int, seed: int) -> None:
        self.size, self.seed = size, seed
        self.model = ProceduralFace(rows=97, columns=81, verbose=False)
        self.dataset = SyntheticFaces(size=size, seed=seed, samples=1, truth=("coefficients",), face_model=self.model)
        self.truth = LandmarkTruth(self.model)
        facts = self.dataset.facts(range(100_000, 100_000 + _POOL))["coefficients"]
        points, eyes = self.truth(Coefficients(facts, self.model.layout), size)
        gape = torch.linalg.vector_norm(points[:, 62] - points[:, 66], dim=1) / eyes
        self.open = (100_000 + gape.argsort(descending=True)).tolist()

    def __call__(self, row: int) -> tuple[Tensor, str, Tensor, Tensor]:
        """Picture ``(3, S, S)``, kind, landmarks ``(68, 2)`` in pixels, eye distance ``()``."""
        kind = ("clean", "clean", "open")[row // 2 % 3] if row % 2 == 0 else KINDS[row // 2 % len(KINDS)]
        drawn = self.dataset.batch([self.open[row // 6] if kind == "open" else row])
        points, eyes = self.truth(Coefficients(drawn["coefficients"], self.model.layout), self.size)
        image, place = drawn["image"][0], points[0]
        if kind in KINDS:
            image, place = occlude(image, place, kind, torch.Generator().manual_seed(1000 * self.seed + row))
        spread = [float((marks - marks.mean(0)).norm()) for marks in (points[0], place)]
        return image, kind, place, eyes[0] * spread[1] / spread[0]


def collect(count: int, size: int, seed: int, cache: Path | None) -> dict[str, Tensor]:
    """Of each picture two fits, started by the regressor and cold: ``evidence (R, 7)``, ``error (R,)``, ``kind``,
    ``ok``, ``row`` (of the picture), ``cold``."""
    found: dict[str, Tensor] = {}
    if cache is not None and cache.is_file():
        found, header = load_tensors(cache, kind="fit_confidence")
        if (header["size"], header["seed"]) != (size, seed):
            raise SystemExit(f"{cache} holds other pictures ({header}); choose another --cache")
    done = len(found.get("error", ())) // 2
    if done >= count:
        chosen = found["row"] < count
        return {name: value[chosen] for name, value in found.items()}
    faces = Faces(size, seed)
    regressor = load_regressor(zoo.path("regressor", "weights.safetensors"))
    fitters = [
        Fitter("ProceduralFace", "torch", "SyntheticLandmarks", first, fit_model=faces.model)
        for first in (regressor, None)
    ]
    for start in track(range(done, count, _AT_ONCE), "fitting"):
        rows = range(start, min(start + _AT_ONCE, count))
        images, kinds, places, eyes = zip(*(faces(row) for row in rows))
        fit = Fit.cat([fitter.fit(torch.stack(images)) for fitter in fitters])
        points, _ = faces.truth(fit.coefficients, size)
        apart = torch.linalg.vector_norm(points - torch.stack(places * 2), dim=2)
        error = torch.stack([apart[:, region].mean(1) for region in REGIONS], 1).amax(1) / torch.stack(eyes * 2)
        part = {
            "evidence": fit.evidence,
            "error": error,
            "kind": torch.tensor([ALL_KINDS.index(kind) for kind in kinds * 2]),
            "ok": fit.ok,
            "row": torch.tensor([*rows] * 2),
            "cold": torch.arange(2).repeat_interleave(len(rows)),
        }
        found = {name: torch.cat([found[name], value]) if found else value for name, value in part.items()}
        if cache is not None:
            save_tensors(cache, found, {"kind": "fit_confidence", "size": size, "seed": seed})
    return found


def calibrate(evidence: Tensor, error: Tensor, tries: int = 3000) -> dict[str, float]:
    """The limits, of ``tries`` random ones, with the largest share of bad fits caught minus :data:`FALSE_ALARM` times
    the share of good ones; those that :data:`RANGES` does not name stay."""
    generator = torch.Generator().manual_seed(0)
    low, high = (torch.tensor(ends).log() for ends in zip(*RANGES.values()))
    limits = torch.tensor([LIMITS[name] for name in PARTS])
    columns = [PARTS.index(name) for name in RANGES]
    bad, good, squares = error > BAD, error < GOOD, evidence.nan_to_num(0.0).square()
    best, most = limits, -torch.inf
    for _ in range(tries):
        tried = limits.clone()
        tried[columns] = torch.lerp(low, high, torch.rand(len(RANGES), generator=generator)).exp()
        doubtful = (squares / tried.square()).sum(1) > 1 / DOUBTFUL - 1
        value = float(doubtful[bad].float().mean() - FALSE_ALARM * doubtful[good].float().mean())
        if value > most:
            best, most = tried, value
    return dict(zip(PARTS, best.tolist()))


def rates(found: dict[str, Tensor], rows: Tensor) -> list[str]:
    """Counts and shares of one line of the table. A failed fit is not counted as one of the bad or the good."""
    error, ok = found["error"][rows], found["ok"][rows]
    doubtful = confidence_of(found["evidence"][rows]) < DOUBTFUL
    cells = [str(len(error)), str(int((~ok).sum()))]
    for chosen in (ok & (error > BAD), ok & (error <= BAD) & (error >= GOOD), ok & (error < GOOD)):
        count = int(chosen.sum())
        cells.append(f"{int((doubtful & chosen).sum())} of {count}")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=144)
    parser.add_argument("--seed", type=int, default=32, help="of the pictures; the limits were chosen on 31")
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--cache", type=Path, metavar="FILE", help="a .safetensors file of what was measured")
    parser.add_argument("--calibrate", action="store_true", help="choose limits on these pictures")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="draw the first 36 pictures with their true points")
    args = parser.parse_args()
    console = Console()
    if args.sheet:
        faces = Faces(args.size, args.seed)
        drawn = [faces(row) for row in range(36)]
        pictures = [draw_points(image[None], points[None])[0].clamp(0, 1) for image, _, points, _ in drawn]
        save_png(args.sheet, contact_sheet(pictures, labels=[kind for _, kind, _, _ in drawn]))
        return
    found = collect(args.images, args.size, args.seed, args.cache)
    everything = torch.ones_like(found["ok"])
    if args.calibrate:
        known = found["ok"]
        chosen = calibrate(found["evidence"][known], found["error"][known])
        console.print({name: float(f"{value:.3g}") for name, value in chosen.items()})
        LIMITS.update(chosen)
    table = Table("fits", "number", "failed", "doubtful of error > 15 %", "of 8 … 15 %", "of < 8 %")
    table.add_row("all", *rates(found, everything))
    table.add_row("regressor", *rates(found, found["cold"] == 0))
    table.add_row("cold", *rates(found, found["cold"] == 1))
    for number, kind in enumerate(ALL_KINDS):
        table.add_row(kind, *rates(found, found["kind"] == number))
    console.print(table)
    ok = found["ok"]
    ranks = [value[ok].argsort().argsort().double() for value in (confidence_of(found["evidence"]), found["error"])]
    console.print(f"rank correlation of confidence and error: {torch.corrcoef(torch.stack(ranks))[0, 1]:.2f}")
    for name, column in zip(PARTS, found["evidence"].unbind(1)):
        good, bad = (column[ok & (found["error"] < GOOD)], column[ok & (found["error"] > BAD)])
        console.print(f"{name:12s} medians: good {good.nanmedian():.3f}, bad {bad.nanmedian():.3f}")
    missed = ok & (found["error"] > BAD) & (confidence_of(found["evidence"]) >= DOUBTFUL)
    for row in missed.nonzero()[:, 0].tolist()[:10]:
        about = doubt_of(found["evidence"][row].tolist())
        console.print(f"missed: picture {int(found['row'][row])} {kind} error {found['error'][row]:.2f}: {about}")


if __name__ == "__main__":
    main()
