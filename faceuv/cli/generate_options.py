"""The options of ``faceuv generate``: those of every figure, and those of each."""

from __future__ import annotations

import argparse
from pathlib import Path

from faceuv.cli.arguments import COUNT, SEED, SIDE, real
from faceuv.cli.console import add_device
from faceuv.cli.mesh_options import MESH_FORMATS, add_mesh_options

SEAMS = ("hard", "feather", "laplacian")  # spelt out: --help loads no torch; a test holds them to the library's
OVER = ("teacher", "studio")


def add_common(parser: argparse.ArgumentParser) -> None:
    """Options of every figure."""
    parser.add_argument("--generator", default="quickstart", help="a folder, a work dir or one of the zoo (quickstart)")
    parser.add_argument(
        "--seeds", type=SEED, nargs="+", default=[1, 2, 3], metavar="SEED", help="one face each (1 2 3)"
    )
    parser.add_argument("--out", type=Path, default=Path("out/generate"), metavar="DIR", help="where to (out/generate)")
    parser.add_argument("--size", type=SIDE, default=192, metavar="PX", help="side of each picture (192)")
    parser.add_argument("--over", choices=OVER, help="what lies behind a face (teacher; studio for turntables)")
    parser.add_argument("--seam", choices=SEAMS, default="laplacian", help="between face and teacher (laplacian)")
    parser.add_argument(
        "--truncation", type=real(-10, 10), default=1.0, metavar="T", help="< 1: nearer to the mean face (1)"
    )
    parser.add_argument("--renderer", metavar="NAME", help="a renderer by name (torch)")
    add_device(parser)
    parser.add_argument("--light", metavar="NAME", help="the light of all faces; their own if absent")
    parser.add_argument(
        "--expression", nargs="+", default=[], metavar="NAME=AMOUNT", help="of all faces: smile=0.8 jaw_open=0.2"
    )


def add_yaw(parser: argparse.ArgumentParser) -> None:
    """Of the strip of yaws."""
    yaws = [-60.0, -30.0, -15.0, 0.0, 15.0, 30.0, 60.0]
    parser.add_argument("--yaws", type=real(), nargs="+", default=yaws, metavar="DEG", help="(-60 -30 -15 0 15 30 60)")


def add_interpolation(parser: argparse.ArgumentParser) -> None:
    """Of the way between seeds."""
    parser.add_argument(
        "--steps", type=COUNT, default=6, metavar="N", help="from a seed to the next, ends included (6)"
    )


def add_lights(parser: argparse.ArgumentParser) -> None:
    """Of the grid of lights."""
    names = ["front", "left", "right", "top", "bottom", "warm", "cool"]
    parser.add_argument(
        "--lights", nargs="+", default=names, metavar="NAME", help="of the columns: front left top warm …"
    )


def add_expressions(parser: argparse.ArgumentParser) -> None:
    """Of the grid of expressions."""
    words = ["smile=1", "jaw_open=0.7", "brow_up=1", "blink=1", "frown=1+brow_down=1", "smile=1+jaw_open=0.4"]
    parser.add_argument(
        "--expressions",
        nargs="+",
        default=words,
        metavar="NAME=AMOUNT",
        help="of the columns, 1 = full; + joins movements: smile=0.8+jaw_open=0.3",
    )


def add_mixing(parser: argparse.ArgumentParser) -> None:
    """Of mixed styles."""
    fine = [4, 5, 6, 7]
    parser.add_argument(
        "--fine", type=SEED, nargs="+", default=fine, metavar="SEED", help="that give the fine styles (4 5 6 7)"
    )
    parser.add_argument(
        "--layer",
        type=SEED,
        metavar="N",
        help="rows of a code before it are those of --seeds (4, or half of them where there are few)",
    )


def add_sources(parser: argparse.ArgumentParser) -> None:
    """Of StyleRig's figures; ``all`` has both of them."""
    known = {action.dest for action in parser._actions}
    if "sources" not in known:
        parser.add_argument(
            "--sources", type=SEED, nargs="+", default=[4, 5, 6], metavar="SEED", help="whose pose, … is taken (4 5 6)"
        )


def add_edits(parser: argparse.ArgumentParser) -> None:
    """Of moves along directions."""
    parser.add_argument(
        "--direction",
        nargs="+",
        metavar="NAME",
        help="files of directions, zoo:entry, or names that the generator knows; all of these if absent",
    )
    sigmas = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0]
    parser.add_argument(
        "--sigmas", type=real(), nargs="+", default=sigmas, metavar="N", help="in sd of the codes (-3 -2 -1 0 1 2 3)"
    )


def add_turntable(parser: argparse.ArgumentParser) -> None:
    """Of the animation."""
    parser.add_argument(
        "--video", choices=("gif", "mp4"), default="gif", help="format (gif); mp4 needs the extra video"
    )
    parser.add_argument("--frames", type=COUNT, default=48, metavar="N", help="of the whole loop (48)")
    parser.add_argument("--fps", type=real(0.1, 1000), default=24.0, metavar="N", help="frames per second (24)")
    parser.add_argument("--swing-deg", type=real(), default=60.0, metavar="DEG", help="how far to either side (60)")


def add_faces(parser: argparse.ArgumentParser) -> None:
    """Of mesh files."""
    parser.add_argument("--mesh", choices=MESH_FORMATS, default="glb", help="format of the meshes (glb)")
    add_mesh_options(parser)
