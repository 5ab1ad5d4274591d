"""The options of commands that write mesh files."""

from __future__ import annotations

import argparse
from typing import Any

from faceuv.cli.arguments import whole

MESH_FORMATS = ("glb", "obj", "ply", "usda", "usdc", "usdz")
TEXTURE = whole(1, 8192)
LEVELS = whole(1, 4)


def add_mesh_options(parser: argparse.ArgumentParser) -> None:
    """Add what :meth:`faceuv.Face.save` takes."""
    parser.add_argument(
        "--blend-shapes",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="the movements as named morph targets, ARKit's first (glb; default: where the face model has them)",
    )
    parser.add_argument("--texture-size", type=TEXTURE, metavar="PX", help="side of all textures (that of the maps)")
    parser.add_argument("--quantised", action="store_true", help="16-bit vertices (glb): about half the size")
    parser.add_argument(
        "--lod", type=LEVELS, metavar="N", help="besides, N coarser files NAME_lod1 …, each half as fine"
    )


def mesh_options(args: argparse.Namespace) -> dict[str, Any]:
    """The keywords for :meth:`faceuv.Face.save`."""
    return {name: getattr(args, name) for name in ("blend_shapes", "texture_size", "quantised", "lod")}
