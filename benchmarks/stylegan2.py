"""StyleGAN2: our networks beside the public pure-PyTorch implementation, in one run.

    python benchmarks/stylegan2.py --peer PATH [--sizes 64 128] [--batch 4] [--device cpu|cuda] [--clock cpu] [--bf16]

PATH is a checkout of rosinality/stylegan2-pytorch; nothing is fetched. On a CPU its compiled operators are replaced by
the pure-PyTorch forms it brings itself; on a GPU it compiles them at the first import and uses them.

Both sides hold the same weights and see the same inputs. Repeats are interleaved, so that other work on the machine
meets both alike, and the medians' ratio is what counts. On a machine busy with other work, measure ``--clock cpu``
with ``--threads 1``. With ``--bf16`` ours also runs under bf16 autocast (the peer cannot).

    G        codes to images, no gradients
    G+back   a generator step: images, scores, gradients of the generator
    D+back   a discriminator step: scores of real and generated images, gradients of the discriminator
    R1       the gradient penalty with its second derivative
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from faceuv.models.stylegan2 import load_discriminator, load_generator

Task = Callable[[], Any]


def import_peer(path: Path, device: str) -> Any:
    """The peer's ``model`` module."""
    if not (path / "model.py").is_file():
        sys.exit(f"{path} has no model.py; --peer must be a checkout of rosinality/stylegan2-pytorch")
    if device == "cpu":
        from torch.utils import cpp_extension

        cpp_extension.load = lambda *_, **__: None  # its CUDA operators; the CPU branches never call them
    sys.path.insert(0, str(path))
    return importlib.import_module("model")


def tasks(generate: Task, score: Callable[[Tensor], Tensor], parts: tuple[Any, Any], real: Tensor) -> dict[str, Task]:
    """The measured steps, given images from codes, scores from images, and the modules (generator, discriminator)."""
    generator, discriminator = parts

    def forward() -> None:
        with torch.no_grad():
            generate()

    def generator_step() -> None:
        generator.requires_grad_(True)
        discriminator.requires_grad_(False)
        F.softplus(-score(generate())).mean().backward()
        generator.zero_grad()

    def discriminator_step() -> None:
        discriminator.requires_grad_(True)
        with torch.no_grad():
            fake = generate()
        (F.softplus(score(fake)).mean() + F.softplus(-score(real)).mean()).backward()
        discriminator.zero_grad()

    def penalty() -> None:
        discriminator.requires_grad_(True)
        image = real.clone().requires_grad_()
        (slope,) = torch.autograd.grad(score(image).sum(), image, create_graph=True)
        slope.square().sum((1, 2, 3)).mean().backward()
        discriminator.zero_grad()

    return {"G": forward, "G+back": generator_step, "D+back": discriminator_step, "R1": penalty}


def autocast(task: Task, device: str) -> Task:
    def run() -> None:
        with torch.autocast(device, torch.bfloat16):
            task()

    return run


def measure(variants: dict[str, Task], repeats: int, device: str, clock: str) -> dict[str, float]:
    """Median seconds per variant; every repeat runs all of them, after one unmeasured round."""
    now = time.process_time if clock == "cpu" else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for repeat in range(repeats + 1):
        for name, task in variants.items():
            if device == "cuda":
                torch.cuda.synchronize()
            start = now()
            task()
            if device == "cuda":
                torch.cuda.synchronize()
            if repeat:
                seconds[name].append(now() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def compare(peer: Any, size: int, options: argparse.Namespace) -> None:
    batch, device = options.batch, options.device
    torch.manual_seed(0)
    theirs_g, theirs_d = slim(peer, size, options.channel_base, options.channel_max)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.pt"
        state = {"g_ema": theirs_g.state_dict(), "d": theirs_d.state_dict(), "latent_avg": torch.zeros(512)}
        torch.save(state, path)
        ours_g, ours_d = load_generator(path).to(device), load_discriminator(path).to(device)
    theirs_g, theirs_d = theirs_g.to(device), theirs_d.to(device)
    z = torch.randn(batch, 512, device=device)
    real = torch.rand(batch, 3, size, size, device=device) * 2 - 1

    def theirs_generate() -> Tensor:
        image: Tensor = theirs_g([z], randomize_noise=False)[0]
        return image

    def ours_generate() -> Tensor:
        image: Tensor = ours_g.synthesis(ours_g.mapping(z), raw=True)
        return image

    with torch.no_grad():
        difference = float((theirs_generate() - ours_generate()).abs().max())
    table = {
        "peer": tasks(theirs_generate, theirs_d, (theirs_g, theirs_d), real),
        "ours": tasks(ours_generate, lambda x: ours_d(x, raw=True), (ours_g, ours_d), real),
    }
    if options.bf16:
        table["ours bf16"] = {name: autocast(task, device) for name, task in table["ours"].items()}
    print(f"\n{size}², batch {batch}, channels ≤ {ours_g.channels[4]}, largest difference of images {difference:.1e}")
    print(
        f"  {'':8}"
        + "".join(f"{name:>14}" for name in table)
        + "".join(f"{ratio:>10}" for ratio in ("ratio", "bf16")[: len(table) - 1])
    )
    totals = dict.fromkeys(table, 0.0)
    for step in table["peer"]:
        seconds = measure(
            {name: variant[step] for name, variant in table.items()}, options.repeats, device, options.clock
        )
        # A training step: one of each, R1 every 16th step (lazy).
        weight = {"G": 0.0, "R1": 1 / 16}.get(step, 1.0)
        totals = {name: totals[name] + weight * seconds[name] for name in totals}
        row(step, seconds)
    row("step", totals)


def row(label: str, seconds: dict[str, float]) -> None:
    cells = "".join(f"{value * 1e3:11.1f} ms" for value in seconds.values())
    ratios = "".join(f"{seconds['peer'] / value:10.2f}" for name, value in seconds.items() if name != "peer")
    print(f"  {label:8}{cells}{ratios}", flush=True)


def slim(peer: Any, size: int, base: int, maximum: int) -> tuple[Any, Any]:
    """The peer's networks with the channel table ``min(base / r, maximum)``, which its constructors do not offer."""
    scale = base / 16384  # its channel_multiplier, counted from min(16384 / r, 512)
    if maximum == 512:
        return peer.Generator(size, 512, 8, channel_multiplier=int(scale)), peer.Discriminator(size, int(scale))
    table = {4 << k: min(base >> (k + 2), maximum) for k in range(9)}
    return _with_table(peer.Generator, table, size, 512, 8), _with_table(peer.Discriminator, table, size)


def _with_table(cls: Any, table: dict[int, int], *args: Any) -> Any:
    """Build ``cls`` with another channel table in place of the dictionary literal of its constructor."""
    import inspect
    import re
    import textwrap

    source = textwrap.dedent(inspect.getsource(cls))
    changed, count = re.subn(r"channels = \{.*?\}", f"channels = {table}", source, flags=re.DOTALL)
    if count != 1:
        sys.exit("the peer's constructor is not the one expected; run with --channel-max 512")
    module = sys.modules[cls.__module__]
    namespace = dict(vars(module))
    exec(changed, namespace)
    return namespace[cls.__name__](*args)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=Path, required=True, help="a checkout of rosinality/stylegan2-pytorch")
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", default="wall", choices=["wall", "cpu"], help="cpu: the time this process computed")
    parser.add_argument("--bf16", action="store_true", help="measure ours under bf16 autocast too")
    parser.add_argument("--channel-base", type=int, default=32768)
    parser.add_argument("--channel-max", type=int, default=512)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    peer = import_peer(arguments.peer, arguments.device)
    print(f"torch {torch.__version__}, {arguments.device}, {arguments.threads} threads, {arguments.clock} clock")
    for size in arguments.sizes:
        compare(peer, size, arguments)


if __name__ == "__main__":
    main()
