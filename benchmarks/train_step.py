"""StyleFaceUV's training step: ours, which shares its work between the two views, beside the straightforward one.

    python benchmarks/train_step.py [--size 64] [--batch 4] [--device cpu|cuda] [--repeats 5] [--clock wall|cpu]

The straightforward step draws each view by itself: a call of the teacher, a call of the UV generator, a render and the
paper's gradient mask for each view, a call of the discriminator and of the perceptual loss for each view; the
discriminator's step generates new fakes. Both use the same networks, renderer and losses, and see the same batch.
The network weights are random: what is measured does not depend on them.

    teacher   images of both views                     (no gradients)
    maps      one pair of maps / a pair for each view  (forward and backward)
    render    both views                               (forward and backward)
    masks     weights of the pixels of both views      (no gradients)
    step      five steps of the UV generator and one of the discriminator, per step; R1 every 16th of the latter
    kept      the same where ours remembers the views of its faces, as from the second epoch on

Repeats are interleaved, and medians compared. Peak memory is that of a process of its own for each variant: on a GPU
what torch allocated, on a CPU (Linux) what the process grew by during the steps.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from faceuv.engine.compat.optim import OptimWrapper
from faceuv.models.base import frozen
from faceuv.models.directions import Direction
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.faces.several_views import for_views
from faceuv.models.stylefaceuv import StyleFaceUV, ViewBatch, ViewRender, ViewWeights
from faceuv.models.stylefaceuv.mappers import CoefficientMapper, YawStepper
from faceuv.models.stylefaceuv.views import render_views
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.renderers.masks import combine_view_masks, mask_in_view
from faceuv.structures import Coefficients, UVMaps

EVERY = 5


def build(options: argparse.Namespace) -> StyleFaceUV:
    """The method with random networks, whose faces are turned up to 30°."""
    torch.manual_seed(0)
    face = ProceduralFace(rows=options.rows, columns=round(options.rows * 27 / 33), verbose=False)
    width = dict(channel_base=options.channel_base, channel_max=options.channel_max)
    teacher = StyleGAN2Generator(options.size, options.code_dim, mapping_depth=2, **width)
    codes = teacher.mapping(teacher.sample_latents(256)).detach()
    yaw = 0.5 * torch.tanh(codes[:, 0] / codes[:, 0].std())
    rotation = torch.stack([torch.zeros_like(yaw), yaw, torch.zeros_like(yaw)], 1)
    fits = Coefficients(torch.randn(256, face.layout.size) * 0.3, face.layout)
    fits = fits.replace(rotation=rotation, translation=torch.zeros(256, 3), lighting=torch.full((256, 27), 0.05))
    mapper = CoefficientMapper(teacher.num_layers, options.code_dim, face.layout, widths=(256, 256))
    mapper.set_statistics(codes, fits)
    vector = torch.zeros(teacher.num_layers, options.code_dim)
    vector[:, 0] = 1 / math.sqrt(teacher.num_layers)
    scale = float(codes[:, 0].std())
    direction = Direction(vector=vector, name="yaw", meaning="yaw", method="benchmark", scale=scale)
    stepper = YawStepper(teacher.num_layers, options.code_dim, direction)
    stepper.set_statistics(codes, yaw)
    network = dict(type="StyleGAN2Discriminator", size=options.size, **width)
    method = StyleFaceUV(
        teacher,
        mapper,
        face,
        dict(
            photo=dict(type="PhotometricLoss", norm="squared", weight=10.0),
            percept=dict(type="DiscriminatorPerceptual", network=network, weight=2.0),
            adversarial=dict(type="GeneratorLogistic"),
            discriminator=dict(type="DiscriminatorLogistic"),
            r1=dict(type="R1Penalty", gamma=10.0, interval=16),
        ),
        stepper=stepper,
        discriminator=network,
        uv_generator=dict(size=options.map_size or options.size),
        renderer=options.renderer,
        normals=options.normals,
        adversarial=dict(every=EVERY),
        views=dict(remember=options.batch),
    )
    return method.to(options.device)


def optimizers(method: StyleFaceUV) -> OptimWrapperDict:
    """As in the recipe."""
    adam = {
        name: OptimWrapper(torch.optim.Adam(getattr(method, name).parameters(), lr=1e-3, betas=(0.0, 0.99)))
        for name in ("uv_generator", "discriminator")
    }
    return OptimWrapperDict(**adam)


class Straightforward:
    """The same training, each view by itself."""

    def __init__(self, method: StyleFaceUV) -> None:
        self.method, self.steps = method, 0

    @torch.no_grad()
    def targets(self, code: Tensor, fitted: Tensor) -> tuple[ViewBatch, ViewBatch]:
        networks = self.method.teacher_views
        teacher, mapper = networks.teacher.network, networks.mapper.network
        assert networks.stepper is not None
        code = teacher.broadcast(code)
        mirrored = networks.stepper.network.move(code, -mapper(code).rotation[:, 1])
        first = ViewBatch(code, Coefficients(fitted, mapper.layout), teacher.synthesis(code).clamp(0, 1))
        return first, ViewBatch(mirrored, mapper(mirrored), teacher.synthesis(mirrored).clamp(0, 1))

    def masks(self, coefficients: tuple[Coefficients, Coefficients], maps: UVMaps) -> tuple[Tensor, Tensor]:
        """The texels of each view, by two further renders and their derivatives."""
        assert maps.diffuse is not None
        size, texels = self.method.size, (maps.diffuse.shape[2], maps.diffuse.shape[3])
        renderer = self.method.renderer.network
        first, second = (
            renderer.view_mask(one, maps.detach(), size=size, map_size=texels, rule="gradient") for one in coefficients
        )
        return combine_view_masks(first, second)

    def renders(self, views: tuple[ViewBatch, ViewBatch]) -> list[ViewRender]:
        method = self.method
        found, renderer = [], method.renderer.network
        masks: tuple[Tensor, Tensor] | None = None
        for index, view in enumerate(views):
            maps: UVMaps = method.uv_generator(views[0].codes)
            masks = masks or self.masks((views[0].coefficients, views[1].coefficients), maps)
            drawn = renderer(view.coefficients, maps, size=method.size)
            found.append(ViewRender(drawn.image, drawn.mask, mask_in_view(masks[index], drawn.uv.detach()), maps))
        return found

    def train_step(self, data: Mapping[str, Tensor], optimizer: OptimWrapperDict) -> None:
        method, terms = self.method, self.method.losses
        assert method.discriminator is not None
        views = self.targets(data["code"], data["coefficients"])
        with frozen(method.discriminator):
            total = torch.zeros((), device=data["code"].device)
            for view, render, factor in zip(views, self.renders(views), method.view_options.weights):
                sides = {"image": render.image, "mask": render.mask}, {"image": view.images, "mask": render.weights}
                scores = method.discriminator(render.over(view.images))
                of_view = terms.term("photo", *sides) + terms.term("percept", *sides)
                total = total + factor * (of_view + terms.term("adversarial", {"scores": scores}, {}))
            optimizer["uv_generator"].update_params(total)
        if self.steps % EVERY == 0:
            self.discriminator_step(data, optimizer)
        self.steps += 1

    def discriminator_step(self, data: Mapping[str, Tensor], optimizer: OptimWrapperDict) -> None:
        method, terms = self.method, self.method.losses
        critic = method.discriminator
        assert critic is not None
        views = self.targets(data["code"], data["coefficients"])
        total = torch.zeros((), device=data["code"].device)
        for view, factor in zip(views, method.view_options.weights):
            with torch.no_grad():
                render = render_views(
                    method.renderer.network, view.coefficients, method.uv_generator(views[0].codes), method.size
                )
                fake = render.over(view.images)
            pred, target = {"scores": critic(fake)}, {"scores": critic(view.images)}
            total = total + factor * terms.term("discriminator", pred, target)
        optimizer["discriminator"].update_params(total)
        if (self.steps // EVERY) % 16 == 0:
            penalty = torch.zeros((), device=data["code"].device)
            for view, factor in zip(views, method.view_options.weights):
                image = (view.images * 2 - 1).requires_grad_()
                penalty = penalty + factor * terms.term("r1", {}, {"image": image, "scores": critic(image, raw=True)})
            optimizer["discriminator"].update_params(penalty)


def batch(method: StyleFaceUV, count: int, device: str) -> dict[str, Tensor]:
    teacher, mapper = method.teacher_views.teacher.network, method.teacher_views.mapper.network
    code = teacher.sample_codes(count, generator=torch.Generator().manual_seed(1)).to(device)[:, 0]
    return {"code": code, "coefficients": mapper(code).data.detach()}


def parts(
    method: StyleFaceUV, plain: Straightforward, data: dict[str, Tensor]
) -> dict[str, dict[str, Callable[[], Any]]]:
    """Part → variant → what to time."""
    targets = method.teacher_views(data["code"], data["coefficients"])
    views = plain.targets(data["code"], data["coefficients"])
    renderer, size = method.renderer.network, method.size
    maps: UVMaps = method.uv_generator(views[0].codes).detach()

    def leaves() -> UVMaps:
        assert maps.diffuse is not None and maps.displacement is not None
        return UVMaps(maps.diffuse.clone().requires_grad_(), maps.displacement.clone().requires_grad_())

    def generate(times: int) -> None:
        for _ in range(times):
            made: UVMaps = method.uv_generator(views[0].codes)
            assert made.diffuse is not None and made.displacement is not None
            (made.diffuse.mean() + made.displacement.mean()).backward()

    def render_both() -> None:
        render_views(renderer, targets.coefficients, leaves(), size, views=2).image.mean().backward()

    def render_each() -> None:
        for view in views:
            render_views(renderer, view.coefficients, leaves(), size).image.mean().backward()

    with torch.no_grad():
        drawn = renderer(targets.coefficients, for_views(maps, len(targets.codes)), size=size)
    weigh = ViewWeights("splat")

    def ask_teacher(ours: bool) -> None:
        (method.teacher_views if ours else plain.targets)(data["code"], data["coefficients"])

    wide = for_views(maps, len(targets.codes))
    each = (views[0].coefficients, views[1].coefficients)
    return {
        "teacher": {"ours": lambda: ask_teacher(True), "plain": lambda: ask_teacher(False)},
        "maps": {"ours": lambda: generate(1), "plain": lambda: generate(2)},
        "render": {"ours": render_both, "plain": render_each},
        "masks": {
            "ours": lambda: weigh(renderer, drawn, targets.coefficients, wide, 2),
            "plain": lambda: [mask_in_view(m, drawn.uv[: len(m)]) for m in plain.masks(each, maps)],
        },
    }


def median_seconds(variants: Mapping[str, Callable[[], Any]], options: argparse.Namespace) -> dict[str, float]:
    """Median seconds of each; every repeat runs all, after an unmeasured round."""
    now = time.process_time if options.clock == "cpu" else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for repeat in range(options.repeats + 1):
        for name, task in variants.items():
            synchronise(options.device)
            start = now()
            task()
            synchronise(options.device)
            if repeat:
                seconds[name].append(now() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def five_steps(variant: str, method: StyleFaceUV, data: dict[str, Tensor]) -> Callable[[], None]:
    """Five iterations: what a step costs on average, but for R1, which comes once in 16 steps of the discriminator."""
    trained: Any = Straightforward(method) if variant == "plain" else method
    if variant == "kept":  # faces with numbers are remembered
        data = {**data, "index": torch.arange(len(data["code"]))}
    optimizer = optimizers(method)

    def run() -> None:
        for _ in range(EVERY):
            trained.train_step(data, optimizer)

    return run


def peak_memory(variant: str, options: argparse.Namespace) -> float:
    """MiB that five steps need, in this process."""
    method = build(options)
    run = five_steps(variant, method, batch(method, options.batch, options.device))
    if options.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        run()
        return torch.cuda.max_memory_allocated() / 2**20
    # building the face needed more than a step does: the kernel's high-water mark is reset here
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    run()
    return resident("VmHWM") - before


def resident(field: str) -> float:
    """MiB of this process, now (``VmRSS``) or at most (``VmHWM``); Linux only."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(status[field].split()[0]) / 2**10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=64, help="side of the images")
    parser.add_argument("--map-size", type=int, help="side of the maps; the images' by default")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--code-dim", type=int, default=128)
    parser.add_argument("--channel-base", type=int, default=2048)
    parser.add_argument("--channel-max", type=int, default=128)
    parser.add_argument("--rows", type=int, default=97, help="of the procedural face's grid")
    parser.add_argument("--renderer", default="torch")
    parser.add_argument("--normals", default="map", choices=["map", "vertex"])
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", default="wall", choices=["wall", "cpu"], help="cpu: the time this process computed")
    parser.add_argument("--memory-of", choices=["ours", "plain"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory_of:
        print(json.dumps(peak_memory(options.memory_of, options)))
        return
    method = build(options)
    data = batch(method, options.batch, options.device)
    print(
        f"torch {torch.__version__}, {options.device}, {options.threads} threads, {options.clock} clock;"
        f" images {options.size}², maps {method.uv_generator.size}², batch {options.batch},"
        f" {len(method.renderer.network.face_model.mean):,} vertices, renderer {options.renderer}"
    )
    rows = {name: median_seconds(pair, options) for name, pair in parts(method, Straightforward(method), data).items()}
    found = median_seconds({name: five_steps(name, method, data) for name in ("ours", "kept", "plain")}, options)
    rows["step"] = {name: found[name] / EVERY for name in ("ours", "plain")}
    rows["kept"] = {"ours": found["kept"] / EVERY, "plain": found["plain"] / EVERY}
    print(f"  {'':8}{'ours':>14}{'straightforward':>18}{'ratio':>8}")
    for name, row in rows.items():
        print(f"  {name:8}{row['ours'] * 1e3:11.1f} ms{row['plain'] * 1e3:15.1f} ms{row['plain'] / row['ours']:8.2f}")
    for part in ("step", "kept"):
        speeds = {name: options.batch / seconds for name, seconds in rows[part].items()}
        print(f"  images/s, {part}: {speeds['ours']:.1f}, straightforward {speeds['plain']:.1f}")
    memory = {}
    for name in ("ours", "plain"):
        command = [sys.executable, __file__, *sys.argv[1:], "--memory-of", name]
        memory[name] = float(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    print(f"  {'peak':8}{memory['ours']:10.0f} MiB{memory['plain']:14.0f} MiB{memory['plain'] / memory['ours']:8.2f}")


if __name__ == "__main__":
    main()
