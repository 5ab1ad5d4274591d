"""How long a face model takes to build, step by step, and to read from the cache: seconds of processor time.

python benchmarks/face_models.py [procedural | makehuman] [--rows 201 --columns 161] [--subdivisions 1]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.cached import Built
from faceuv.models.faces.makehuman import MakeHuman
from faceuv.models.faces.makehuman.build import build as build_makehuman
from faceuv.models.faces.makehuman.source import MakeHumanData
from faceuv.models.faces.procedural import ProceduralFace
from faceuv.models.faces.procedural.build import build as build_procedural


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="procedural", choices=["procedural", "makehuman"])
    parser.add_argument("--rows", type=int, default=201)
    parser.add_argument("--columns", type=int, default=161)
    parser.add_argument("--subdivisions", type=int, default=1)
    options = parser.parse_args()

    build: Callable[[Callable[[str], None]], Built]
    construct: Callable[[], FaceModel]
    if options.model == "makehuman":
        build = partial(build_makehuman, MakeHumanData(), options.subdivisions)
        construct = partial(MakeHuman, options.subdivisions, verbose=False)
    else:
        build = partial(build_procedural, options.rows, options.columns)
        construct = partial(ProceduralFace, options.rows, options.columns, verbose=False)

    now = time.process_time
    marks: list[tuple[str, float]] = []
    built = build(lambda step: marks.append((step, now())))
    marks.append(("end", now()))
    for (step, start), (_, stop) in pairwise(marks):
        print(f"{stop - start:7.2f} s  {step}")
    total = marks[-1][1] - marks[0][1]
    size = sum(t.numel() * t.element_size() for t in built.arrays.values()) / 2**20
    vertices, faces = len(built.arrays["mean"]), len(built.arrays["faces"])
    print(f"{total:7.2f} s  in all: {vertices:,} vertices, {faces:,} triangles, {size:.0f} MiB")

    with tempfile.TemporaryDirectory() as folder:
        os.environ["FACEUV_CACHE"] = folder
        for label in ("first construction (builds and writes)", "later construction (reads)"):
            start = now()
            construct()
            print(f"{now() - start:7.2f} s  {label}")


if __name__ == "__main__":
    main()
