"""A face generator in a folder: ``generator.json`` names its parts, the networks lie beside it or in the zoo."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from faceuv.checks import shown
from faceuv.errors import AssetError, FaceUVError, InputError, UnknownName, did_you_mean
from faceuv.files import zoo
from faceuv.files.artefacts import atomic_path, read_json, sha256_of
from faceuv.files.names import below
from faceuv.files.networks import save_network
from faceuv.models.directions import load_directions, save_directions
from faceuv.models.faces import FaceModel
from faceuv.models.stylefaceuv.mappers import load_mapper, load_stepper
from faceuv.models.stylefaceuv.uv_generator import load_uv_generator
from faceuv.models.stylegan2 import load_generator
from faceuv.version import __version__

if TYPE_CHECKING:
    from faceuv.face import Config
    from faceuv.models.stylefaceuv.generator import FaceGenerator
    from faceuv.renderers import Renderer

MANIFEST = "generator.json"
KIND, FORMAT = "face_generator", 1
REQUIRED = ("teacher", "mapper", "uv_generator")
PARTS = (*REQUIRED, "stepper", "directions")
_DIGITS = 16  # of a SHA-256


@dataclass
class Manifest:
    """What ``generator.json`` holds.

    files         part → a path, relative to the folder, or ``zoo:entry/file``
    checksums     part → the beginning of its file's SHA-256: the parts belong together
    face_model    config of the face model whose coefficients the mapper gives
    num_layers, code_dim    L and D
    """

    name: str
    files: dict[str, str]
    face_model: dict[str, Any]
    num_layers: int
    code_dim: int
    checksums: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    faceuv_version: str = __version__
    kind: str = KIND
    format: int = FORMAT

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """The manifest at ``path``, checked."""
        content = read_json(path)
        if not isinstance(content, dict) or content.get("kind") != KIND:
            found = content.get("kind") if isinstance(content, dict) else content
            raise AssetError(
                f"{path} is no manifest of a face generator: expected kind {KIND!r}, found {shown(found)}; save the"
                " generator again"
            )
        if content.get("format") != FORMAT:
            raise AssetError(
                f"{path} has format {shown(content.get('format'))}, this faceuv ({__version__}) reads {FORMAT}; it was"
                f" written by {shown(content.get('faceuv_version', 'another one'))}"
            )
        try:
            manifest = cls(**content)
        except TypeError as error:
            raise AssetError(f"{path} is incomplete or has strange keys: {error}; save the generator again") from error
        manifest._check_types(path)
        missing = [part for part in REQUIRED if part not in manifest.files]
        strange = sorted(set(manifest.files) - set(PARTS))
        if missing or strange:
            wrong = f"names no {', '.join(missing)}" if missing else f"names unknown parts {', '.join(strange)}"
            raise AssetError(f"{path} {wrong}; a face generator has {', '.join(PARTS)} (the last two may be absent)")
        return manifest

    def _check_types(self, path: Path) -> None:
        texts = {"files": self.files, "checksums": self.checksums}
        for name, table in texts.items():
            if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
                raise AssetError(f"{path}: {name} must be an object of texts by part, found {shown(table)}")
        for part, reference in self.files.items():
            if not reference.startswith(zoo.PREFIX):
                below(path.parent, reference, f"the {part} of {path}")
        for name in ("face_model", "metadata"):
            if not isinstance(getattr(self, name), dict):
                raise AssetError(f"{path}: {name} must be an object, found {shown(getattr(self, name))}")
        for name in ("num_layers", "code_dim"):
            if type(getattr(self, name)) is not int:
                raise AssetError(f"{path}: {name} must be a whole number, found {shown(getattr(self, name))}")
        if not isinstance(self.name, str):
            raise AssetError(f"{path}: name must be a text, found {shown(self.name)}")


def read_generator(
    source: str | Path, *, face_model: Config | FaceModel | None = None, renderer: Config | Renderer | None = None
) -> FaceGenerator:
    """A face generator from the zoo, a folder, or a recipe's work dir."""
    folder, manifest = find_manifest(source)
    files = {part: locate(folder, reference, part) for part, reference in manifest.files.items()}
    for part, expected in manifest.checksums.items():
        if part in files and sha256_of(files[part])[:_DIGITS] != expected:
            raise AssetError(
                f"{folder / MANIFEST}: {manifest.files[part]} is not the file that this generator was made with (its"
                f" {part} had the SHA-256 {expected}…): the parts belong together; get that file back, or export the"
                " generator anew"
            )
    return assemble(manifest, files, where=str(folder), face_model=face_model, renderer=renderer)


def assemble(
    manifest: Manifest,
    files: Mapping[str, Path],
    *,
    where: str,
    face_model: Config | FaceModel | None = None,
    renderer: Config | Renderer | None = None,
) -> FaceGenerator:
    """Read all parts and put them together; the error says where they came from."""
    from faceuv.face import build_face_model, stored_face_model
    from faceuv.models.stylefaceuv.generator import FaceGenerator

    model = stored_face_model(where, manifest.face_model) if face_model is None else build_face_model(face_model)
    wanted = manifest.face_model.get("type")
    if model.config()["type"] != wanted:
        raise InputError(
            f"{where} was trained with the face model {wanted!r}, got {model.config()['type']!r}; its coefficients and"
            " maps mean nothing to another one"
        )
    teacher = load_generator(files["teacher"])
    if (teacher.num_layers, teacher.code_dim) != (manifest.num_layers, manifest.code_dim):
        raise AssetError(
            f"{where} is for codes with L = {manifest.num_layers}, D = {manifest.code_dim}; its teacher,"
            f" {files['teacher']}, has L = {teacher.num_layers}, D = {teacher.code_dim}"
        )
    try:
        return FaceGenerator(
            teacher,
            load_mapper(files["mapper"]),
            load_uv_generator(files["uv_generator"]),
            model,
            renderer,
            stepper=load_stepper(files["stepper"]) if "stepper" in files else None,
            directions=load_directions(files["directions"]) if "directions" in files else (),
            name=manifest.name,
            metadata=manifest.metadata,
        )
    except InputError as error:
        raise AssetError(f"the parts of {where} do not fit together: {error}") from error


def find_manifest(source: str | Path) -> tuple[Path, Manifest]:
    """The folder that ``source`` means, and its manifest: read, or made from the records of stages."""
    if isinstance(source, str) and (zoo.FOLDER / source / MANIFEST).is_file() and source in zoo.entries():
        folder = zoo.FOLDER / source
        return folder, Manifest.read(folder / MANIFEST)
    folder = Path(source).expanduser()
    if folder.name == MANIFEST:
        folder = folder.parent
    if (folder / MANIFEST).is_file():
        return folder, Manifest.read(folder / MANIFEST)
    if folder.is_dir():
        from faceuv.models.stylefaceuv.stages import manifest_of_stages

        return folder, manifest_of_stages(folder)
    known = generators()
    raise UnknownName(
        f"{str(source)!r} is neither a face generator of the zoo ({', '.join(known) or 'it has none'}) nor a folder"
        f" with {MANIFEST}, nor the work dir of a recipe{did_you_mean(str(source), known)}"
    )


def generators() -> list[str]:
    """The entries of the zoo that are face generators."""
    return [entry for entry in zoo.entries() if (zoo.FOLDER / entry / MANIFEST).is_file()]


def locate(folder: Path, reference: str, part: str) -> Path:
    """The file that a manifest in ``folder`` means; :class:`AssetError` if it is not there."""
    try:
        path = zoo.locate(reference) if reference.startswith(zoo.PREFIX) else folder / Path(reference).expanduser()
    except FaceUVError as error:
        raise AssetError(f"{folder}: its {part}, {reference}: {error}") from error
    if not path.is_file():
        raise AssetError(f"{folder}: its {part}, {path}, does not exist; get the file back, or make the generator anew")
    return path


def write_generator(
    generator: FaceGenerator, folder: str | Path, *, refer: Mapping[str, str], half: bool = False
) -> Path:
    """Write networks and manifest: all files whole beside their places first, then renamed, the manifest last."""
    folder, dtype = Path(folder), torch.float16 if half else torch.float32
    writers = part_writers(generator, dtype)
    for part, reference in refer.items():
        check_reference(generator, writers, folder, part, reference)
    files = {part: refer.get(part, f"{part}.safetensors") for part in writers}
    manifest = Manifest(
        generator.name,
        files,
        generator.face_model.config(),
        generator.num_layers,
        generator.code_dim,
        metadata=generator.metadata,
    )
    with ExitStack() as stack:  # renames in reverse order
        final = stack.enter_context(atomic_path(folder / MANIFEST))
        for part, write in writers.items():
            if part in refer:
                path = zoo.locate(refer[part])
            else:
                path = stack.enter_context(atomic_path(folder / files[part]))
                write(path)
            manifest.checksums[part] = sha256_of(path)[:_DIGITS]
        try:
            text = json.dumps(asdict(manifest), indent=2)
        except TypeError as error:
            raise InputError(f"a face generator's metadata must be plain JSON values: {error}") from error
        final.write_text(text + "\n", encoding="utf-8")
    return folder


def part_writers(generator: FaceGenerator, dtype: torch.dtype) -> dict[str, Callable[[Path], Path]]:
    """Part → how its file is written, for the parts that the generator has."""
    teacher, mapper, uv, stepper = generator.teacher, generator.mapper, generator.uv_generator, generator.stepper
    found: dict[str, Callable[[Path], Path]] = {
        "teacher": lambda path: save_network(path, teacher, dtype=dtype),
        "mapper": lambda path: save_network(path, mapper, dtype=dtype),
        "uv_generator": lambda path: save_network(path, uv, dtype=dtype),
    }
    if stepper is not None:
        found["stepper"] = lambda path: save_network(path, stepper, dtype=dtype)
    if generator.directions:
        found["directions"] = lambda path: save_directions(path, list(generator.directions.values()))
    return found


def check_reference(
    generator: FaceGenerator, parts: Mapping[str, Any], folder: Path, part: str, reference: str
) -> None:
    """Raise unless ``reference`` is a file of the zoo that holds just this part of ``generator``."""
    if part not in parts:
        raise InputError(f"this generator has no part {part!r} to refer to; it has {', '.join(parts)}")
    if not reference.startswith(zoo.PREFIX):
        raise InputError(f"{part} can refer to a file of the zoo, 'zoo:entry/file', got {reference!r}")
    path = locate(folder, reference, part)
    if part == "directions":
        kept, own = load_directions(path), list(generator.directions.values())
        same = [d.name for d in kept] == [d.name for d in own] and all(
            a.scale == b.scale and torch.equal(a.vector, b.vector) for a, b in zip(kept, own)
        )
    else:
        readers: dict[str, Callable[[Path], nn.Module]] = {
            "teacher": load_generator,
            "mapper": load_mapper,
            "stepper": load_stepper,
            "uv_generator": load_uv_generator,
        }
        read = readers[part]
        same = same_weights(read(path), getattr(generator, part))
    if not same:
        raise InputError(f"{reference} does not hold the {part} of this generator: leave it out of refer, to be copied")


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks hold the same numbers under the same names."""
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name].cpu(), b[name].cpu()) for name in a)
