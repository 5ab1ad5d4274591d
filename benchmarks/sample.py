"""What ``faceuv sample`` costs for more and more faces: processor time, memory, and the slope of larger numbers.

    python benchmarks/sample.py [--counts 10 30 100] [-- OPTIONS OF FACEUV SAMPLE]

Each number is a process of its own with an empty folder; the cache of face models is warm after the first. The slope is
that of a straight line through the points, and 100,000 faces are extrapolated along it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

SMALL = ["--face-model", "ProceduralFace", "--size", "64", "--texture-size", "64"]


def cost(words: list[str], count: int) -> tuple[float, float, float]:
    """Processor seconds, peak resident MiB and MiB on the disk of ``count`` faces, in a process of their own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "faceuv", "sample", "--num", str(count), "--out", folder, *words]
        child = os.posix_spawn(
            sys.executable,
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
        )
        _, status, used = os.wait4(child, 0)
        if status:
            raise SystemExit(f"{' '.join(command)} failed")
        size = sum(path.stat().st_size for path in Path(folder).rglob("*"))
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 2**10, size / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", type=int, nargs="+", default=[10, 30, 100])
    parser.add_argument(
        "words", nargs="*", help="options of faceuv sample, after --; small procedural faces by default"
    )
    options = parser.parse_args()
    words = options.words or SMALL

    cost(words, 1)  # fills the cache
    print(f"faceuv sample {' '.join(words)}\n")
    print("| faces | processor s | peak memory, MiB | on the disk, MiB |\n|---|---|---|---|")
    taken = []
    for count in options.counts:
        seconds, memory, size = cost(words, count)
        taken.append(seconds)
        print(f"| {count:,} | {seconds:.1f} | {memory:,.0f} | {size:.1f} |", flush=True)
    middle, mean = sum(options.counts) / len(options.counts), sum(taken) / len(taken)
    spread = sum((count - middle) ** 2 for count in options.counts)
    slope = sum((count - middle) * (value - mean) for count, value in zip(options.counts, taken)) / max(spread, 1e-9)
    print(f"\n{slope:.3f} s per face beyond a start of {mean - slope * middle:.1f} s")
    print(f"100,000 faces: {slope * 1e5 / 3600:.0f} core-hours")


if __name__ == "__main__":
    main()
