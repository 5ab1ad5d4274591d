"""``generator.json``: type, files, settings and code shape of a face generator."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from faceuv.checks import shown
from faceuv.errors import AssetError, FaceUVError, InputError, UnknownName, did_you_mean
from faceuv.files import assets, zoo
from faceuv.files.artefacts import atomic_path, read_json, sha256_of
from faceuv.files.locate import locate
from faceuv.files.names import below
from faceuv.files.paths import user_path
from faceuv.version import __version__

MANIFEST = "generator.json"
KIND, FORMAT = "face_generator", 2
_DIGITS = 16  # of a SHA-256
_OLD = "it was written by faceuv 0.1"


@dataclass
class Manifest:
    """The content of ``generator.json``.

    name          of the generator; empty in a stage's folder: the name of the work dir
    type          name of the class in ``FACE_GENERATORS``
    files         part → a path relative to the folder, ``zoo:entry/file`` or ``asset:name``
    settings      what the type needs besides files, as JSON: for instance the config of a face model
    num_layers, code_dim    L and D
    checksums     part → the beginning of its file's SHA-256
    """

    name: str
    type: str
    files: dict[str, str]
    settings: dict[str, Any]
    num_layers: int
    code_dim: int
    checksums: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    faceuv_version: str = __version__
    kind: str = KIND
    format: int = FORMAT

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """The manifest at ``path``, checked; one of version 0.1 (format 1) is read as a StyleFaceUV generator."""
        content = read_json(path)
        if not isinstance(content, dict) or content.get("kind") != KIND:
            found = content.get("kind") if isinstance(content, dict) else content
            raise AssetError(
                f"{path} is no manifest of a face generator: expected kind {KIND!r}, found {shown(found)}; save the"
                " generator again"
            )
        if content.get("format") == 1 and "face_model" in content:
            face_model = content.pop("face_model")
            content |= {"format": FORMAT, "type": "StyleFaceUV", "settings": {"face_model": face_model}}
        if content.get("format") != FORMAT:
            raise AssetError(
                f"{path} has format {shown(content.get('format'))}, faceuv {__version__} reads 1 and {FORMAT}; it"
                f" was written by {shown(content.get('faceuv_version', 'another one'))}"
            )
        try:
            manifest = cls(**content)
        except TypeError as error:
            raise AssetError(f"{path} is incomplete or has unknown keys: {error}; save the generator again") from error
        manifest._check_types(path)
        manifest.name = manifest.name or path.resolve().parent.parent.name
        return manifest

    def _check_types(self, path: Path) -> None:
        expected: dict[str, type | tuple[type, ...]] = {
            "name": str, "type": str, "files": dict, "checksums": dict, "settings": dict, "metadata": dict,
            "num_layers": int, "code_dim": int,
        }  # fmt: skip
        for key, wanted in expected.items():
            value = getattr(self, key)
            if not isinstance(value, wanted) or isinstance(value, bool):
                words = {str: "a text", dict: "an object", int: "a whole number"}[wanted]  # type: ignore[index]
                raise AssetError(f"{path}: {key} must be {words}, found {shown(value)}; save the generator again")
        for key in ("files", "checksums"):
            if not all(isinstance(value, str) for value in getattr(self, key).values()):
                raise AssetError(f"{path}: {key} must be an object of texts by part, found {shown(getattr(self, key))}")

    def check_parts(self, required: Sequence[str], optional: Sequence[str], where: str) -> None:
        """Raise unless the files are those of a type with these parts."""
        missing = [part for part in required if part not in self.files]
        strange = sorted(set(self.files) - {*required, *optional})
        if missing or strange:
            wrong = f"names no {', '.join(missing)}" if missing else f"names unknown parts {', '.join(strange)}"
            may = f" (and may have {', '.join(optional)})" if optional else ""
            raise AssetError(f"{where} {wrong}; a generator of type {self.type!r} has {', '.join(required)}{may}")

    def located(self, folder: Path) -> dict[str, Path]:
        """Part → its file, which exists and is the one that the manifest was written for."""
        found = {part: part_file(folder, reference, part) for part, reference in self.files.items()}
        for part, expected in self.checksums.items():
            if part in found and sha256_of(found[part])[:_DIGITS] != expected:
                raise AssetError(
                    f"{folder / MANIFEST}: {self.files[part]} is not the file that this generator was made with (its"
                    f" {part} had the SHA-256 {expected}…): the parts belong together; get that file back, or export"
                    " the generator again"
                )
        return found

    def sign(self, part: str, file: Path) -> None:
        """Remember the checksum of a part's file."""
        self.checksums[part] = sha256_of(file)[:_DIGITS]

    def text(self) -> str:
        """The content of the file."""
        try:
            return json.dumps(asdict(self), indent=2) + "\n"
        except (TypeError, ValueError) as error:
            raise InputError(f"settings and metadata of a generator must be plain JSON values: {error}") from error

    def write(self, folder: Path) -> Path:
        """Write ``generator.json``, atomically."""
        path, text = folder / MANIFEST, self.text()
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        return path


def reference_to(file: str | Path, folder: Path) -> str:
    """The reference to a file in a manifest in ``folder``: ``zoo:…`` and ``asset:…`` stay, paths become relative, so
    that the folders can be moved together."""
    if isinstance(file, str) and file.startswith((zoo.PREFIX, assets.PREFIX)):
        return file
    path, base = user_path(file).resolve(), folder.resolve()
    try:
        return path.relative_to(base).as_posix()
    except ValueError:
        shared = base.parent
        return f"../{path.relative_to(shared).as_posix()}" if path.is_relative_to(shared) else str(path)


def part_file(folder: Path, reference: str, part: str) -> Path:
    """The path of a file that a manifest in ``folder`` refers to; :class:`AssetError` if there is no such file."""
    try:
        if reference.startswith((zoo.PREFIX, assets.PREFIX)):
            path = locate(reference)
        elif Path(reference).is_absolute():
            path = Path(reference)
        else:
            sibling = reference.removeprefix("../")  # another stage of the same work dir
            path = below(
                folder if sibling == reference else folder.resolve().parent, sibling, f"the {part} of {folder}"
            )
    except FaceUVError as error:
        raise AssetError(f"{folder}: its {part}, {reference}: {error}") from error
    if not path.is_file():
        raise AssetError(
            f"{folder}: its {part}, {path}, does not exist; get the file back, or make the generator again"
        )
    return path


def find_manifest(source: str | Path) -> tuple[Path, Manifest]:
    """The folder of ``source``, and its manifest. ``source`` is a zoo entry, a folder, or the work dir of a recipe."""
    if isinstance(source, str) and source in (folders := _zoo_folders()):
        return folders[source], Manifest.read(folders[source] / MANIFEST)
    folder = user_path(source)
    if folder.name == MANIFEST:
        folder = folder.parent
    if (folder / MANIFEST).is_file():
        return folder, Manifest.read(folder / MANIFEST)
    if folder.is_dir():
        folder = _stage_with_manifest(folder)
        return folder, Manifest.read(folder / MANIFEST)
    known = entries()
    raise UnknownName(
        f"{str(source)!r} is neither a face generator of the zoo ({', '.join(known) or 'it has none'}) nor a folder"
        f" with {MANIFEST}, nor the work dir of a recipe{did_you_mean(str(source), known)}"
    )


def _stage_with_manifest(work: Path) -> Path:
    """The stage of a work dir that exported a face generator; if there are several, the one called ``uv``."""
    found = sorted(path.parent for path in work.glob(f"*/{MANIFEST}") if ".previous" not in path.parent.name)
    if len(found) > 1:
        found = [stage for stage in found if stage.name == "uv"] or found
    if len(found) > 1:
        raise AssetError(f"{work} has several face generators; load one of {', '.join(str(stage) for stage in found)}")
    if not found:
        stages = sorted(path.parent.name for path in work.glob("*/stage.json") if ".previous" not in path.parent.name)
        listed = f"it has the stages {', '.join(stages)}" if stages else "it has no stages"
        raise AssetError(
            f"{work} holds no {MANIFEST} and no stage that exported one ({listed}); expected a folder that"
            " FaceGenerator.save wrote, or the work dir of a finished recipe. If a recipe is unfinished, or"
            f" {_OLD}, run it again: faceuv train CONFIG"
        )
    return found[0]


def entries() -> list[str]:
    """The entries of the zoo that are face generators."""
    return list(_zoo_folders())


def _zoo_folders() -> dict[str, Path]:
    return {entry: folder for entry, folder in zoo.folders().items() if (folder / MANIFEST).is_file()}


def manifest_for(
    type_name: str, folder: Path, files: Mapping[str, str | Path], settings: Mapping[str, Any], **facts: Any
) -> Manifest:
    """A manifest with checksums, for a method's ``export``; ``files`` are existing paths, ``zoo:…`` or ``asset:…``."""
    references = {part: reference_to(file, folder) for part, file in files.items()}
    manifest = Manifest(type=type_name, files=references, settings=dict(settings), **facts)
    for part, reference in references.items():
        manifest.sign(part, part_file(folder, reference, part))
    return manifest
