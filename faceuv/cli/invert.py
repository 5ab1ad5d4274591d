"""``faceuv invert``: pictures → codes with local detail, edited and turned pictures, meshes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceuv.cli.arguments import COUNT, real
from faceuv.cli.console import add_device, checked_device
from faceuv.cli.heads import heads_or
from faceuv.cli.render import parse_amounts
from faceuv.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from faceuv.cli.invert_folder import InvertFolder
    from faceuv.data.images import PictureFile, PictureReader
    from faceuv.models.base.contracts import Inverter
    from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator

METHODS = {"encoder": "EncoderInverter", "w": "WProjection", "w+": "WPlusProjection", "pti": "PivotalTuning"}
HEADS, FACES = "inversion_heads_64", "inversion_64"  # what inverts where MakeHuman is installed, and elsewhere
FRAMINGS = ("align", "crop", "pad")
_LOOKED_AT = 256  # pixels: the side at which faces are looked for
_ROUNDS = 2  # of framing a face by its landmarks


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("invert", help="pictures → codes of a generator: edited, turned, as meshes")
    parser.add_argument("images", nargs="+", metavar="PICTURES", help="pictures, folders, globs or videos")
    parser.add_argument("--out", type=Path, default=Path("out/invert"), metavar="DIR", help="where to (out/invert)")
    parser.add_argument(
        "--generator",
        help=f"a generator of faces: an entry of the zoo, a folder or a work dir (default {HEADS} where MakeHuman is"
        f" installed, {FACES} elsewhere)",
    )
    parser.add_argument(
        "--method",
        default="encoder",
        help=f"{', '.join(METHODS)}, or an inverter by its registered name (default encoder)",
    )
    parser.add_argument("--steps", type=COUNT, metavar="N", help="of an optimisation")
    parser.add_argument("--no-detail", action="store_true", help="the code alone, without local detail")
    parser.add_argument(
        "--refine", metavar="SCHEDULE", help="fit the coefficients to the picture, too: fast or precise (encoder)"
    )
    parser.add_argument(
        "--framing",
        choices=FRAMINGS,
        default="align",
        help="align: the square around the face, as the generator draws it; crop: the middle square; pad: all of it",
    )
    parser.add_argument("--detector", default="SyntheticLandmarks", help="a landmark detector by name, or none")
    parser.add_argument(
        "--edit", nargs="+", default=[], metavar="NAME=STEP", help="directions and steps in σ, such as smile=2"
    )
    parser.add_argument(
        "--yaws", nargs="*", type=real(-90, 90), default=[-30.0, 30.0], metavar="DEG", help="views (−30 30)"
    )
    parser.add_argument("--every", type=COUNT, default=1, metavar="N", help="of a video, every N-th frame")
    parser.add_argument("--batch-size", type=COUNT, default=16, metavar="N", help="pictures at a time (default 16)")
    add_device(parser)
    parser.add_argument("--no-meshes", action="store_true", help="write no .glb files")
    parser.add_argument("--overwrite", action="store_true", help="invert pictures again that are inverted already")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Invert what is not inverted yet; 1 if no picture could be inverted."""
    import faceuv
    from faceuv.cli.console import console
    from faceuv.cli.invert_folder import InvertFolder
    from faceuv.data.images import PictureReader, find_pictures
    from faceuv.files.artefacts import check_writable
    from faceuv.models.inversion import invert_with

    files = find_pictures(args.images, every=args.every)
    for source in args.images:
        if Path(source).is_dir() and args.out.exists() and Path(source).samefile(args.out):
            raise InputError(f"--out {args.out} is the folder that the pictures are in; choose another")
    device = checked_device(args.device)
    args.generator = args.generator or default_generator()
    generator = _checked(faceuv.load(args.generator)).to(device)
    edits = parse_amounts(args.edit)
    for name in edits:
        generator.direction(name)
    folder = InvertFolder(args.out, _settings(args), edits, args.yaws, meshes=not args.no_meshes)
    folder.check(overwrite=args.overwrite)
    waiting = [file for file in files if args.overwrite or not folder.is_finished(file)]
    if len(waiting) < len(files):
        console.print(f"{len(files) - len(waiting)} of {len(files)} pictures are inverted already")
    inverter = _inverter(args, generator) if waiting else None
    detector = _detector(args, device) if waiting else None
    check_writable(args.out)
    folder.claim()
    reader = PictureReader()
    for start in range(0, len(waiting), args.batch_size):
        group = waiting[start : start + args.batch_size]
        assert inverter is not None
        _work(group, reader, folder, generator, inverter, detector, args.framing, invert_with)
        console.print(f"{min(start + args.batch_size, len(waiting))} of {len(waiting)} pictures")
    return folder.report(files)


def default_generator() -> str:
    """The generator of whole heads where MakeHuman's data are installed; elsewhere that of masks, which a line says."""
    return heads_or(FACES, HEADS, f"{FACES} makes masks")


def _work(
    group: list[PictureFile],
    reader: PictureReader,
    folder: InvertFolder,
    generator: StyleFaceUVGenerator,
    inverter: Inverter,
    detector: Any,
    framing: str,
    invert_with: Any,
) -> None:
    import torch

    squares, kept = [], []
    for file in group:
        try:
            squares.append(square(reader.read(file), detector, framing, max(generator.size, 128)))
            kept.append(file)
        except (InputError, OSError) as error:
            folder.fail(file, " ".join(str(error).split()))
    if not kept:
        return
    pictures = torch.stack(squares).to(generator.device)
    faces, reasons = invert_with(generator, inverter, pictures)
    for file, face, reason, picture in zip(kept, faces, reasons, pictures):
        if face is None:
            folder.fail(file, reason)
        else:
            folder.write(file, face, picture)


def square(picture: Tensor, detector: Any, framing: str, size: int) -> Tensor:
    """The square ``(3, size, size)`` of a picture ``(3, H, W)`` that is inverted; a picture in which the detector finds
    no face is an error."""
    from faceuv.data.window import Window

    height, width = picture.shape[1:]
    window = Window.whole(height, width, "pad" if framing == "align" else framing)
    for _ in range(_ROUNDS if framing == "align" else 1):
        if detector is None:
            break
        image, _ = window.cut(picture, _LOOKED_AT)
        seen = detector.detect(image[None], None)
        if not bool(seen.found[0]):
            raise InputError(seen.reasons[0] or "no face was found")
        if framing == "align":
            window = Window.aligned(window.to_picture(seen.points[0].cpu(), _LOOKED_AT))
    image, _ = window.cut(picture, size)
    return image


def _checked(generator: Any) -> StyleFaceUVGenerator:
    from faceuv.models.stylefaceuv.generator import StyleFaceUVGenerator

    if not isinstance(generator, StyleFaceUVGenerator):
        raise InputError(
            f"an inversion needs a generator with coefficients and UV maps; {generator.name!r} is a"
            f" {type(generator).__name__}: choose another --generator"
        )
    return generator


def _inverter(args: argparse.Namespace, generator: StyleFaceUVGenerator) -> Inverter:
    from faceuv.models.inversion.generator import built_inverter
    from faceuv.models.inversion.learned import EncoderInverter
    from faceuv.registry import INVERTERS

    name = METHODS.get(args.method.lower(), args.method)
    learned = INVERTERS.get(name) is EncoderInverter
    config: dict[str, Any] = {"type": name}
    if learned:
        if args.steps is not None:
            raise InputError(
                "--steps are those of an optimisation; the encoder takes one: leave it out, or --method w+"
            )
        config |= {"detail": False if args.no_detail else None, "refine": args.refine, "batch": args.batch_size}
        if args.refine is not None:
            config["detector"] = args.detector
    else:
        if args.refine is not None or args.no_detail:
            raise InputError("--refine and --no-detail belong to --method encoder")
        config["state"] = args.out / "state"
        if args.steps is not None:
            config["steps"] = args.steps
    return built_inverter(generator, config)


def _detector(args: argparse.Namespace, device: Any) -> Any:
    from faceuv.registry import LANDMARK_DETECTORS

    if args.detector == "none":
        if args.framing == "align":
            raise InputError("--framing align lays the square around landmarks: give a --detector, or --framing crop")
        return None
    return LANDMARK_DETECTORS.build(args.detector).to(device)


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """What an inversion depends on; a folder holds those of one kind."""
    names = ("generator", "method", "steps", "no_detail", "refine", "framing", "detector", "edit", "yaws")
    return {name: getattr(args, name) for name in names}
