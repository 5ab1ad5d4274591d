"""``faceuv animate``: a face moved by the ARKit blend shapes of a file, as a film or a mesh that moves."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from faceuv.cli.arguments import LARGEST_SEED, SEED, SIDE, real
from faceuv.cli.console import add_device
from faceuv.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from faceuv.face import Face

FILMS = (".mp4", ".gif")
MESH = ".glb"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "animate", help="a film (.mp4, .gif) or a moving mesh (.glb) of a face, from ARKit blend shapes (.csv, .json)"
    )
    parser.add_argument(
        "face",
        metavar="FACE",
        help="a face saved as .safetensors, the seed of a random face, or a generator: a name, a folder or a work dir",
    )
    parser.add_argument(
        "animation",
        type=Path,
        metavar="ANIMATION",
        help=".csv of Live Link Face, .csv with ARKit's names as header, or .json of Audio2Face",
    )
    parser.add_argument("--out", type=Path, default=Path("out/animation.mp4"), help="default out/animation.mp4")
    parser.add_argument("--seed", type=SEED, default=0, help="of the face of a generator (default 0)")
    parser.add_argument("--fps", type=real(0.1, 1000), default=25.0, metavar="N", help="of the film (default 25)")
    parser.add_argument(
        "--source-fps",
        type=real(0.1, 1000),
        metavar="N",
        help="of the animation, where its file does not say (default: as the file says)",
    )
    parser.add_argument("--size", type=SIDE, default=512, help="side of the pictures (default 512)")
    parser.add_argument("--yaw-deg", type=real(), help="view: > 0 turns the head to the viewer's right")
    parser.add_argument("--pitch-deg", type=real(), help="view: > 0 looks down")
    parser.add_argument("--keep-head", action="store_true", help="do not turn the head as the animation does")
    parser.add_argument(
        "--framing",
        choices=("head", "camera"),
        default="head",
        help="head: the whole head in the middle (default); camera: the face where it lies",
    )
    parser.add_argument("--light", help="a light by name: studio, left, right, top, warm, …")
    parser.add_argument("--face-model", help="a face model by name (default: the one that the face names)")
    parser.add_argument("--renderer", default="torch", help="a renderer by name (default torch)")
    add_device(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from faceuv.animation import not_shown, pictures, read_animation, save_animation, turns_head
    from faceuv.cli.console import checked_device, console
    from faceuv.export import save_video
    from faceuv.export.video import check_video
    from faceuv.files.artefacts import check_writable

    suffix = args.out.suffix.lower()
    if suffix not in (*FILMS, MESH):
        raise InputError(f"--out must end in {', '.join((*FILMS, MESH))}, got {args.out.name!r}")
    if suffix in FILMS:
        check_video(args.out, fps=args.fps)
    animation = read_animation(args.animation, fps=args.source_fps)
    face = chosen_face(args).to(checked_device(args.device)).with_pose(args.yaw_deg, args.pitch_deg)
    face = face if args.light is None else face.with_lighting(args.light)
    check_writable(args.out.parent)
    lost = not_shown(face, animation)
    if lost:
        console.print(
            "this face cannot show " + ", ".join(f"{name} (up to {amount:.2f})" for name, amount in lost.items())
        )
    if animation.limited:
        console.print(f"{animation.limited:,} amounts lay outside 0 … 1 and were limited to it")
    if suffix == MESH:
        if not args.keep_head and not turns_head(face, animation):
            console.print("the turn of the head is not in the file: this face model has no joint for it")
        save_animation(args.out, face, animation, head=not args.keep_head)
        console.print(f"wrote {args.out}: {len(animation):,} moments, {animation.seconds:.1f} s")
        return 0
    film = animation.at(args.fps)
    frames = pictures(face, film, args.size, head=not args.keep_head, centred=args.framing == "head")
    save_video(args.out, _counted(frames, len(film), str(args.out)), fps=args.fps)
    console.print(f"wrote {args.out}: {len(film):,} frames, {film.seconds:.1f} s")
    return 0


def chosen_face(args: argparse.Namespace) -> Face:
    """The face that ``FACE`` means: a seed, a file, or a generator's."""
    from faceuv.face import Face
    from faceuv.models.base.face_generator import load

    parts = {"face_model": args.face_model, "renderer": args.renderer}
    if args.face.isascii() and args.face.isdigit():
        seed = int(args.face)
        if seed > LARGEST_SEED:
            raise InputError(f"a seed must be at most {LARGEST_SEED:,}, got {args.face}")
        return Face.random(seed, **parts)
    if args.face.lower().endswith(".safetensors"):
        return Face.load(args.face, **parts)
    return load(args.face, **parts).sample(args.seed)


def _counted(frames: Iterator[Tensor], count: int, name: str) -> Iterator[Tensor]:
    from rich.markup import escape
    from rich.progress import track

    from faceuv.cli.console import console

    yield from track(
        frames, description=f"frames → {escape(name)}", total=count, console=console, disable=not console.is_terminal
    )
