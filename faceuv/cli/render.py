"""``faceuv render``: pictures and turntables of a saved or a random face."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from faceuv.cli.arguments import COUNT, SEED, SIDE, real
from faceuv.cli.console import add_device
from faceuv.errors import InputError

ANIMATIONS = (".gif", ".mp4")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("render", help="a picture (.png) or a turntable (.gif, .mp4) of a face")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("face", nargs="?", type=Path, help="a face saved as .safetensors (by sample, or Face.save)")
    source.add_argument("--seed", type=SEED, help="a random face")
    source.add_argument("--mean", action="store_true", help="the mean face")
    parser.add_argument("--out", type=Path, default=Path("out/face.png"), help=".png, .gif or .mp4 (out/face.png)")
    parser.add_argument("--size", type=SIDE, nargs="+", default=[512], metavar="PX", help="a side, or height and width")
    parser.add_argument("--yaw-deg", type=real(), help="> 0 turns to the viewer's right; a turntable swings this far")
    parser.add_argument("--pitch-deg", type=real(), help="> 0 looks down")
    parser.add_argument("--roll-deg", type=real(), help="> 0 tilts counter-clockwise")
    parser.add_argument(
        "--framing",
        choices=("head", "camera"),
        default="head",
        help="head: the whole head in the middle (default); camera: the face where it lies, as fitting sees it",
    )
    parser.add_argument("--light", help="a light by name: studio, left, right, top, warm, …")
    parser.add_argument(
        "--expression",
        nargs="+",
        default=[],
        metavar="NAME=AMOUNT",
        help="named movements, 1 = full: --expression smile=0.8 jaw_open=0.2",
    )
    parser.add_argument("--shape", action="store_true", help="the grey surface without its albedo")
    parser.add_argument("--frames", type=COUNT, default=48, help="of a turntable (default 48)")
    parser.add_argument("--face-model", help="a face model by name (default: the one the file names)")
    parser.add_argument("--renderer", default="torch", help="a renderer by name (default torch)")
    add_device(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from faceuv.cli.console import checked_device, console, require_positive
    from faceuv.export import save_png
    from faceuv.face import Face
    from faceuv.files.artefacts import check_writable

    for side in args.size:
        require_positive("--size", side)
    if len(args.size) > 2:
        raise InputError(f"--size takes a side or height and width, got {len(args.size)} numbers")
    size = args.size[0] if len(args.size) == 1 else (args.size[0], args.size[1])
    suffix = args.out.suffix.lower()
    if suffix not in (".png", *ANIMATIONS):
        raise InputError(f"--out must end in .png, .gif or .mp4, got {args.out.name!r}")

    device = checked_device(args.device)
    parts = {"face_model": args.face_model, "renderer": args.renderer}
    if args.face is not None:
        face = Face.load(args.face, **parts)
    else:
        face = Face.mean(**parts) if args.mean else Face.random(args.seed, **parts)
    face = face.to(device).with_expression(**parse_amounts(args.expression))
    face = face if args.light is None else face.with_lighting(args.light)
    if suffix in ANIMATIONS and args.shape:
        raise InputError("--shape makes a picture: give --out a name that ends in .png")
    check_writable(args.out.parent)
    if suffix in ANIMATIONS:
        face = face.with_pose(pitch_deg=args.pitch_deg, roll_deg=args.roll_deg)
        swing = 60.0 if args.yaw_deg is None else args.yaw_deg
        framing = dict(centred=args.framing == "head")
        face.save_turntable(args.out, frames=args.frames, size=size, yaw_deg=swing, **framing)
    else:
        face = face.with_pose(args.yaw_deg, args.pitch_deg, args.roll_deg)
        face = face.centred() if args.framing == "head" else face
        save_png(args.out, face.render_full(size, shape_only=args.shape).image[0].clamp(0, 1))
    console.print(f"wrote {args.out}")
    return 0


def parse_amounts(words: list[str]) -> dict[str, float]:
    """``["smile=0.8"]`` → ``{"smile": 0.8}``."""
    amounts = {}
    for word in words:
        name, equals, value = word.partition("=")
        try:
            amounts[name] = float(value)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise InputError(f"an expression is written name=amount, such as smile=0.8; got {word!r}")
        if not math.isfinite(amounts[name]):
            raise InputError(f"the amount of {name!r} must be a finite number, got {value!r}")
    return amounts
