"""``faceuv page``: one HTML file that shows faces in 3D in a browser, without a server."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from faceuv.cli.arguments import SEED
from faceuv.cli.console import add_device
from faceuv.cli.mesh_options import TEXTURE
from faceuv.errors import InputError

if TYPE_CHECKING:
    import torch

    from faceuv.export.page import PageFace

SUFFIXES = (".safetensors", ".glb")
PICTURE = 72  # side of a face's picture in the list of faces


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("page", help="one HTML file that shows faces in 3D in a browser")
    parser.add_argument("faces", nargs="*", type=Path, metavar="FACE", help=".safetensors, .glb, or folders of them")
    parser.add_argument("--seeds", type=SEED, nargs="+", metavar="S", help="random faces besides")
    parser.add_argument("--face-model", help="of the random faces (MakeHuman where it is installed)")
    parser.add_argument("--out", type=Path, default=Path("out/page.html"), help="the page (out/page.html)")
    parser.add_argument("--title", help="of the page (default: the file's name)")
    parser.add_argument("--texture-size", type=TEXTURE, default=1024, metavar="PX", help="of all textures (1024)")
    add_device(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.progress import track

    from faceuv.cli.console import checked_device, console
    from faceuv.cli.sample import default_model
    from faceuv.export.page import save_page
    from faceuv.export.page.building import checked_page
    from faceuv.face import Face, build_face_model
    from faceuv.files.artefacts import check_writable
    from faceuv.files.names import printable
    from faceuv.models.faces.hair.worn import wears_hair

    paths = list(_files(args.faces))
    if not paths and not args.seeds:
        raise InputError("a page needs faces: give .safetensors or .glb files, folders of them, or --seeds 1 2 3")
    checked_page(args.out)
    device = checked_device(args.device)
    for path in paths:
        if not path.is_file():
            raise InputError(f"{printable(path)} does not exist; expected a face saved by faceuv, or a .glb file")
    model = build_face_model(args.face_model or default_model()) if args.seeds else None
    if model is not None:  # random people take a while; files are read first thing
        check_writable(args.out.parent)
    wanted = [*paths, *(args.seeds or [])]
    several = len(wanted) > 1
    faces: list[PageFace] = []
    for one in track(wanted, description="faces", console=console, disable=not console.is_terminal):
        if isinstance(one, Path):
            faces.append(_read(one, args.texture_size, several, device))
        else:
            person = Face.random(one, face_model=model, texture_size=args.texture_size).to(device)
            if wears_hair(model, person.coefficients):  # as faceuv sample
                person = person.with_hair(seed=one)
            faces.append(person.on_page(f"seed {one}", texture_size=args.texture_size, picture=PICTURE * several))
    page = save_page(args.out, faces, title=args.title or args.out.stem)
    count = f"{len(faces)} faces" if several else "one face"
    console.print(f"wrote {page}: {count}, {page.stat().st_size / 1e6:.1f} MB; open it in a browser", markup=False)
    return 0


def _files(given: list[Path]) -> Iterator[Path]:
    """Files as they are, and those in folders by name; of a face saved as both, the .safetensors, which knows more."""
    for path in given:
        if path.is_dir():
            inside = sorted(one for one in path.iterdir() if one.suffix.lower() in SUFFIXES)
            found = {one.stem: one for one in sorted(inside, key=lambda one: one.suffix)}
            if not found:
                raise InputError(f"the folder {path} holds no face: expected {' or '.join(SUFFIXES)} files in it")
            yield from found.values()
        elif path.suffix.lower() not in SUFFIXES:
            raise InputError(f"a face is a {' or '.join(SUFFIXES)} file, or a folder of them, got {path.name!r}")
        else:
            yield path


def _read(path: Path, texture_size: int, several: bool, device: torch.device) -> PageFace:
    from faceuv.export.page import PageFace
    from faceuv.face import Face

    if path.suffix.lower() == ".safetensors":
        return Face.load(path).to(device).on_page(path.stem, texture_size=texture_size, picture=PICTURE * several)
    return PageFace(path.stem, path.read_bytes())
