"""Linear SVM solvers on the ends of planted scores, and the whole of ``svm`` on 200,000 codes.

python benchmarks/directions.py [--width 512] [--rows 14] [--samples 200000] [--noise 0 1 2] [--smo] [--threads 2]
"""

from __future__ import annotations

import argparse
import math
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from sklearn.linear_model import SGDClassifier
from sklearn.svm import SVC, LinearSVC
from torch import Tensor

from faceuv.models.directions import RegressionDirection, SVMDirection
from faceuv.models.directions.linear_svm import separate
from faceuv.models.stylegan2 import StyleGAN2Generator, broadcast_code

Planes = dict[str, Callable[[Tensor, Tensor], Tensor]]


class Planted:
    """Normal codes whose deviations fall as 1/√k, as those of a trained mapping network roughly do."""

    def __init__(self, rows: int, width: int) -> None:
        self.num_layers, self.code_dim, self.size = rows, width, 2 ** (rows // 2 + 1)
        self.mean_code = torch.zeros(width)
        deviation = torch.arange(1, width + 1).rsqrt()
        self.deviation = deviation / deviation.square().mean().sqrt()

    def sample_latents(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        return torch.randn(count, self.code_dim, generator=generator)

    def mapping(self, z: Tensor) -> Tensor:
        return z * self.deviation

    def sample_codes(self, count: int, *, truncation: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        w = truncation * self.mapping(self.sample_latents(count, generator=generator))
        return broadcast_code(w, self.num_layers, self.code_dim)

    def synthesis(self, code: Tensor) -> Tensor:
        raise NotImplementedError("planted codes have no images")


def degrees(a: Tensor, b: Tensor) -> float:
    a, b = a.double() / a.double().norm(), b.double() / b.double().norm()
    return math.degrees(2 * math.atan2(float((a - b).norm()), float((a + b).norm())))


def solvers(rows: int, smo: bool) -> Planes:
    """Name → low and high codes → the normal of their plane. The last ones see codes scaled to the length of W+."""

    def learn(model: LinearSVC | SGDClassifier | SVC) -> Callable[[Tensor, Tensor], Tensor]:
        def plane(low: Tensor, high: Tensor) -> Tensor:
            codes = torch.cat([low, high])
            codes = (codes - codes.mean(0)) * math.sqrt(rows)
            model.fit(codes.numpy(), np.repeat([0, 1], [len(low), len(high)]))
            return torch.tensor(model.coef_[0])

        return plane

    planes: Planes = {"ours": lambda low, high: separate(low, high, rows=rows)[0]}
    if smo:
        planes["SVC(kernel='linear')"] = learn(SVC(kernel="linear", C=1.0, cache_size=1000))
    planes["LinearSVC(loss='hinge')"] = learn(
        LinearSVC(loss="hinge", C=1.0, intercept_scaling=10, max_iter=2000, random_state=0)
    )
    planes["LinearSVC()"] = learn(LinearSVC(C=1.0, dual=False, random_state=0))
    planes["SGDClassifier"] = learn(SGDClassifier(alpha=1 / 5600, random_state=0))
    return planes


def compare(options: argparse.Namespace) -> None:
    source = Planted(options.rows, options.width)
    rng = torch.Generator().manual_seed(1)
    truth = torch.randn(options.width, generator=rng)
    truth = truth / truth.norm()
    sigma = float((source.deviation * truth).norm())
    print(f"{'noise':>5} {'solver':24} {'seconds':>8} {'° to ours':>10} {'° to planted':>13} {'held out':>9}")
    for noise in options.noise:

        def score(code: Tensor, noise: float = noise, draw: torch.Generator = rng) -> Tensor:
            return code[:, 0] @ truth + noise * sigma * torch.randn(len(code), generator=draw)

        own = torch.Generator().manual_seed(2)

        finder = SVMDirection(score, samples=options.samples)
        start = time.perf_counter()
        (fitted,) = RegressionDirection(partial(score, draw=own), samples=options.samples, ridge=0.0).find(source)
        seconds = time.perf_counter() - start
        print(f"{noise:5.1f} {'least squares, all codes':24} {seconds:8.2f} {degrees(fitted.vector[0], truth):24.2f}")
        ends = finder.scored_ends(source, score)
        order = torch.randperm(finder.end, generator=rng)
        low, high = ends.low[order].double(), ends.high[order].double()
        count = round(0.7 * finder.end)
        ours: Tensor | None = None
        for name, plane in solvers(options.rows, options.smo).items():
            start = time.perf_counter()
            normal = plane(low[:count], high[:count])
            seconds = time.perf_counter() - start
            ours = normal if ours is None else ours
            middle = float((low[:count].mean(0) + high[:count].mean(0)) @ normal) / 2
            right = (low[count:] @ normal < middle).double().mean() + (high[count:] @ normal > middle).double().mean()
            line = f"{noise:5.1f} {name:24} {seconds:8.2f} {degrees(normal, ours):10.2f}"
            print(f"{line} {degrees(normal, truth):13.2f} {float(right) / 2:9.4f}", flush=True)


def whole(options: argparse.Namespace) -> None:
    torch.manual_seed(0)
    generator = StyleGAN2Generator(256, options.width, channel_base=1024)  # only its mapping network is used
    truth = torch.randn(options.width)
    finder = SVMDirection(lambda code: code[:, 0] @ truth, samples=options.samples)
    start = time.perf_counter()
    (found,) = finder.find(generator)
    seconds = time.perf_counter() - start
    print(f"svm: {options.samples} codes of a StyleGAN2 mapping network, scored by a plane: {seconds:.1f} s", end=", ")
    print(f"accuracy {found.accuracy:.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--rows", type=int, default=14)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--noise", type=float, nargs="*", default=[0.0, 1.0, 2.0], help="of the score, in its own σ")
    parser.add_argument("--smo", action="store_true", help="measure SVC, too: minutes where the ends overlap")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")  # solvers that stop early: their figures say it
    compare(options)
    whole(options)


if __name__ == "__main__":
    main()
