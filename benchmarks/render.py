"""How fast are the renderers? A table with ratios measured in the same run.

    python benchmarks/render.py                         # built-in renderer, with and without numba
    python benchmarks/render.py --peers --peer-batch 1  # also every other backend that is installed

The mesh is a head made by formula, of BFM's size (35,721 vertices, 70,688 triangles). "rasterize" is visibility alone;
"forward" a whole render (normals, projection, visibility, texture, spherical-harmonic light, antialiasing); "step" adds
the backward pass to vertices, texture and light. Memory is the growth of the peak over the run of a fresh process on a
CPU, the allocator's peak on a GPU. PyTorch3D's CPU rasterizer takes about 20 s per image: ``--peer-batch`` draws fewer
images with it and scales the time, which the table marks with ≈.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from faceuv.geometry.projection import pose, project
from faceuv.registry import RENDERERS
from faceuv.structures import Mesh

GRID = 189  # vertices per side: 35,721 vertices, 70,688 triangles
BUILT_IN = {"torch": {"accelerator": "none"}, "torch + numba": {"accelerator": "numba"}}
PEERS = ("warp", "pytorch3d", "drtk", "nvdiffrast")


def head(batch: int, device: str) -> Mesh:
    """A batch of heads in random poses, faces in random order as in BFM; the first one frontal."""
    line = torch.linspace(-1, 1, GRID, dtype=torch.float64)
    v, u = torch.meshgrid(line, line, indexing="ij")
    longitude = u * torch.sqrt(1 - v * v / 2) * math.radians(95)
    latitude = v * torch.sqrt(1 - u * u / 2) * math.radians(75)
    ring = latitude.cos().sqrt()
    x, y, z = 0.82 * longitude.sin() * ring, 1.1 * latitude.sin(), 0.85 * longitude.cos() * ring - 0.35
    z = z + 0.32 * torch.exp(-((x / 0.1) ** 2) - ((y + 0.05) / 0.22) ** 2)
    g = torch.Generator().manual_seed(0)
    vertices = torch.stack([x, y, z], -1).view(-1, 3)
    vertices = vertices + 3e-4 * torch.randn(vertices.shape, generator=g, dtype=torch.float64)
    r, c = torch.meshgrid(torch.arange(GRID - 1), torch.arange(GRID - 1), indexing="ij")
    a = (r * GRID + c).reshape(-1)
    faces = torch.cat([torch.stack([a, a + 1, a + GRID + 1], 1), torch.stack([a, a + GRID + 1, a + GRID], 1)])
    faces = faces[torch.randperm(faces.shape[0], generator=g)].contiguous()
    uv = torch.stack([0.5 + 0.48 * u, 0.5 - 0.48 * v], -1).view(-1, 2)
    angles = (torch.rand(batch, 3, generator=g) * 2 - 1) * torch.tensor([0.25, 0.6, 0.12])
    shift = (torch.rand(batch, 3, generator=g) * 2 - 1) * torch.tensor([0.05, 0.05, 0.2])
    angles[0] = shift[0] = 0
    return Mesh(pose(vertices.float().expand(batch, -1, -1), angles, shift), faces, uv.float()).to(device)


class Job:
    """One backend drawing one batch, in three ways."""

    def __init__(self, backend: str, batch: int, size: int, device: str, antialias: str | None) -> None:
        config: dict[str, Any] = {"type": "torch", **BUILT_IN[backend]} if backend in BUILT_IN else {"type": backend}
        self.renderer = RENDERERS.build({**config, "antialias": antialias})
        mesh = head(batch, device)
        g = torch.Generator().manual_seed(1)
        self.vertices = mesh.vertices.clone().requires_grad_()
        self.mesh = Mesh(self.vertices, mesh.faces, mesh.uv)
        self.texture = torch.rand(batch, 3, 256, 256, generator=g).to(device).requires_grad_()
        self.lighting = (0.1 * torch.randn(batch, 3, 9, generator=g)).to(device).requires_grad_()
        self.pixels = project(mesh.vertices, self.renderer.camera, size, size)
        self.size = size

    def rasterize(self) -> Tensor:
        ids: Tensor = self.renderer.rasterize(self.pixels, self.mesh.faces, self.size, self.size)
        return ids

    def forward(self) -> Tensor:
        image: Tensor = self.renderer(
            self.mesh, height=self.size, width=self.size, texture=self.texture, lighting=self.lighting
        ).image
        return image

    def step(self) -> None:
        for leaf in (self.vertices, self.texture, self.lighting):
            leaf.grad = None
        self.forward().sum().backward()


def seconds(run: Callable[[], object], device: str, repeats: int) -> float:
    """The best of several runs after one that warms up (a run beyond 5 s is its own warm-up)."""

    def once() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    first = once()
    return first if first > 5 else min(once() for _ in range(repeats))


def measure(
    backend: str, batch: int, size: int, device: str, what: str, antialias: str | None, repeats: int
) -> dict[str, Any]:
    """One measurement in this process: seconds, and the peak of its memory above what was held before, in MB."""
    job = Job(backend, batch, size, device, antialias)
    run = getattr(job, what)
    if device == "cuda":
        run()
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        taken = seconds(run, device, repeats)
        return {"seconds": taken, "megabytes": (torch.cuda.max_memory_allocated() - held) / 2**20}
    one = Job(
        backend, 1, 16, device, antialias
    )  # loads and compiles what is loaded lazily, at a size that costs nothing
    getattr(one, what)()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"seconds": seconds(run, device, repeats), "megabytes": (peak - before) / 1024}


def in_fresh_process(**job: Any) -> dict[str, Any]:
    """Measure in a process of its own, so that its memory peak is its own."""
    command = [sys.executable, __file__, "--job", json.dumps(job)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 12])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--antialias", default="edges", choices=["edges", "gradient", "none"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--peers", action="store_true", help="also measure the other installed backends")
    parser.add_argument("--peer-batch", type=int, help="images drawn with PyTorch3D on a CPU; its time is scaled")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(measure(**json.loads(options.job))))
        return
    antialias = None if options.antialias == "none" else options.antialias
    backends = [
        name for name, config in BUILT_IN.items() if "numba" not in config.values() or _has_numba(options.device)
    ]
    if options.peers:
        backends += [name for name in PEERS if RENDERERS.get(name).available(options.device)]
    rows: list[dict[str, Any]] = []
    for batch in options.batches:
        for backend in backends:
            slow = backend == "pytorch3d" and options.device == "cpu"
            for what in ("rasterize",) if slow else ("rasterize", "forward", "step"):
                drawn = min(batch, options.peer_batch or batch) if slow else batch
                result = in_fresh_process(
                    backend=backend, batch=drawn, size=options.size, device=options.device, what=what,
                    antialias=antialias, repeats=options.repeats,
                )  # fmt: skip
                result["seconds"] *= batch / drawn
                rows.append({"backend": backend, "batch": batch, "drawn": drawn, "what": what, **result})
    show(rows, options.size, options.device)


def _has_numba(device: str) -> bool:
    from importlib.util import find_spec

    return device == "cpu" and find_spec("numba") is not None


def show(rows: list[dict[str, Any]], size: int, device: str) -> None:
    """Print the table; the reference of the ratios is PyTorch3D's rasterizer at the same batch, if it was measured."""
    reference = {r["batch"]: r["seconds"] for r in rows if (r["backend"], r["what"]) == ("pytorch3d", "rasterize")}
    load = f", load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores" if device == "cpu" else ""
    title = f"{size} × {size}, {GRID**2:,} vertices, {2 * (GRID - 1) ** 2:,} triangles, {device}"
    table = Table(title=f"{title}, {torch.get_num_threads()} threads{load}")
    for column in (
        "backend",
        "batch",
        "what",
        "ms",
        "ms / image",
        "MB / image",
        "× faster than PyTorch3D's rasterizer",
    ):
        table.add_column(column, justify="left" if column in ("backend", "what") else "right")
    for r in rows:
        mark = "≈ " if r["drawn"] != r["batch"] else ""
        ratio = f"{mark}{reference[r['batch']] / r['seconds']:,.0f}" if r["batch"] in reference else "–"
        table.add_row(
            r["backend"], str(r["batch"]), r["what"], f"{mark}{1e3 * r['seconds']:,.1f}",
            f"{mark}{1e3 * r['seconds'] / r['batch']:,.2f}", f"{r['megabytes'] / r['drawn']:.1f}", ratio,
        )  # fmt: skip
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
