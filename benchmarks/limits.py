"""How far the hot paths are from the machine: bytes and operations of each, against measured copies and products.

    python benchmarks/limits.py [--only render synthetic] [--repeats 5]

The machine's bounds, on one thread, are measured first: the bandwidth of a copy that does not fit the caches (bytes
read and written), and the rate of a matrix product in float32. Then, of each path, every operator that PyTorch runs is
counted, backward passes included:

    bytes       all tensors that the operators read and write; views are free. What an operator finds in a cache is
                counted like what comes from memory, so a path can be faster than this bound
    operations  two for each multiplication of a product or a convolution, one for each number that any other operator
                writes
    bound       the longer of bytes / bandwidth and operations / rate
    share       bound / seconds that the path takes (processor time, median)

Numba's kernels (the scan of the rasterizer) are no operators of PyTorch: their time counts, their bytes do not.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from benchmarks.timing import seconds
from faceuv.face import Face
from faceuv.fitting import Fitter, Landmarks
from faceuv.models.faces import ProceduralFace
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.structures import Coefficients
from faceuv.synthetic import SyntheticFaces


def small_face() -> ProceduralFace:
    return ProceduralFace(rows=97, columns=81, verbose=False)


class Counting(TorchDispatchMode):
    """Sums what operators move and compute."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.operations = self.calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        aliases = [returned.alias_info for returned in func._schema.returns]
        if any(alias is not None and not alias.is_write for alias in aliases):
            return result  # a view
        written = [value for value in tree_leaves(result) if isinstance(value, Tensor)]
        read = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        self.calls += 1
        self.bytes += sum(value.numel() * value.element_size() for value in (*read, *written))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.operations += formula(*args, **(kwargs or {}), out_val=result)
        else:
            self.operations += sum(value.numel() for value in written)
        return result


def bandwidth(repeats: int) -> float:
    """Bytes per second, read and written, of a copy of 128 MiB."""
    source = torch.rand(2**25)
    target = torch.empty_like(source)
    return 2 * source.numel() * 4 / seconds(lambda: target.copy_(source), repeats)


def product_rate(repeats: int, size: int = 1024) -> float:
    """Operations per second of a float32 matrix product."""
    a, b = torch.rand(size, size), torch.rand(size, size)
    return 2 * size**3 / seconds(lambda: a @ b, repeats)


# ---------------------------------------------------------------- the paths: name → (what it is, how to run it once)


def render() -> tuple[str, Callable[[], Any]]:
    face = Face.random(1, face_model=small_face())
    return "render at 256², forward", lambda: face.render(256)


def render_backward() -> tuple[str, Callable[[], Any]]:
    renderer = FaceRenderer(small_face(), "torch")
    layout = renderer.face_model.layout
    data = renderer.face_model.random_coefficients(torch.Generator().manual_seed(1)).data

    def run() -> None:
        renderer(Coefficients(data.clone().requires_grad_(), layout), size=256).image.mean().backward()

    return "render at 256² with gradients", run


def synthetic() -> tuple[str, Callable[[], Any]]:
    faces = SyntheticFaces(size=128)
    return "16 synthetic faces of 128²", lambda: faces.batch(range(16))


def synthesis() -> tuple[str, Callable[[], Any]]:
    torch.manual_seed(0)
    network = StyleGAN2Generator(64, 128, mapping_depth=2, channel_base=2048, channel_max=128)
    code = network.sample_codes(8, generator=torch.Generator().manual_seed(0))

    def run() -> None:
        with torch.no_grad():
            network.synthesis(code)

    return "StyleGAN2, 8 images of 64², forward", run


def convolution() -> tuple[str, Callable[[], Any]]:
    layer = torch.nn.Conv2d(64, 64, 3, padding=1)
    picture = torch.rand(8, 64, 32, 32, requires_grad=True)
    return "a 3×3 convolution, 8 × 64 × 32², and gradients", lambda: layer(picture).sum().backward()


def fit() -> tuple[str, Callable[[], Any]]:
    model = small_face()
    drawn = SyntheticFaces(size=96, face_model=model, truth=("landmarks",)).batch(range(4))
    found = Landmarks(drawn["landmarks"], torch.ones(4, dtype=torch.bool), torch.ones(4))
    fitter = Fitter(model, "torch")
    return "4 fits of 96², schedule fast", lambda: fitter.fit(drawn["image"], found)


PATHS: dict[str, Callable[[], tuple[str, Callable[[], Any]]]] = {
    "render": render,
    "render_backward": render_backward,
    "synthetic": synthetic,
    "synthesis": synthesis,
    "convolution": convolution,
    "fit": fit,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PATHS, default=list(PATHS))
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)

    speed, rate = bandwidth(options.repeats), product_rate(options.repeats)
    print(f"copies {speed / 1e9:.1f} GB/s, products {rate / 1e9:.0f} GFLOP/s, one thread, torch {torch.__version__}\n")
    print("| path | operators | MB | million operations | bound, ms | takes, ms | share |")
    print("|---|---|---|---|---|---|---|")
    for name in options.only:
        what, run = PATHS[name]()
        taken = seconds(run, options.repeats)
        with Counting() as counted:
            run()
        bound = max(counted.bytes / speed, counted.operations / rate)
        print(
            f"| {what} | {counted.calls:,} | {counted.bytes / 1e6:,.0f} | {counted.operations / 1e6:,.0f} |"
            f" {1e3 * bound:.1f} | {1e3 * taken:.1f} | {bound / taken:.0%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
