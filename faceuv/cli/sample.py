"""``faceuv sample``: faces by seed, of the linear model or of a generator, as mesh files with a contact sheet."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from faceuv.cli.arguments import COUNT, SEED, SIDE
from faceuv.cli.console import add_device
from faceuv.cli.mesh_options import MESH_FORMATS, add_mesh_options, mesh_options

if TYPE_CHECKING:
    from faceuv.face import Face

SHEET_YAWS = (-45.0, 0.0, 45.0)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("sample", help="make random faces: mesh files and a contact sheet")
    parser.add_argument("--num", type=COUNT, default=8, metavar="N", help="how many faces (default 8)")
    parser.add_argument("--seed", type=SEED, default=0, metavar="S", help="face k has seed S + k (default 0)")
    parser.add_argument("--out", type=Path, default=Path("out/sample"), metavar="DIR", help="where to (out/sample)")
    parser.add_argument("--format", choices=MESH_FORMATS, default="glb", help="mesh format (default glb)")
    parser.add_argument("--size", type=SIDE, default=192, help="side of a picture on the sheet (default 192)")
    parser.add_argument(
        "--generator",
        metavar="NAME",
        help="make generated faces instead of random ones of the linear model: quickstart, a folder or a work dir",
    )
    parser.add_argument("--light", help="a light by name (default studio; of generated faces their own)")
    parser.add_argument(
        "--face-model",
        help="a face model by name (default ProceduralFace, or the generator's); a generator's faces are transferred",
    )
    parser.add_argument("--renderer", default="torch", help="a renderer by name (default torch)")
    add_device(parser)
    add_mesh_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.markup import escape
    from rich.progress import track

    from faceuv.cli.console import checked_device, console, require_positive
    from faceuv.export import contact_sheet, save_png
    from faceuv.files.artefacts import check_writable
    from faceuv.files.licences import licence_line

    require_positive("--num", args.num)
    require_positive("--size", args.size)
    device = checked_device(args.device)
    make = maker(args)
    out = check_writable(args.out)
    pictures, labels = [], []
    for k in track(
        range(args.num), description=escape(f"faces → {out}"), console=console, disable=not console.is_terminal
    ):
        face = make(args.seed + k).to(device)
        name = f"face_{k:03d}"
        face.save(out / f"{name}.{args.format}", **mesh_options(args))
        face.save(out / f"{name}.safetensors")
        pictures += [face.render(args.size, yaw_deg=yaw, centred=True) for yaw in SHEET_YAWS]
        labels += [f"seed {args.seed + k}", "", ""]
        licences = face.licences()
    sheet = save_png(out / "sheet.png", contact_sheet(pictures, columns=2 * len(SHEET_YAWS), labels=labels))
    console.print(f"{args.num} faces (.{args.format} and .safetensors) in {out}; contact sheet: {sheet}")
    console.print(licence_line(licences), markup=False)
    return 0


def maker(args: argparse.Namespace) -> Callable[[int], Face]:
    """Seed → face."""
    from faceuv.face import Face, build_face_model, build_renderer
    from faceuv.models.base.face_generator import load
    from faceuv.registry import FACE_MODELS

    if args.generator is not None:
        generator = load(args.generator, renderer=args.renderer)
        own = None if generator.face_model is None else FACE_MODELS.name_of(type(generator.face_model))
        wanted = None  # another topology for its faces
        if args.face_model is not None and args.face_model == own:
            generator = load(args.generator, face_model=args.face_model, renderer=args.renderer)
        elif args.face_model is not None:
            wanted = build_face_model(args.face_model)

        def generated(seed: int) -> Face:
            face = generator.sample(seed, face_model=wanted)
            return face if args.light is None else face.with_lighting(args.light)

        return generated
    model, renderer = build_face_model(args.face_model), build_renderer(args.renderer)
    light = args.light or "studio"
    return lambda seed: Face.random(seed, face_model=model, renderer=renderer).with_lighting(light)
