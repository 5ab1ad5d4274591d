"""The tables that the documentation promises, measured on one card in one run: ``bench.json`` and ``bench.md``.

Every section is by itself: one that fails is reported, the next runs. Rates are the best of several calls after a
warm-up, ratios are of the same run.
"""

from __future__ import annotations

import argparse
import traceback
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.files.locate import locate
from faceuv.fitting import Fitter
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from faceuv.models.stylegan2.filters import TAPS
from faceuv.registry import LANDMARK_DETECTORS, RENDERERS
from faceuv.synthetic import SyntheticFaces
from tools.gpu.folder import Folder
from tools.gpu.machine import Machine
from tools.gpu.reference import ReferenceDiscriminator, ReferenceSynthesis
from tools.gpu.smoke import train_steps
from tools.gpu.teacher import Recipe

SECONDS = 170.0
Row = dict[str, Any]
Section = Callable[[Machine], list[Row]]
Network = Callable[..., Tensor]  # a module, or one that torch has compiled


def run(machine: Machine, folder: Folder, options: argparse.Namespace) -> int:
    """Every section that the time allows; 1 if one failed."""
    limit = options.seconds or SECONDS
    found: dict[str, list[Row]] = {}
    errors: dict[str, str] = {}
    for name, section in SECTIONS.items():
        if machine.seconds() > limit * SHARES.get(name, 0.95):
            errors[name] = f"not run: {machine.seconds():.0f} of {limit:.0f} s were over"
        else:
            try:
                found[name] = section(machine)
            except Exception as error:
                errors[name] = f"{type(error).__name__}: {error}"
                print(name, "FAILED", *traceback.format_exc().strip().splitlines()[-6:], sep="\n    ", flush=True)
        for row in found.get(name, []):
            print(f"{name}: {cells(row)}", flush=True)
        kept = folder.write_json("bench.json", {"machine": machine.facts(), "tables": found, "errors": errors})
        text = page(machine, found, errors)
        kept &= folder.write("bench.md", partial(Path.write_text, data=text, encoding="utf-8"))
    failed = [name for name, error in errors.items() if not error.startswith("not run")]
    print(f"failed: {', '.join(failed) or 'none'}; {machine.seconds():.0f} s", flush=True)
    return 1 if failed or not kept else 0


def cells(row: Row) -> str:
    return ", ".join(f"{key} {shown(value)}" for key, value in row.items())


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def page(machine: Machine, found: dict[str, list[Row]], errors: dict[str, str]) -> str:
    """The tables in Markdown."""
    lines = [f"Measured on {machine.facts()['device']}.", "", "| | |", "|---|---|"]
    lines += [f"| {key} | {value} |" for key, value in machine.facts().items()]
    for name, rows in found.items():
        columns = list(dict.fromkeys(key for row in rows for key in row))
        lines += ["", f"## {name.replace('_', ' ')}", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        lines += [f"| {' | '.join(shown(row.get(key, '')) for key in columns)} |" for row in rows]
    lines += ["", *(f"{name}: {error}" for name, error in errors.items())]
    return "\n".join(lines).rstrip() + "\n"


def best(machine: Machine, call: Callable[[], object], repeats: int = 5) -> float:
    """Seconds of the fastest of several calls, after one that warms up."""
    call()
    return min(machine.timed(call)[0] for _ in range(1 if machine.toy else repeats))


def renderers(machine: Machine) -> list[Row]:
    """Milliseconds of a batch of heads of BFM's size, and how many times nvdiffrast's that is."""
    from benchmarks.render import Job

    size, batches = (32, (1,)) if machine.toy else (256, (1, 12))
    names = ("torch", "warp", "nvdiffrast", "pytorch3d", "drtk")
    here = [name for name in names if RENDERERS.get(name).available(machine.device)]
    rows = []
    for batch in batches:
        for what in ("rasterize", "forward", "step"):
            row: Row = {"batch": batch, "size": size, "what": what}
            for name in here:
                job = Job(name, batch, size, machine.device.type, "edges")
                row[f"{name} ms"] = 1e3 * best(machine, getattr(job, what))
            for ours, theirs in (("torch", "nvdiffrast"), ("warp", "nvdiffrast"), ("torch", "warp")):
                if {ours, theirs} <= set(here):
                    row[f"{ours} / {theirs}"] = row[f"{ours} ms"] / row[f"{theirs} ms"]
            rows.append(row)
    return rows


def synthetic_faces(machine: Machine) -> list[Row]:
    """Faces per second by size and by how many are drawn at once."""
    rows = []
    sizes, together = ((32,), (1, 2)) if machine.toy else ((64, 128, 256), (64, 256, 512))
    for size in sizes:
        faces = SyntheticFaces(size=size, device=machine.device, samples=1 if machine.toy else 2)
        for count in together:
            if size * size * count > 2**24:
                continue
            faces.together = count
            seeds = faces.seeds(range(count))
            seconds = best(machine, lambda seeds=seeds, faces=faces: faces.draw(seeds, ()), 3)  # type: ignore[misc]
            rows.append({"size": size, "drawn at once": count, "faces per second": count / seconds})
    return rows


def teacher_step(machine: Machine) -> list[Row]:
    """Images per second of the teacher's steps: on pairs, and of the game without its share of R1."""
    rows = []
    for size, batch in ((16, 2),) if machine.toy else ((128, 32), (128, 64), (128, 128), (256, 32)):
        recipe = Recipe(size, "calm") if not machine.toy else Recipe(16, "calm", 32, 2, 256, 16)
        images = torch.zeros(batch, 3, size, size, dtype=torch.uint8, device=machine.device)
        data = {"image": images, "latent": torch.randn(batch, 383, device=machine.device)}
        pairs = train_steps(machine, recipe.pairs(), data, batch)["images_per_second"]
        game = train_steps(machine, recipe.game(0), data, batch)["images_per_second"]
        rows.append({"size": size, "batch": batch, "precision": machine.precision, "pairs": pairs, "game": game})
    return rows


class _Networks:
    """A generator and a discriminator, in one of several forms, and what is timed of them."""

    def __init__(self, synthesis: Network, discriminator: Network, weights: Sequence[nn.Module], code: Tensor) -> None:
        self.synthesis, self.discriminator, self.weights, self.code = synthesis, discriminator, weights, code
        self.real: Tensor | None = None

    def forward(self) -> None:
        with torch.no_grad():
            self.synthesis(self.code)

    def step(self) -> None:
        """Gradients of both networks, as in a training step without R1."""
        for network in self.weights:
            network.zero_grad(set_to_none=True)
        fake = self.synthesis(self.code)
        F.softplus(-self.discriminator(fake)).float().mean().backward()
        fake = fake.detach()
        losses = F.softplus(self.discriminator(fake)), F.softplus(-self.discriminator(fake * 0.9))
        (losses[0].float().mean() + losses[1].float().mean()).backward()


def stylegan2(machine: Machine) -> list[Row]:
    """Milliseconds of ours and of the straightforward StyleGAN2, on the same weights."""
    return _stylegan2(machine, compiled=False)


def stylegan2_compiled(machine: Machine) -> list[Row]:
    """The same, compiled by torch; the time to compile is a column of its own."""
    if not machine.on_gpu:
        return [{"note": "only on a GPU: on a CPU it needs a C++ compiler"}]
    return _stylegan2(machine, compiled=True)


def _stylegan2(machine: Machine, *, compiled: bool) -> list[Row]:
    size, batch = (16, 2) if machine.toy else (256, 16)
    base, most = (256, 16) if machine.toy else (16384, 512)
    torch.manual_seed(0)
    generator = StyleGAN2Generator(size, 64, mapping_depth=2, channel_base=base, channel_max=most).to(machine.device)
    discriminator = StyleGAN2Discriminator(size, channel_base=base, channel_max=most).to(machine.device)
    code = generator.sample_codes(batch).detach()
    weights = (generator, discriminator)

    class Ours(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = generator.synthesis

        def forward(self, code: Tensor) -> Tensor:
            image: Tensor = self.network(code, noise="none")
            return image

    forms: dict[str, tuple[nn.Module, nn.Module]] = {
        "ours": (Ours(), discriminator),
        "straightforward": (ReferenceSynthesis(generator), ReferenceDiscriminator(discriminator)),
    }  # fmt: skip
    rows: list[Row] = []
    for precision in dict.fromkeys((machine.precision,) if compiled else ("float32", machine.precision)):
        row: dict[str, Row] = {}
        with torch.autocast(machine.device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16"):
            for name, form in forms.items():
                synthesis, critic = (torch.compile(network) if compiled else network for network in form)
                networks = _Networks(synthesis, critic, weights, code)
                first, _ = machine.timed(networks.step)
                for what in ("forward", "step"):
                    place = row.setdefault(what, {"size": size, "batch": batch, "precision": precision, "what": what})
                    place[f"{name} ms"] = 1e3 * best(machine, getattr(networks, what))
                    if compiled:
                        place[f"{name}: seconds of the first step"] = first
        for place in row.values():
            place["straightforward / ours"] = place["straightforward ms"] / place["ours ms"]
        rows += row.values()
    return rows


def filters(machine: Machine) -> list[Row]:
    """Forms of the binomial filter on one layer's activations, forward and backward: which one is for GPUs?"""
    batch, channels, size = (1, 4, 16) if machine.toy else (64, 64, 128)
    dtype = torch.bfloat16 if machine.precision == "bfloat16" else torch.float32
    row = torch.tensor(TAPS, device=machine.device, dtype=dtype) / sum(TAPS)
    plane = torch.outer(row, row)[None, None].expand(channels, 1, 4, 4)
    across, down = row.view(1, 1, 1, 4).expand(channels, 1, 1, 4), row.view(1, 1, 4, 1).expand(channels, 1, 4, 1)

    def slices(x: Tensor) -> Tensor:
        x = F.pad(x, (1, 2, 1, 2))
        wide, high = x.shape[3] - 3, x.shape[2] - 3
        x = (x[..., :wide] + x[..., 3:]) + 3 * (x[..., 1 : wide + 1] + x[..., 2 : wide + 2])
        return ((x[:, :, :high] + x[:, :, 3:]) + 3 * (x[:, :, 1 : high + 1] + x[:, :, 2 : high + 2])) / 64

    forms: dict[str, Callable[[Tensor], Tensor]] = {
        "4 × 4, each channel": lambda x: F.conv2d(F.pad(x, (1, 2, 1, 2)), plane, groups=channels),
        "two passes": lambda x: F.conv2d(
            F.conv2d(F.pad(x, (1, 2, 1, 2)), across, groups=channels), down, groups=channels
        ),
        "sums of slices": slices,
        "one channel": lambda x: F.conv2d(F.pad(x, (1, 2, 1, 2)).flatten(0, 1)[:, None], plane[:1]).view(x.shape),
    }
    rows = []
    for layout in (torch.contiguous_format, torch.channels_last):
        x = torch.randn(batch, channels, size, size, device=machine.device, dtype=dtype)
        x = x.contiguous(memory_format=layout).requires_grad_()
        expected: Tensor | None = None
        found: Row = {"layout": str(layout).removeprefix("torch."), "shape": f"{batch} × {channels} × {size}²"}
        for name, form in forms.items():
            y = form(x).detach().float()
            expected = y if expected is None else expected
            if float((y - expected).abs().max()) > 0.05:
                raise AssertionError(f"{name} is another filter")

            def both(form: Callable[[Tensor], Tensor] = form, x: Tensor = x) -> None:
                x.grad = None
                form(x).sum().backward()

            found[f"{name} ms"] = 1e3 * best(machine, both)
        rows.append(found)
    return rows


def fits(machine: Machine) -> list[Row]:
    """Pictures fitted per second, with our landmarks and our regressor's first guess."""
    size, count = (64, 2) if machine.toy else (256, 128)
    face = ProceduralFace(rows=49 if machine.toy else 97, columns=41 if machine.toy else 81, verbose=False)
    regressor = load_regressor(locate("zoo:regressor/weights.safetensors"))
    detector = LANDMARK_DETECTORS.build({"type": "SyntheticLandmarks"})
    rows = []
    for schedule in ("fast",):
        fitter = Fitter(face, "torch", detector, regressor, schedule=schedule).to(machine.device)
        images = SyntheticFaces(size=size, device=machine.device, samples=1, seed=2).batch(range(count))["image"]
        found = fitter.fit(images)
        seconds = best(machine, lambda fitter=fitter, images=images: fitter.fit(images), 2)  # type: ignore[misc]
        error = float(found.landmark_error[found.ok].mean())
        rows.append(
            {"schedule": schedule, "size": size, "fits per second": count / seconds, "ok": int(found.ok.sum()),
             "of": count, "landmark error, pixels": error}
        )  # fmt: skip
    return rows


def uv_step(machine: Machine) -> list[Row]:
    """StyleFaceUV's training step beside the straightforward one."""
    from benchmarks import train_step as bench

    size, batch = (16, 2) if machine.toy else (256, 8)
    settings: dict[str, Any] = dict(size=size, map_size=None, batch=batch, code_dim=16, channel_base=128, channel_max=8)
    if not machine.toy:
        settings |= dict(code_dim=512, channel_base=16384, channel_max=512)
    options = argparse.Namespace(
        **settings, rows=97, renderer="torch", normals="map", device=machine.device.type, repeats=1, clock="wall"
    )
    method = bench.build(options)
    data = bench.batch(method, batch, machine.device.type)
    row: Row = {"size": size, "batch": batch, "precision": "float32"}
    for name in ("ours", "kept", "plain"):
        label = {"ours": "ours", "kept": "ours, views remembered", "plain": "straightforward"}[name]
        five = bench.five_steps(name, method, data)
        row[f"{label}, images per second"] = batch * bench.EVERY / best(machine, five, 2)
    return [row]


SECTIONS: dict[str, Section] = {
    section.__name__: section
    for section in (
        teacher_step, synthetic_faces, renderers, stylegan2, fits, uv_step, filters, stylegan2_compiled,
    )
}  # fmt: skip
# a section that may take long does not begin late: share of the time after which it is left out
SHARES = {"stylegan2_compiled": 0.6, "uv_step": 0.85}
