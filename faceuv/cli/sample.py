"""``faceuv sample``: random faces as mesh files, with a contact sheet."""

from __future__ import annotations

import argparse
from pathlib import Path

SHEET_YAWS = (-45.0, 0.0, 45.0)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("sample", help="make random faces: mesh files and a contact sheet")
    parser.add_argument("--num", type=int, default=8, metavar="N", help="how many faces (default 8)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="face k has seed S + k (default 0)")
    parser.add_argument("--out", type=Path, default=Path("out/sample"), metavar="DIR", help="where to (out/sample)")
    parser.add_argument("--format", choices=("glb", "obj", "ply"), default="glb", help="mesh format (default glb)")
    parser.add_argument("--size", type=int, default=192, help="side of a picture on the sheet (default 192)")
    parser.add_argument("--light", default="studio", help="a light by name (default studio)")
    parser.add_argument("--face-model", default="ProceduralFace", help="a face model by name")
    parser.add_argument("--renderer", default="torch", help="a renderer by name (default torch)")
    parser.add_argument("--blend-shapes", action="store_true", help="write the expressions as morph targets (glb)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.progress import track

    from faceuv.artefacts import check_writable
    from faceuv.cli.console import console, require_positive
    from faceuv.export import contact_sheet, save_png
    from faceuv.face import Face, build_face_model, build_renderer

    require_positive("--num", args.num)
    require_positive("--size", args.size)
    out = check_writable(args.out)
    model, renderer = build_face_model(args.face_model), build_renderer(args.renderer)
    pictures, labels = [], []
    for k in track(range(args.num), description=f"faces → {out}", console=console, disable=not console.is_terminal):
        face = Face.random(args.seed + k, face_model=model, renderer=renderer).with_lighting(args.light)
        name = f"face_{k:03d}"
        face.save(out / f"{name}.{args.format}", blend_shapes=args.blend_shapes)
        face.save(out / f"{name}.safetensors")
        pictures += [face.render(args.size, yaw_deg=yaw) for yaw in SHEET_YAWS]
        labels += [f"seed {args.seed + k}", "", ""]
    sheet = save_png(out / "sheet.png", contact_sheet(pictures, columns=2 * len(SHEET_YAWS), labels=labels))
    console.print(f"{args.num} faces (.{args.format} and .safetensors) in {out}; contact sheet: {sheet}")
    return 0
