#!/usr/bin/env python
"""Compare lifted teachers with the truth of their codes: one row per work dir.

    python tools/lifted_table.py full=work_dirs/liftedgan_cats_32 no_flip=work_dirs/no_flip --count 256

Each WORK is a work dir of a LiftedGAN recipe, the folder of its stage, or an entry of the zoo. The teacher's codes must
have a truth: drawn cat heads, or scenes of the synthetic faces. `--json FILE` keeps the numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from faceuv.errors import FaceUVError, InputError
from faceuv.evaluation.lifted_errors import lifted_errors
from faceuv.files.artefacts import atomic_path
from faceuv.models.base.face_generator import load
from faceuv.models.liftedgan import LiftedGANGenerator
from faceuv.registry import MODELS

COLUMNS = (
    "depth", "depth_mm", "yaw", "pitch", "roll", "l1", "albedo", "relit", "frechet_estimated", "frechet_random",
)  # fmt: skip
REFERENCES = ("flat_mm", "still_yaw", "picture_albedo", "not_relit")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", nargs="+", metavar="NAME=WORK")
    parser.add_argument("--count", type=int, default=256, help="codes (default: 256)")
    parser.add_argument("--truncation", type=float, default=1.0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    table: dict[str, dict[str, float]] = {}
    for item in args.works:
        name, _, work = item.partition("=")
        generator = load(work or name)
        if not isinstance(generator, LiftedGANGenerator):
            raise InputError(f"{work} holds a {type(generator).__name__}, expected a LiftedGAN")
        network = {
            "type": "StyleGAN2Discriminator", "size": generator.size, "channel_base": 16 * generator.size,
            "channel_max": 64,
        }  # fmt: skip
        features = MODELS.build({"type": "DiscriminatorFeatures", "network": network, "seed": 0})
        table[name] = lifted_errors(generator, features, count=args.count, truncation=args.truncation)
        print(f"measured {name}", file=sys.stderr)
    print("| | " + " | ".join(COLUMNS) + " |\n" + "|---" * (len(COLUMNS) + 1) + "|")
    for name, row in table.items():
        print(f"| {name} | " + " | ".join(f"{row[column]:.3g}" for column in COLUMNS) + " |")
    first = next(iter(table.values()))
    print("for comparison: " + ", ".join(f"{name} {first[name]:.3g}" for name in REFERENCES))
    if args.json is not None:
        with atomic_path(args.json) as temporary:
            temporary.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FaceUVError as error:
        sys.exit(f"error: {error}")
