"""``faceuv transfer``: a saved face with the topology of another face model."""

from __future__ import annotations

import argparse
from pathlib import Path

from faceuv.cli.arguments import SIDE
from faceuv.cli.console import add_device

SHEET_YAWS = (0.0, 40.0, 80.0)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("transfer", help="give a saved face the topology of another face model")
    parser.add_argument("face", type=Path, metavar="FACE", help="a face written by faceuv (.safetensors)")
    parser.add_argument("--to", required=True, metavar="MODEL", help="a face model by name: ICTFaceKit, MakeHuman, …")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="what to write: .safetensors, .glb, .obj or .ply"
    )
    parser.add_argument("--size", type=SIDE, default=1024, help="side of the new maps in texels (default 1024)")
    parser.add_argument("--sheet", type=Path, metavar="PNG", help="draw the face before and after from three sides")
    add_device(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from faceuv.cli.console import checked_device, console
    from faceuv.errors import InputError
    from faceuv.export import contact_sheet, save_png
    from faceuv.export.mesh_checks import one_line
    from faceuv.face import Face, build_face_model
    from faceuv.files.artefacts import check_writable
    from faceuv.models.faces.transfer import between
    from faceuv.registry import FACE_MODELS

    if args.out.suffix not in (".safetensors", ".glb", ".obj", ".ply"):
        raise InputError(f"--out must end with .safetensors, .glb, .obj or .ply, got {args.out.name!r}")
    if args.out.suffix != ".safetensors":
        one_line(args.out.stem)  # a mesh bears the name of its file
    if args.out.exists() and args.face.exists() and args.out.samefile(args.face):
        raise InputError(f"--out {args.out} is the face that is read; choose another name, so that it stays")
    if args.sheet is not None and args.sheet.suffix.lower() != ".png":
        raise InputError(f"--sheet must end with .png, got {args.sheet.name!r}")
    FACE_MODELS.get(args.to)  # an unknown name is an error before anything is read
    device = checked_device(args.device)
    face = Face.load(args.face).to(device)
    for path in filter(None, (args.out, args.sheet)):
        check_writable(path.parent)
    target = build_face_model(args.to)
    made = face.to_model(target, texture_size=args.size)
    console.print(f"wrote {made.save(args.out)}")
    if args.sheet is not None:
        pictures = [each.render(256, yaw_deg=yaw, centred=True) for each in (face, made) for yaw in SHEET_YAWS]
        names = [face.face_model, made.face_model]
        labels = [label for each in names for label in (FACE_MODELS.name_of(type(each)), "", "")]
        console.print(f"drew {save_png(args.sheet, contact_sheet(pictures, columns=len(SHEET_YAWS), labels=labels))}")
    if face.face_model is not None and made is not face:
        errors = between(face.face_model, target).errors
        said = ", ".join(
            f"{region} {error['median_mm']:.2f} / {error['p95_mm']:.2f} ({error['share']:.0%})"
            for region, error in errors.items()
        )
        console.print(f"distance of the surfaces in mm, median / 95 % (share with a counterpart): {said}")
    return 0
