"""Fits of synthetic faces of several head models, whose truth is known: errors, whether amounts stay in their limits,
and time.

    python benchmarks/fit_heads.py --heads ProceduralFace ICTFaceKit MakeHuman --faces 24
"""

from __future__ import annotations

import argparse
import time

import torch

from faceuv.evaluation.coefficient_errors import coefficient_errors
from faceuv.fitting import Fitter, Landmarks
from faceuv.models.faces import FaceModel
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.registry import FACE_MODELS
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces

_CHUNK = 8


def pictures(model: FaceModel, count: int, size: int) -> tuple[torch.Tensor, Coefficients]:
    """Images ``(count, 3, size, size)`` and their coefficients."""
    dataset = SyntheticFaces(count, size=size, seed=11, truth=("coefficients",), face_model=model, texture_size=256)
    parts = [dataset.batch(range(k, min(k + _CHUNK, count))) for k in range(0, count, _CHUNK)]
    images, data = (torch.cat([part[name] for part in parts]) for name in ("image", "coefficients"))
    return images, Coefficients(data, model.layout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--heads", nargs="+", default=["ProceduralFace", "ICTFaceKit", "MakeHuman"])
    parser.add_argument("--faces", type=int, default=24)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--noise", type=float, default=0.5, help="of the landmarks, pixels")
    parser.add_argument("--schedules", nargs="+", default=["fast"])
    options = parser.parse_args()
    print("| head | schedule | landmarks px | shape mm | expression mm | outside limits % | s per face |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for name in options.heads:
        model = FACE_MODELS.build(name)
        images, true = pictures(model, options.faces, options.size)
        points, _ = LandmarkTruth(model)(true, options.size)
        noise = torch.randn(points.shape, generator=torch.Generator().manual_seed(0))
        count = options.faces
        marks = Landmarks(points + options.noise * noise, torch.ones(count, dtype=torch.bool), torch.ones(count))
        for schedule in options.schedules:
            fitter = Fitter(model, schedule=schedule)
            start = time.perf_counter()
            found = fitter.fit(images, marks)
            seconds = (time.perf_counter() - start) / count
            known = torch.isfinite(found.coefficients.data).all(1)
            pred, target = (Coefficients(c.data[known], model.layout) for c in (found.coefficients, true))
            errors = coefficient_errors(pred, target, model, size=options.size)
            outside = 0.0
            if model.expression_limits is not None:
                low, high = model.expression_limits.unbind(1)
                away = (pred.expression < low - 1e-5) | (pred.expression > high + 1e-5)
                outside = 100 * float(away.float().mean())
            numbers = [float(errors[key].mean()) for key in ("landmarks_px", "shape_mm", "expression_mm")]
            cells = [name, schedule, *(f"{value:.2f}" for value in numbers), f"{outside:.1f}", f"{seconds:.2f}"]
            print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
