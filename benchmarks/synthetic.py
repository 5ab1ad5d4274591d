"""Synthetic faces per second, one picture after the other and in batches.

python benchmarks/synthetic.py [--size 64 128 256] [--device cpu] [--threads 1 2] [--seconds 10]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from faceuv.synthetic import SyntheticFaces


def rate(draw: Callable[[int], int], seconds: float, device: torch.device) -> float:
    """Pictures per second of ``draw(number of the call) → pictures drawn``, after a warm-up."""
    draw(0)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    start, drawn, calls = time.perf_counter(), 0, 0
    while time.perf_counter() - start < seconds:
        calls += 1
        drawn += draw(calls)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return drawn / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()

    device = torch.device(options.device)
    batch = 8 if device.type == "cpu" else 512
    print(f"{'size':>5} {'samples':>8} {'threads':>8} {'pictures/s':>11} {'CPU s per picture':>18}")
    for size in options.size:
        for samples in (1, 2):
            faces = SyntheticFaces(size=size, samples=samples, device=device)

            def draw(call: int, faces: SyntheticFaces = faces) -> int:
                return len(faces.batch(range(call * batch, (call + 1) * batch))["image"])

            for threads in options.threads if device.type == "cpu" else [torch.get_num_threads()]:
                torch.set_num_threads(threads)
                before, start = time.process_time(), time.perf_counter()
                speed = rate(draw, options.seconds, device)
                busy = (time.process_time() - before) / max(speed * (time.perf_counter() - start), 1)
                print(f"{size:5d} {samples:8d} {threads:8d} {speed:11.1f} {busy:18.3f}", flush=True)


if __name__ == "__main__":
    main()
