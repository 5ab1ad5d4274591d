"""What kornia and scikit-learn would do in place of code of ours: time and difference, case by case.

python benchmarks/dependencies.py [--size 256] [--batch 8] [--repeats 7] [--threads 1]

Prints a row per case: milliseconds of processor time of ours and of theirs (the median of the repeats, alternating),
and how far apart the results are. The table of docs/dependencies.md is this output.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits
from torch import Tensor

from faceuv.registry import FACE_MODELS


@dataclass(frozen=True)
class Case:
    """One task, done twice; ``difference`` says how far the results are apart, in words with a number."""

    name: str
    ours: Callable[[], Any]
    theirs: Callable[[], Any]
    difference: Callable[[Any, Any], str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    threadpool_limits(args.threads)
    print("| task | ours, ms | theirs, ms | theirs ÷ ours | difference |\n|---|---|---|---|---|")
    for case in cases(args.batch, args.size):
        first, second = case.ours(), case.theirs()  # warm both up
        times: tuple[list[float], list[float]] = ([], [])
        for _ in range(args.repeats):
            for run, kept in zip((case.ours, case.theirs), times):
                start = time.process_time()
                run()
                kept.append((time.process_time() - start) * 1e3)
        ours, theirs = map(statistics.median, times)
        print(f"| {case.name} | {ours:.3g} | {theirs:.3g} | {theirs / ours:.2f} | {case.difference(first, second)} |")


def cases(batch: int, size: int) -> Iterator[Case]:
    """Pictures first, then codes."""
    from faceuv import Face

    model = FACE_MODELS.build({"type": "ProceduralFace", "rows": 97, "columns": 81})
    faces = [Face.random(seed, face_model=model).render(size) for seed in range(batch)]
    yield from picture_cases(torch.stack(faces))
    yield from code_cases()


def picture_cases(images: Tensor) -> Iterator[Case]:
    import kornia

    from faceuv.data.perturb import jpeg
    from faceuv.losses.pyramid import PyramidL1
    from faceuv.renderers import pasting

    other = images.flip(0)
    sigma = 3.0
    radius = round(2.5 * sigma)
    yield Case(
        f"Gaussian blur, σ {sigma:g} (theirs is used in fitting)",
        lambda: plain_blur(images, sigma),
        lambda: kornia.filters.gaussian_blur2d(images, 2 * radius + 1, (sigma, sigma), border_type="replicate"),
        largest,
    )
    depth = images[:, :1, ::2, ::2].contiguous()
    yield Case(
        "3 × 3 minimum of depth (fitting)",
        lambda: -F.max_pool2d(-depth, 3, 1, 1),
        lambda: kornia.morphology.erosion(depth, torch.ones(3, 3)),
        largest,
    )
    yield Case(
        "half the size (multi-band seam)",
        lambda: pasting._down(images),
        lambda: kornia.geometry.transform.pyrdown(images, border_type="replicate"),
        largest,
    )
    yield Case(
        "pyramid of 3 levels (PyramidL1)",
        lambda: PyramidL1(3)({"image": images}, {"image": other}),
        lambda: torch.stack(
            [
                (a - b).abs().mean()
                for a, b in zip(
                    kornia.geometry.transform.build_pyramid(images, 3),
                    kornia.geometry.transform.build_pyramid(other, 3),
                )
            ]
        ).mean(),
        lambda a, b: f"another loss: {float(a):.4f}, {float(b):.4f}",
    )
    matrix = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    yield Case(
        "RGB → YCbCr (JPEG)",
        lambda: torch.einsum("ij,bjhw->bihw", matrix, images) + torch.tensor([0, 0.5, 0.5])[:, None, None],
        lambda: kornia.color.rgb_to_ycbcr(images),
        largest,
    )
    quality = torch.full((len(images),), 50.0)
    yield Case(
        "JPEG, quality 50 (perturbations)",
        lambda: jpeg(images, quality),
        lambda: kornia.enhance.jpeg_codec_differentiable(images, quality),
        lambda ours, theirs: f"of PIL's file: ours {to_pil(images, ours):.4f}, theirs {to_pil(images, theirs):.4f}",
    )


def code_cases(samples: int = 20_000, width: int = 512) -> Iterator[Case]:
    from sklearn.decomposition import PCA
    from sklearn.linear_model import Ridge
    from sklearn.svm import LinearSVC

    from faceuv.models.directions.linear_svm import separate
    from faceuv.models.directions.sampling import RunningCovariance

    rng = torch.Generator().manual_seed(0)
    codes = torch.randn(samples, width, generator=rng) * torch.arange(1, width + 1).rsqrt()
    truth = torch.randn(width, generator=rng)
    scores = codes @ truth + torch.randn(samples, generator=rng)

    def covariance() -> Tensor:
        moments = RunningCovariance()
        for rows in codes.split(1024):
            moments.add(rows)
        return torch.linalg.eigh(moments.covariance)[1].T.flip(0)[:20]

    yield Case(
        f"20 principal components of {samples:,} codes of {width} (GANSpace)",
        covariance,
        lambda: torch.from_numpy(PCA(20, svd_solver="covariance_eigh").fit(codes.numpy()).components_),
        lambda a, b: f"{max(degrees(x, y) for x, y in zip(a, b)):.2g}° at most",
    )

    def solve() -> Tensor:
        x, y = codes.double() - codes.double().mean(0), scores.double() - scores.double().mean()
        return torch.linalg.solve(x.T @ x + 100 * torch.eye(width, dtype=torch.float64), x.T @ y)

    yield Case(
        "ridge regression of the same",
        solve,
        lambda: torch.from_numpy(Ridge(alpha=100).fit(codes.double().numpy(), scores.double().numpy()).coef_),
        lambda a, b: f"{degrees(a, b):.2g}°",
    )
    order = scores.argsort()
    low, high = codes[order[:400]], codes[order[-400:]]
    both, labels = torch.cat([low, high]), torch.cat([torch.zeros(400), torch.ones(400)])

    def svc() -> Tensor:
        model = LinearSVC(loss="hinge", C=1.0, intercept_scaling=10, max_iter=20_000, random_state=0)
        return torch.from_numpy(model.fit(both.double().numpy(), labels.numpy()).coef_[0])

    yield Case(
        "linear SVM, hinge, C = 1, 800 codes",
        lambda: separate(low, high)[0],
        svc,
        lambda a, b: f"{degrees(a, b):.2g}°; hinge loss {hinge(both, labels, a):.6g} and {hinge(both, labels, b):.6g}",
    )


def plain_blur(images: Tensor, sigma: float) -> Tensor:
    """What fitting did before: two depthwise convolutions."""
    radius = max(1, round(2.5 * sigma))
    steps = torch.arange(-radius, radius + 1, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    wide = F.pad(images, (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(wide, kernel, groups=3), kernel.transpose(2, 3), groups=3)


def largest(first: Tensor, second: Tensor) -> str:
    return f"{float((first - second).abs().max()):.1e}"


def to_pil(images: Tensor, compressed: Tensor, quality: int = 50) -> float:
    """Mean absolute difference to what Pillow's file of that quality decodes to, without chroma subsampling."""
    from io import BytesIO

    import numpy as np
    from PIL import Image

    total = 0.0
    for image, ours in zip(images, compressed):
        file = BytesIO()
        levels = (image.permute(1, 2, 0) * 255).round().byte().numpy()
        Image.fromarray(levels).save(file, "JPEG", quality=quality, subsampling=0)
        decoded = torch.from_numpy(np.asarray(Image.open(file)).copy()).permute(2, 0, 1) / 255
        total += float((decoded - ours).abs().mean())
    return total / len(images)


def degrees(a: Tensor, b: Tensor) -> float:
    a, b = a.double() / a.double().norm(), b.double() / b.double().norm()
    b = b * torch.sign(a @ b)
    return float(torch.rad2deg(2 * torch.atan2((a - b).norm(), (a + b).norm())))


def hinge(codes: Tensor, labels: Tensor, normal: Tensor) -> float:
    """The least ``½|w|² + Σ hinge`` of planes with this normal, over length and offset, by Nelder and Mead's method."""
    from scipy.optimize import minimize

    along = (codes.double() @ (normal.double() / normal.double().norm())).numpy()
    sign = (2 * labels.double() - 1).numpy()

    def loss(x: Any) -> float:
        return float(0.5 * x[0] ** 2 + (1 - sign * (along * x[0] + x[1])).clip(0).sum())

    best = minimize(loss, [1.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10, "maxiter": 10_000})
    return float(best.fun)


if __name__ == "__main__":
    main()
