"""``faceuv sample``: people by seed, of a face model or of a generator, as mesh files with a contact sheet.

Without ``--face-model`` they are MakeHuman's where its data are installed, and faces of the procedural model elsewhere,
which a line says. Python's ``Face.random`` stays with the procedural model: it needs no extra, and its seeds keep their
faces.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceuv.cli.arguments import COUNT, LARGEST_SEED, SEED, SIDE, real
from faceuv.cli.console import add_device
from faceuv.cli.heads import heads_or
from faceuv.cli.mesh_options import MESH_FORMATS, add_mesh_options, mesh_options
from faceuv.cli.sample_folder import SampleFolder, Shard, Sheet
from faceuv.errors import InputError

if TYPE_CHECKING:
    from faceuv.face import Face
    from faceuv.models.faces import FaceModel

ANY = "any"  # style of hair
HEADS = "MakeHuman"  # what is sampled where it is installed
EXPRESSIONS = ("smile", "random", "rest")
TRAITS = ("age", "gender", "ethnicity", "weight")


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
        help="make generated faces instead of random people of a face model: quickstart, a folder or a work dir",
    )
    parser.add_argument(
        "--detail",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="draw pores, hairs, lines and eyes on a generator's maps, where its head model can (default); or leave the"
        " maps as they are",
    )
    parser.add_argument("--light", help="a light by name (default studio; of generated faces their own)")
    parser.add_argument(
        "--face-model",
        help="a face model by name (default MakeHuman where it is installed, or the generator's own); a generator's"
        " faces are transferred to it",
    )
    people = parser.add_argument_group("people", "what is not given is drawn; for face models that know it (MakeHuman)")
    people.add_argument("--age", type=real(), metavar="YEARS", help="3 … 90")
    people.add_argument("--gender", type=_word_or_number, metavar="G", help="female, male, or 0 (female) … 1 (male)")
    people.add_argument(
        "--ethnicity",
        nargs="+",
        metavar="NAME",
        help="african, asian, caucasian, or shares: asian=0.5 caucasian=0.5",
    )
    people.add_argument("--weight", type=real(), metavar="W", help="0 … 1; 0.5 is average")
    parser.add_argument(
        "--expression",
        choices=EXPRESSIONS,
        help="a faint smile, another for each seed (default, where the face model can smile); a random one; or none."
        " The mesh files keep all movements; a generator's faces have their own without this option",
    )
    parser.add_argument(
        "--hair",
        nargs="?",
        const=ANY,
        metavar="STYLE",
        help="hair: a style by name (buzz, short, long, curls, …), bald, or without a name one that suits each person;"
        " people of a face model that knows age and gender (MakeHuman) have hair without this option",
    )
    parser.add_argument(
        "--hair-colour",
        metavar="COLOUR",
        help="of the hair, by name (default: that of the brows, or on a generator's map)",
    )
    parser.add_argument("--renderer", default="torch", help="a renderer by name (default torch)")
    parser.add_argument(
        "--shard",
        type=Shard.parse,
        default=Shard(),
        metavar="I/N",
        help="make every N-th face from face I on, so that N processes or machines share the work (default 0/1)",
    )
    parser.add_argument("--resume", action="store_true", help="keep the faces that are there, if of the same settings")
    add_device(parser)
    add_mesh_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from rich.markup import escape
    from rich.progress import track

    from faceuv.cli.console import checked_device, console, require_positive
    from faceuv.face import Face
    from faceuv.files.artefacts import check_writable
    from faceuv.files.licences import licence_line
    from faceuv.geometry.lighting import named_light
    from faceuv.models.faces.hair.worn import wears_hair

    require_positive("--num", args.num)
    require_positive("--size", args.size)
    check_hair(args)
    device = checked_device(args.device)
    if args.seed + args.num - 1 > LARGEST_SEED:
        raise InputError(
            f"--seed {args.seed} with --num {args.num} needs seeds beyond {LARGEST_SEED:,}: take a smaller seed"
        )
    if args.light is not None:
        named_light(args.light)
    numbers = args.shard.faces(args.num)
    if not numbers:
        raise InputError(f"shard {args.shard.index} of {args.shard.of} is empty: there are {args.num} faces (--num)")
    folder = SampleFolder(args.out, args.format, settings_of(args), resume=args.resume)
    folder.check()
    make = maker(args)
    out = check_writable(args.out)
    folder.claim()
    sheet, kept = Sheet(args.size), 0
    for k in track(numbers, description=escape(f"faces → {out}"), console=console, disable=not console.is_terminal):
        if folder.kept(k):
            kept += 1
            if not sheet.full or k == numbers[-1]:  # the last one has the licences
                face = Face.load(folder.state(k)).to(device)
                sheet.add(face, f"seed {args.seed + k}")
                licences = face.licences()
            continue
        face = make(args.seed + k).to(device)
        if args.hair is not None or args.hair_colour is not None or wears_hair(face.face_model, face.coefficients):
            style = None if args.hair in (None, ANY) else args.hair
            face = face.with_hair(style, colour=args.hair_colour, seed=args.seed + k)
        folder.write(k, face, mesh_options(args))
        sheet.add(face, f"seed {args.seed + k}")
        licences = face.licences()
    drawn = sheet.save(out / args.shard.sheet)
    there = f", {kept} of them there already," if kept else ""
    console.print(f"{len(numbers)} faces{there} (.{args.format} and .safetensors) in {out}; contact sheet: {drawn}")
    console.print(licence_line(licences), markup=False)
    return 0


def settings_of(args: argparse.Namespace) -> dict[str, Any]:
    """What a face depends on beside its number."""
    without = {"num", "out", "size", "shard", "resume", "device", "run"}
    return {name: value for name, value in sorted(vars(args).items()) if name not in without and not callable(value)}


def check_hair(args: argparse.Namespace) -> None:
    """The names of style and colour are known."""
    from faceuv.models.faces.hair.choice import BALD
    from faceuv.models.faces.hair.styles import named_colour, named_style

    if args.hair not in (None, ANY, BALD):
        named_style(args.hair)
    if args.hair_colour is not None:
        named_colour(args.hair_colour)


def maker(args: argparse.Namespace) -> Callable[[int], Face]:
    """Seed → face."""
    from faceuv.face import TEXTURE_SIZE, Face, build_face_model, build_renderer
    from faceuv.models.base.face_generator import load
    from faceuv.registry import FACE_MODELS

    traits = traits_of(args)
    if args.generator is not None:
        if traits:
            raise InputError(
                f"--{next(iter(traits))} chooses among the people of a face model, and a generator's come from its"
                " codes: leave out one of --generator and these options"
            )
        generator = load(args.generator, renderer=args.renderer)
        own = None if generator.face_model is None else FACE_MODELS.name_of(type(generator.face_model))
        wanted = None  # another topology for its faces
        if args.face_model is not None and args.face_model == own:
            generator = load(args.generator, face_model=args.face_model, renderer=args.renderer)
        elif args.face_model is not None:
            wanted = build_face_model(args.face_model)

        size = args.texture_size or TEXTURE_SIZE

        def generated(seed: int) -> Face:
            face = generator.sample(seed)
            face = face.with_detail(seed, size) if args.detail and face.takes_detail else face
            face = face if wanted is None else face.to_model(wanted, texture_size=size)
            face = face if args.expression is None else expressed(face, args.expression, seed)
            return face if args.light is None else face.with_lighting(args.light)

        return generated
    model, renderer = build_face_model(args.face_model or default_model()), build_renderer(args.renderer)
    check_traits(model, traits)
    light, size = args.light or "studio", args.texture_size or TEXTURE_SIZE
    expression = args.expression or ("smile" if can_smile(model) else "random")

    def person(seed: int) -> Face:
        face = Face.random(seed, face_model=model, renderer=renderer, texture_size=size, **traits)
        return expressed(face, expression, seed).with_lighting(light)

    return person


def can_smile(model: FaceModel) -> bool:
    """Whether a face model knows the movements of a smile by their names."""
    from faceuv.models.faces.everyday import faint_smile

    try:
        return all(model.movement(name) for name in faint_smile(0))
    except InputError:
        return False


def expressed(face: Face, expression: str, seed: int) -> Face:
    """A face with one of the ``EXPRESSIONS``; ``random`` leaves the one that it has."""
    import torch

    from faceuv.models.faces.everyday import faint_smile

    if expression == "random":
        return face
    own, _ = face.model_of("an expression")
    rest = torch.zeros_like(own.expression)
    return face.with_expression(rest, **(faint_smile(seed) if expression == "smile" else {}))


def default_model() -> str:
    """MakeHuman where its data are installed; elsewhere the procedural model, which a line says."""
    from faceuv.face import DEFAULT_FACE_MODEL

    return heads_or(DEFAULT_FACE_MODEL, HEADS, f"these are masks of {DEFAULT_FACE_MODEL}")


def traits_of(args: argparse.Namespace) -> dict[str, Any]:
    """The traits among the options, as :meth:`faceuv.Face.random` takes them."""
    traits = {name: value for name in TRAITS if (value := getattr(args, name)) is not None}
    if "ethnicity" in traits:
        traits["ethnicity"] = _shares(traits["ethnicity"])
    return traits


def check_traits(model: FaceModel, traits: dict[str, Any]) -> None:
    """Refuse traits that a face model does not know, and values out of range, before anything is written."""
    import torch

    from faceuv.models.faces.makehuman.source import INSTALL, is_installed
    from faceuv.registry import FACE_MODELS

    known = model.known_traits()
    for name in traits:
        if name not in known:
            wish = f"--face-model {HEADS}" + ("" if is_installed() else f", after {INSTALL}")
            raise InputError(
                f"--{name} is a trait that {FACE_MODELS.name_of(type(model))} does not know (it knows:"
                f" {', '.join(known) or 'none'}); people of a chosen {name} are made with {wish}"
            )
    if traits:
        model.random_coefficients(torch.Generator().manual_seed(0), **traits)


def _word_or_number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _shares(words: list[str]) -> str | dict[str, float]:
    """``["asian"]`` → ``"asian"``; ``["asian=0.5", "caucasian=0.5"]`` → shares by name."""
    from faceuv.cli.render import parse_amounts

    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    try:
        return parse_amounts(words)
    except InputError:
        raise InputError(
            "--ethnicity is one name, or shares by name such as asian=0.5 caucasian=0.5; got " + " ".join(words)
        ) from None
