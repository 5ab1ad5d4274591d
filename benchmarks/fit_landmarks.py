"""Levenberg–Marquardt against Adam on the same objective: landmarks and priors; pose, identity and expression.

    python benchmarks/fit_landmarks.py

The table says how much of the objective's possible decrease each has reached after how many iterations, in which time.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from faceuv.fitting.fitter import steps_of
from faceuv.fitting.priors import likely
from faceuv.fitting.solver import Term
from faceuv.fitting.steps import RIGID, SHAPE, FitStep, Problem
from faceuv.fitting.terms import LandmarkTerm, PriorTerm
from faceuv.models.faces.landmark_truth import LandmarkTruth
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.registry import FIT_STEPS, RENDERERS
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces

SIZE, WEIGHT, PRIOR = 128, 1000.0, {"identity": 1e-3, "expression": 2e-3}


def adam(iterations: int, rate: float) -> dict[str, Any]:
    """The objective as losses."""
    losses: dict[str, Any] = {"landmarks": {"type": "LandmarkLoss", "weight": WEIGHT, "emphasis": 1.0}}
    for group, weight in PRIOR.items():
        losses[group] = {"type": "CoefficientPenalty", "group": group, "weight": weight}
    return {"type": "AdamStep", "losses": losses, "groups": SHAPE, "rate": rate, "iterations": iterations}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=32)
    options = parser.parse_args()

    model = ProceduralFace(rows=97, columns=81, verbose=False)
    facts = SyntheticFaces(size=SIZE, seed=2, face_model=model).facts(range(options.images))
    points, _ = LandmarkTruth(model)(Coefficients(facts["coefficients"], model.layout), SIZE)
    points = points + 0.006 * SIZE * torch.randn(points.shape, generator=torch.Generator().manual_seed(0))
    centre = likely(model.layout, points)
    blank = points.new_zeros(len(points), 3, SIZE, SIZE)
    problem = Problem(model, RENDERERS.build("torch"), blank, points, None, centre)
    terms: list[Term] = [
        LandmarkTerm(model, problem.renderer.camera, points, SIZE, SIZE, weight=WEIGHT, emphasis=1.0, robust=None),
        PriorTerm(model.layout, PRIOR, centre),
    ]
    rows = torch.arange(len(points))

    def cost(x: Tensor) -> Tensor:
        return torch.stack([term.cost(x, rows) for term in terms]).sum(0)

    start = centre.expand(len(points), -1).clone()
    plain = {"type": "LandmarkStep", "robust": None, "weight": WEIGHT, "prior": PRIOR}
    best, _ = run([{**plain, "tolerance": 1e-9, "iterations": 200}], problem, start)
    lowest = cost(best)
    table = Table("", "iterations", "decrease reached", "worst image", "ms per image", box=None)
    tries: list[tuple[str, list[dict[str, Any]]]] = [
        ("Levenberg–Marquardt, pose first", [{**plain, "groups": RIGID}, plain]),
        ("Levenberg–Marquardt", [plain]),
    ]
    for rate in (1e-2, 5e-2):
        tries += [(f"Adam at {rate:g}", [adam(count, rate)]) for count in (100, 300, 1000)]
    for name, steps in tries:
        before = time.process_time()
        x, iterations = run(steps, problem, start)
        taken = time.process_time() - before
        reached = 100 * (cost(start) - cost(x)) / (cost(start) - lowest)
        table.add_row(
            name,
            f"{float(iterations.float().mean()):.1f}",
            f"{float(reached.mean()):.2f} %",
            f"{float(reached.min()):.2f} %",
            f"{1000 * taken / len(points):.1f}",
        )
    Console(width=140).print(table)


def run(configs: list[dict[str, Any]], problem: Problem, x: Tensor) -> tuple[Tensor, Tensor]:
    """Some steps after one another, and their iterations."""
    total = torch.zeros(len(x), dtype=torch.int64)
    for config in steps_of(configs):
        step: FitStep = FIT_STEPS.build(config)
        x, taken = step.run(problem, x)
        total = total + taken
    return x, total


if __name__ == "__main__":
    main()
