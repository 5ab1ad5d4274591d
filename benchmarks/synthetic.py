"""Synthetic faces: pictures per second and processor time per picture, one picture after the other and in batches.

    python benchmarks/synthetic.py [--size 64 128] [--heads ProceduralFace MakeHuman] [--worlds full calm]
        [--samples 2] [--threads 1] [--device cpu] [--rounds 3]

Medians of the rounds, which go through all numbers of pictures in turn. For another version beside this one run the
same file with its PYTHONPATH, in turns.
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch

from faceuv.synthetic import SyntheticFaces


def times(faces: SyntheticFaces, start: int, count: int, batch: int) -> tuple[float, float]:
    """Seconds per picture, on the clock and of the processor, of ``count`` pictures in batches."""
    wait = torch.cuda.synchronize if faces.device.type == "cuda" else lambda: None
    clock, busy = time.perf_counter(), time.process_time()
    for first in range(start, start + count, batch):
        faces.batch(range(first, first + batch))
    wait()
    return (time.perf_counter() - clock) / count, (time.process_time() - busy) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--heads", nargs="+", default=["ProceduralFace"])
    parser.add_argument("--worlds", nargs="+", default=["full"])
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    batches = (1, 32) if device.type == "cpu" else (512,)
    print("| head | world | size | batch | pictures a second | processor, ms per picture |\n|---|---|---|---|---|---|")
    for head in options.heads:
        for world in options.worlds:
            for size in options.size:
                model = None if head == "ProceduralFace" else head  # the coarse one, by default
                faces = SyntheticFaces(size=size, samples=options.samples, world=world, face_model=model, device=device)
                faces.batch(range(2))  # what is built at the first picture
                found: dict[int, list[tuple[float, float]]] = {batch: [] for batch in batches}
                for turn in range(options.rounds):
                    for batch in batches:
                        found[batch].append(times(faces, turn * max(batches), max(batches), batch))
                for batch, pairs in found.items():
                    clock, busy = (statistics.median(column) for column in zip(*pairs))
                    print(f"| {head} | {world} | {size} | {batch} | {1 / clock:.1f} | {1e3 * busy:.1f} |", flush=True)


if __name__ == "__main__":
    main()
