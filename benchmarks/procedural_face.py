"""How long the procedural face takes to build, step by step, and to read from the cache.

python benchmarks/procedural_face.py [--rows 201 --columns 161]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from itertools import pairwise

from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.faces.procedural.build import build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=201)
    parser.add_argument("--columns", type=int, default=161)
    options = parser.parse_args()

    marks: list[tuple[str, float]] = []
    built = build(options.rows, options.columns, lambda step: marks.append((step, time.perf_counter())))
    marks.append(("end", time.perf_counter()))
    for (step, start), (_, stop) in pairwise(marks):
        print(f"{stop - start:7.2f} s  {step}")
    total = marks[-1][1] - marks[0][1]
    size = sum(t.numel() * t.element_size() for t in built.arrays.values()) / 2**20
    vertices, faces = len(built.arrays["mean"]), len(built.arrays["faces"])
    print(f"{total:7.2f} s  in all: {vertices:,} vertices, {faces:,} triangles, {size:.0f} MiB")

    with tempfile.TemporaryDirectory() as folder:
        os.environ["FACEUV_CACHE"] = folder
        for label in ("first construction (builds and writes)", "later construction (reads)"):
            start = time.perf_counter()
            ProceduralFace(options.rows, options.columns, verbose=False)
            print(f"{time.perf_counter() - start:7.2f} s  {label}")


if __name__ == "__main__":
    main()
