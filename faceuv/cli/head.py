"""``faceuv head``: photographs → textured, rigged heads."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceuv.cli.arguments import COUNT, whole
from faceuv.cli.console import add_device
from faceuv.cli.strangers import refuse_strangers
from faceuv.errors import AssetError, InputError
from faceuv.files.names import printable

if TYPE_CHECKING:
    from faceuv.data.images import PictureFile, PictureReader
    from faceuv.photo import PhotoHead, PhotoHeads

TEXTURE = whole(64, 2048)
_WRITTEN = (".glb", ".safetensors", ".gif", ".png", ".json")
_REPORT = "report"
_MOST_OF_ONE = 24  # photographs of one person
_LARGE_AT_ONCE = 4  # of them are held at full size; more are read smaller


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("head", help="make textured, rigged heads from photographs")
    parser.add_argument("photos", nargs="+", metavar="PHOTO", help="pictures, folders, globs or videos")
    parser.add_argument("--out", type=Path, default=Path("out/head"), metavar="DIR", help="where to (out/head)")
    parser.add_argument("--face-model", help="a head model by name (the best one installed)")
    parser.add_argument("--detector", help="a landmark detector by name (the zoo's for photographs)")
    parser.add_argument(
        "--texture-size", type=TEXTURE, default=1024, metavar="PX", help="side of the texture, 64 … 2048 (1024)"
    )
    parser.add_argument(
        "--same-person", action="store_true", help="all photographs show one person: make one head of them together"
    )
    parser.add_argument("--lit", action="store_true", help="keep the photograph's light in the texture")
    parser.add_argument(
        "--no-relief", action="store_true", help="leave wrinkles in the colours, make no relief of them"
    )
    parser.add_argument(
        "--hair",
        default="auto",
        metavar="NAME",
        help="auto (what the photograph shows), none, or a style by name (auto)",
    )
    parser.add_argument("--every", type=COUNT, default=1, metavar="N", help="of a video, every N-th frame")
    parser.add_argument("--no-turntable", action="store_true", help="write no turntable")
    parser.add_argument("--overwrite", action="store_true", help="make heads again that are made already")
    add_device(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the heads that are not made yet; 1 if no photograph gave one."""
    from faceuv.cli.console import checked_device, console
    from faceuv.data.images import PictureReader, find_pictures
    from faceuv.files.artefacts import check_writable
    from faceuv.models.faces.hair.choice import BALD
    from faceuv.models.faces.hair.styles import named_style
    from faceuv.photo import making
    from faceuv.registry import FACE_MODELS, LANDMARK_DETECTORS

    checked_device(args.device)  # one that is not there is an error before anything is written
    if args.hair not in ("auto", "none", BALD):
        named_style(args.hair)
    files = find_pictures(args.photos, every=args.every)
    for name, registry in ((args.face_model, FACE_MODELS), (args.detector, LANDMARK_DETECTORS)):
        if name is not None:
            registry.get(name)  # an unknown one is an error before anything is written
    names = [_person_name(args)] if args.same_person else [_record_name(file) for file in files]
    if args.same_person and len(files) > _MOST_OF_ONE:
        raise InputError(
            f"--same-person takes at most {_MOST_OF_ONE} photographs, got {len(files)}: choose the sharpest ones from"
            " different sides, or use fewer frames of a video with --every"
        )
    _refuse_folder(args.out, files, names)
    if not args.overwrite:
        for name, group in zip(names, [files] if args.same_person else [[file] for file in files]):
            _refuse_others(args, name, group)
    check_writable(args.out)
    if not (args.out / f"{_REPORT}.json").exists():  # from now on the folder is ours
        _write(args.out / f"{_REPORT}.json", {"photographs": []})
    if args.same_person:
        return _run_person(args, files)
    taken = {_REPORT, *(file.name.lower() for file in files)}
    maker: PhotoHeads | None = None
    reader = PictureReader(enough=making.ENOUGH_PIXELS)
    report = []
    for file in files:
        record = None if args.overwrite else _finished(args, file)
        if record is None:
            maker = maker or _maker(args)
            record = _make(args, file, maker, reader, taken)
        report.append(record)
        console.print(_line(record), markup=False, highlight=False)
    _write(args.out / f"{_REPORT}.json", {"photographs": report})
    return 0 if any(record["heads"] for record in report) else 1


def _refuse_folder(folder: Path, files: list[PictureFile], wanted: list[str]) -> None:
    """Refuse a folder in which a photograph, or a file of the user's, has a name that is to be written."""
    if not folder.is_dir():
        return
    if any(parent.exists() and parent.samefile(folder) for parent in {file.path.parent for file in files}):
        raise InputError(f"--out {printable(folder)} is the folder that the photographs are in; choose another")
    if "photographs" in _read(folder / f"{_REPORT}.json"):
        return
    names = {_REPORT, *wanted}

    def replaced(path: Path) -> bool:
        stem = path.stem if path.stem in names else re.sub(r"(_face)?_[0-9]+$", "", path.stem)
        return stem in names and path.suffix.lower() in _WRITTEN and "heads" not in _read(folder / f"{stem}.json")

    refuse_strangers(folder, "head", replaced)


def _refuse_others(args: argparse.Namespace, name: str, files: list[PictureFile]) -> None:
    """Refuse to replace the head of other photographs that has the same name."""
    record = _read(args.out / f"{name}.json")
    before = {key: one if isinstance(one, list) else [one] for key in ("source", "sha256") if (one := record.get(key))}
    if not record.get("heads") or any(str(file) in before.get("source", []) for file in files):
        return
    if not any(_settings(args, file)["sha256"] in before.get("sha256", []) for file in files):
        whose = ", ".join(map(str, before.get("source", ["?"])))
        raise InputError(
            f"{printable(args.out)} holds the head {name!r} of {whose}, which that of {files[0]} would replace; choose"
            " another --out, or --overwrite"
        )


def _maker(args: argparse.Namespace) -> PhotoHeads:
    from faceuv.cli.console import console
    from faceuv.photo import making

    options = {"detector": args.detector, "texture_size": args.texture_size, "lit": args.lit, "hair": args.hair}
    maker = making.PhotoHeads(args.face_model, **options, relief=not args.no_relief, device=args.device)
    if maker.remark:
        console.print(maker.remark)
    return maker


def _run_person(args: argparse.Namespace, files: list[PictureFile]) -> int:
    """One head of all photographs; 1 if none of them gave one."""
    from faceuv.cli.console import console
    from faceuv.data.images import PictureReader
    from faceuv.photo import making

    name = _person_name(args)
    settings = {**_settings(args, files[0]), "sha256": [_settings(args, file)["sha256"] for file in files]}
    settings["same_person"] = True
    record = None if args.overwrite else _recorded(args.out / f"{name}.json", settings)
    if record is None:
        record = {"source": [str(file) for file in files], "heads": [], "reasons": [], **settings}
        reader = PictureReader(enough=making.ENOUGH_PIXELS * _LARGE_AT_ONCE // max(_LARGE_AT_ONCE, len(files)))
        pictures, sources, unread = [], [], []
        for file in files:
            try:
                pictures.append(reader.read(file))
                sources.append(str(file))
            except (AssetError, InputError) as error:
                unread.append(str(error))
        if pictures:
            try:
                made = _maker(args).of_person(pictures, sources)
                record["reasons"] += made.left_out
                record["heads"] = [{"name": name, **_save(args.out, name, made, turntable=not args.no_turntable)}]
                record["heads"][0]["photographs"] = len(made.shots)
            except InputError as error:
                record["reasons"] += str(error).splitlines()
        record["reasons"] += unread
        if not unread:  # a file that could not be read is read again in the next run
            _write(args.out / f"{name}.json", record)
    console.print(_line(record), markup=False, highlight=False)
    _write(args.out / f"{_REPORT}.json", {"photographs": [record]})
    return 0 if record["heads"] else 1


def _person_name(args: argparse.Namespace) -> str:
    """Of the one head: that of the folder with the photographs, or ``person``."""
    source = Path(args.photos[0])
    name = source.resolve().name if len(args.photos) == 1 and source.is_dir() else ""
    return name if name and name.lower() != _REPORT else "person"


def _make(
    args: argparse.Namespace, file: PictureFile, maker: PhotoHeads, reader: PictureReader, taken: set[str]
) -> dict[str, Any]:
    """Write the heads of one photograph; its record comes last and marks it as finished, with a head or without.

    ``taken`` are names in small letters that other photographs have."""
    record: dict[str, Any] = {"source": str(file), "heads": [], "reasons": [], **_settings(args, file)}
    try:
        picture = reader.read(file)
    except (AssetError, InputError) as error:  # the rest of the folder goes on; the next run reads the file again
        record["reasons"] = [str(error)]
        return record
    try:
        made = maker.of(picture, str(file))
    except InputError as error:
        made = [str(error)]
    for number, one in enumerate(made, 1):
        if isinstance(one, str):
            record["reasons"].append(one)
            continue
        name = _record_name(file) if len(made) == 1 else f"{file.name}_{number}"
        if len(made) > 1 and name.lower() in taken:
            name = f"{file.name}_face_{number}"
        record["heads"].append({"name": name, **_save(args.out, name, one, turntable=not args.no_turntable)})
    _remove_stale(args.out, file, record, taken)
    _write(args.out / f"{_record_name(file)}.json", record)
    return record


def _record_name(file: PictureFile) -> str:
    """Of a photograph's files; the report of all has a name of its own."""
    return file.name if file.name.lower() != _REPORT else f"{file.name}_photo"


def _save(folder: Path, name: str, made: PhotoHead, *, turntable: bool) -> dict[str, Any]:
    from faceuv.export import save_png
    from faceuv.photo import head_page

    made.face.save(folder / f"{name}.glb")
    made.face.save(folder / f"{name}.safetensors")
    if turntable:
        upright = made.face.with_pose(0, 0, 0)
        upright = upright if made.texture.lit else upright.with_lighting("studio")
        upright.save_turntable(folder / f"{name}.gif", centred=True)
    save_png(folder / f"{name}.png", head_page(made))
    return {"confidence": round(made.confidence, 3), "doubt": made.doubt, "seen": round(made.texture.share, 3)}


def _settings(args: argparse.Namespace, file: PictureFile) -> dict[str, Any]:
    """What a head depends on."""
    from faceuv.cli.fit_folder import contents

    names = ("face_model", "detector", "texture_size", "lit", "hair", "no_relief", "no_turntable")
    return {"sha256": contents(file), **{name: getattr(args, name) for name in names}}


def _finished(args: argparse.Namespace, file: PictureFile) -> dict[str, Any] | None:
    """The record of a photograph that was finished under the same settings, with a head or without; None otherwise."""
    return _recorded(args.out / f"{_record_name(file)}.json", _settings(args, file))


def _recorded(path: Path, settings: dict[str, Any]) -> dict[str, Any] | None:
    """The record in a file, if it was made under these settings."""
    record = _read(path)
    return record if record and all(record.get(k) == v for k, v in settings.items()) else None


def _remove_stale(folder: Path, file: PictureFile, record: dict[str, Any], taken: set[str]) -> None:
    """Remove what an earlier run made of this photograph and this one did not make again."""
    made = {one["name"] for one in record["heads"]}
    for one in _read(folder / f"{_record_name(file)}.json").get("heads", []):
        name = str(one.get("name", "")) if isinstance(one, dict) else ""
        if not name or Path(name).name != name or (name.lower() in taken and name != _record_name(file)):
            continue  # not a name that this command gives, or another photograph's by now
        for suffix in _WRITTEN[:-1] if name not in made else (".gif",) if record["no_turntable"] else ():
            (folder / f"{name}{suffix}").unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    """A record; empty where there is none, or one that was cut short or is somebody else's."""
    from faceuv.files.artefacts import read_json

    try:
        record = read_json(path)
    except AssetError:
        return {}
    return record if isinstance(record, dict) else {}


def _line(record: dict[str, Any]) -> str:
    heads = [
        f"{one['name']}: confidence {one['confidence']:.2f}{', ' + one['doubt'] if one['doubt'] else ''}"
        for one in record["heads"]
    ]
    return "\n".join([*heads, *record["reasons"]])


def _write(path: Path, content: dict[str, Any]) -> None:
    from faceuv.files.artefacts import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
