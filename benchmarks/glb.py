#!/usr/bin/env python
"""Time and size of GLB files of one face: mesh file and writing, plain, quantised, with JPEG.

python benchmarks/glb.py --face-model ICTFaceKit --texture-size 1024
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from faceuv import Face
from faceuv.export.glb import glb_bytes


def measure(face: Face, texture_size: int | None = None) -> dict[str, float]:
    """Seconds of CPU and megabytes, warm: what a face model needs once is done before."""
    face.mesh_file(texture_size=texture_size)
    start = time.process_time()
    mesh = face.mesh_file(texture_size=texture_size)
    found = {"mesh_file_s": time.process_time() - start, "morph_targets": float(len(mesh.morph_targets))}
    kinds: dict[str, dict[str, Any]] = {"plain": {}, "quantised": {"quantised": True}, "jpeg": {"texture_kind": "jpeg"}}
    for name, options in kinds.items():
        start = time.process_time()
        data = glb_bytes(mesh, **options)
        found |= {f"{name}_s": time.process_time() - start, f"{name}_mb": len(data) / 1e6}
    return found


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--face-model", default="ProceduralFace")
    parser.add_argument("--texture-size", type=int)
    parser.add_argument("--detail", type=int, metavar="PX", help="maps of skin detail of this side")
    args = parser.parse_args()
    face = Face.random(1, face_model=args.face_model)
    face = face if args.detail is None else face.with_detail(1, args.detail)
    for name, value in measure(face, args.texture_size).items():
        print(f"{name:14} {value:8.2f}")


if __name__ == "__main__":
    main()
