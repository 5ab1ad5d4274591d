"""LiftedGAN's training step: ours, which draws and compares in batches, beside the published order of things.

    python benchmarks/lifted_step.py [--size 64] [--batch 8] [--repeats 5] [--clock wall|cpu]

The published step asks the teacher four times, G(w), G(w0), and twice G(w'), without gradient and with; it draws each
of the four views by itself, with normals of its own; it computes the features of both images of each of the four pairs;
and it goes backward twice, for which it composes w' a second time. ``published`` does so with our renderer's
rasterizer; ``general`` draws each view with the renderer's general call, which also looks up normals per pixel. Both
use the same networks and losses and see the same batch; ``same`` says how far the sums of the losses are apart. Network
weights are random: what is measured does not depend on them. Repeats are interleaved, and medians compared. The memory
is what a process of its own grows by during a step (Linux).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from faceuv.models.liftedgan import LiftedGAN
from faceuv.models.liftedgan.geometry import grid_normals, unprojected
from faceuv.models.liftedgan.parameters import frontal
from faceuv.models.liftedgan.scene import Lifted, draw, from_picture, last_features, lit, moved_mesh
from faceuv.models.stylegan2 import StyleGAN2Generator

VARIANTS = ("ours", "published", "general")


def build(options: argparse.Namespace) -> LiftedGAN:
    """The method with random networks."""
    torch.manual_seed(0)
    teacher = StyleGAN2Generator(
        options.size, options.code_dim, mapping_depth=2, channel_base=options.channel_base,
        channel_max=options.channel_max,
    )  # fmt: skip
    discriminator = dict(
        type="StyleGAN2Discriminator", size=options.size, channel_base=options.channel_base // 2, channel_max=128
    )
    pairs = dict(rec=5.0, flip=4.0, perturb_shape=2.0, perturb_code=2.0)
    return LiftedGAN(
        teacher,
        dict(
            **{name: dict(type="LiftedImages", pair=name, weight=weight) for name, weight in pairs.items()},
            cycle_light=dict(type="SquaredDifference", of="light", weight=4.0),
            cycle_view=dict(type="SquaredDifference", of="view", columns=3, weight=4.0),
            prior=dict(type="CodePrior", weight=0.5),
            albedo=dict(type="AlbedoRank", weight=0.01),
        ),
        distance=dict(perceptual=dict(type="DiscriminatorMaps", network=discriminator)),
        statistics=100,
    )


def ours(method: LiftedGAN, w: Tensor) -> float:
    """Losses and gradients of a batch, as :meth:`LiftedGAN.train_step` computes them."""
    method.zero_grad(set_to_none=True)
    total = torch.stack(list(method.terms(w, torch.Generator().manual_seed(0)).values())).sum()
    total.backward()
    return float(total.detach())


def published(method: LiftedGAN, w: Tensor, *, general: bool = False) -> float:
    """The same, each thing by itself and in the order of the release."""
    method.zero_grad(set_to_none=True)
    networks, distance, weights = method.lifting, method.distance.network, method.losses.weights
    teacher, size, space, views = method.teacher.network, method.teacher.network.size, method.space, method.views
    rng = torch.Generator().manual_seed(0)

    def render(lifted: Lifted) -> tuple[Tensor, Tensor]:
        lifted = lifted.replace(normals=grid_normals(unprojected(lifted.depth, space.camera)))
        if not general:
            drawn = draw(method.renderer.network, lifted, space, views, size, clip=True)
            return drawn.image, drawn.mask
        mesh = moved_mesh(lifted, space, views, clip=True)
        whole = method.renderer.network(mesh, height=size, width=size, vertex_colours=lit(lifted))
        return whole.image, whole.mask

    def compare(a: Tensor, b: Tensor, mask: Tensor | None) -> Tensor:
        return distance(distance.seen(a), distance.seen(b), mask).mean()

    with torch.no_grad():
        target = teacher.synthesis(w).clamp(0, 1)
    light, view = networks.decompose(w)
    neutral = networks.compose(w, frontal(light), torch.zeros_like(view))
    picture, features = last_features(teacher, neutral, wanted=True)
    lifted = from_picture(networks, neutral, picture, features, space, light, view)
    (rec, seen), (flip, seen_flip) = render(lifted), render(lifted.mirrored())
    wanted_view = method.perturbation.view(len(w), views, rng).to(w)
    wanted_light = method.perturbation.light(light.detach(), rng)
    composed = networks.compose(w, wanted_light, wanted_view)
    read_light, read_view = networks.decompose(composed)
    turned, seen_turned = render(lifted.replace(light=read_light, view=read_view))
    with torch.no_grad():
        again = teacher.synthesis(composed)
    both = seen * seen_flip
    total = weights["rec"] * compare(rec, target, both) + weights["flip"] * compare(flip, target, both)
    total = total + weights["perturb_shape"] * compare(turned, again, seen_turned)
    pred = {
        "light": read_light, "view": read_view, "code": composed, "albedo": lifted.albedo,
        "foreground": (lifted.depth <= space.behind).to(w),
    }  # fmt: skip
    known = {
        "light": wanted_light, "view": wanted_view, "mean": method.code_mean, "deviation": method.code_deviation,
    }  # fmt: skip
    for name in ("cycle_light", "cycle_view", "prior", "albedo"):
        total = total + method.losses.term(name, pred, known)
    total.backward()
    with torch.no_grad():
        asked, seen_asked = render(lifted.detach().replace(light=wanted_light, view=wanted_view))
    made = teacher.synthesis(networks.compose(w, wanted_light, wanted_view))
    second = weights["perturb_code"] * compare(made, asked, seen_asked)
    second.backward()
    return float(total.detach() + second.detach())


def task(variant: str, method: LiftedGAN, w: Tensor) -> Callable[[], float]:
    """A step without the optimiser."""
    if variant == "ours":
        return lambda: ours(method, w)
    return lambda: published(method, w, general=variant == "general")


def resident(field: str) -> float:
    """MiB of this process, now (``VmRSS``) or at most (``VmHWM``); Linux only."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(status[field].split()[0]) / 2**10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--code-dim", type=int, default=128)
    parser.add_argument("--channel-base", type=int, default=2048)
    parser.add_argument("--channel-max", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", default="wall", choices=["wall", "cpu"], help="cpu: the time this process computed")
    parser.add_argument("--memory-of", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    method = build(options)
    w = method.codes(torch.arange(options.batch))
    tasks = {name: task(name, method, w) for name in VARIANTS}
    if options.memory_of:
        Path("/proc/self/clear_refs").write_text("5")  # the kernel's high-water mark is reset
        before = resident("VmRSS")
        tasks[options.memory_of]()
        print(json.dumps(resident("VmHWM") - before))
        return
    now = time.process_time if options.clock == "cpu" else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in VARIANTS}
    sums = {}
    for repeat in range(options.repeats + 1):
        for name, run in tasks.items():
            start = now()
            sums[name] = run()
            if repeat:
                seconds[name].append(now() - start)
    print(
        f"torch {torch.__version__}, {options.threads} threads, {options.clock} clock; images {options.size}², batch"
        f" {options.batch}; same to {max(abs(value / sums['ours'] - 1) for value in sums.values()):.1e}"
    )
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", name]
        peak = float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(
            f"  {name:10}{value * 1e3:9.0f} ms per step{value / medians['ours']:7.2f} × ours"
            f"{options.batch / value:8.1f} images/s{peak / options.batch:8.1f} MiB per image"
        )


if __name__ == "__main__":
    main()
