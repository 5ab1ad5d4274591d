"""``FaceGenerator``: the base class of all generators of faces from codes; ``load`` reads one of any type."""

from __future__ import annotations

import fnmatch
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.errors import AssetError, InputError, UnknownName
from faceuv.export.images import encode
from faceuv.face import Config, Face, build_face_model, build_renderer, stored_face_model, to_face_model
from faceuv.files.artefacts import atomic_path
from faceuv.files.licences import weights_licences
from faceuv.files.locate import locate
from faceuv.models.base.code_space import CodeSpace
from faceuv.models.base.contracts import CodeEditor
from faceuv.models.base.generator import Generator, check_generator
from faceuv.models.base.manifest import MANIFEST, Manifest, entries, find_manifest
from faceuv.models.base.parts import DIRECTIONS, check_reference, part_names, part_writers
from faceuv.models.directions import Direction
from faceuv.models.faces import FaceModel
from faceuv.models.faces.control import Degrees, Expression, Light
from faceuv.registry import FACE_GENERATORS, FACE_MODELS, GENERATORS
from faceuv.renderers import Renderer
from faceuv.renderers.pasting import Seam

G = TypeVar("G", bound="FaceGenerator")


class FaceGenerator(CodeSpace, ABC):
    """Generates faces from the codes of a teacher. One class per method, registered in ``FACE_GENERATORS``.

    A code is ``(B, L, D)``, or one w per face ``(B, D)``. Changes of a code (``interpolate``, ``mix``, ``edit``,
    ``turn``) return a code; its face is generated from it. Changes of a :class:`~faceuv.Face` (pose, light) keep its
    shape and maps.

    A subclass implements :meth:`networks`, :meth:`settings`, :meth:`from_files`, :meth:`face` and :meth:`generate`,
    and names its files in ``required`` and ``optional``.

    Args:
        teacher: codes → images.
        renderer: draws the faces; by default the built-in one with supersampling.
        editor: moves codes to a yaw in radians, for :meth:`turn`.
        directions: semantic directions, for :meth:`edit`; their names must differ.
        name: name in messages and in the metadata of faces.
        metadata: JSON values that are saved with the generator.
    """

    face_model: FaceModel | None = None
    required: ClassVar[tuple[str, ...]] = ("teacher",)
    optional: ClassVar[tuple[str, ...]] = (DIRECTIONS,)

    def __init__(
        self,
        teacher: Generator,
        renderer: Config | Renderer | None = None,
        *,
        editor: CodeEditor | None = None,
        directions: Iterable[Direction] = (),
        name: str = "faces",
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(teacher, editor=editor, directions=directions, name=name)
        self.renderer = build_renderer(renderer)
        self.metadata = dict(metadata or {})
        self.licences: list[dict[str, str]] = []
        """Of the weights, where they were read from files; faces carry them, see :mod:`faceuv.files.licences`."""

    # ---------------------------------------------------------------- what a method implements

    @abstractmethod
    def networks(self) -> dict[str, nn.Module]:
        """Part → network, with the teacher: they are frozen, moved to devices and written to files."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The settings that :meth:`from_files` needs besides the files, as JSON values."""

    @classmethod
    @abstractmethod
    def from_files(
        cls: type[G],
        files: Mapping[str, Path],
        manifest: Manifest,
        *,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
    ) -> G:
        """Build the generator from its files; ``face_model`` and ``renderer`` replace those of the settings."""

    @abstractmethod
    def face(self, code: Tensor) -> Face:
        """The face of one code ``(1, L, D)`` or ``(1, D)``."""

    @abstractmethod
    def generate(
        self,
        code: Tensor,
        *,
        yaw_deg: Degrees | None = None,
        pitch_deg: Degrees | None = None,
        roll_deg: Degrees | None = None,
        expression: Expression | None = None,
        light: Light | None = None,
        size: int | None = None,
        seam: Seam = "laplacian",
        width: float | None = None,
    ) -> Tensor:
        """Images of the faces of B codes, ``(B, 3, size, size)`` in [0, 1], with hair, neck and background.

        Args:
            yaw_deg, pitch_deg, roll_deg: target angles in degrees, one for all or ``(B,)``; None keeps the code's own.
            expression: named movements, or coefficients; an error for methods without expressions.
            light: name of a light, or coefficients; None keeps the code's own.
            size: side of the images in pixels; by default the teacher's.
            seam, width: kind and width of the transition between the render and the image behind it, see
                :func:`faceuv.renderers.pasting.paste`.
        """

    # ---------------------------------------------------------------- the networks

    @property
    def turns(self) -> bool:
        """Whether :meth:`generate` accepts a yaw, which needs an editor of codes. A method that turns its surfaces
        without one overrides this with True."""
        return self.editor is not None

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return self.teacher.mean_code.device

    def freeze(self) -> None:
        """Put all networks into evaluation mode and switch the gradients of their weights off."""
        for network in self.networks().values():
            network.eval().requires_grad_(False)

    def to(self: G, device: torch.device | str) -> G:
        """Move all networks and the renderer to ``device``, in place."""
        for network in (*self.networks().values(), self.renderer):
            network.to(device)
        return self

    def __repr__(self) -> str:
        parts = ", ".join(self.networks())
        codes = f"codes {self.num_layers} × {self.code_dim}, {self.size}² teacher"
        return f"{type(self).__name__}({self.name!r}, {codes}; {parts}; directions: {', '.join(self.directions)})"

    def _repr_png_(self) -> bytes:
        """Four of its faces, for notebooks."""
        pictures = self.generate(self.codes(range(4), truncation=0.7), size=max(self.size, 128))
        return encode(torch.cat(list(pictures), 2))

    # ---------------------------------------------------------------- faces and images

    def invert(self, image: Tensor, **options: Any) -> Any:
        """The face of a picture, with a code: generators of type Inversion have an encoder for it."""
        raise InputError(
            f"{self.name!r}, a {type(self).__name__}, has no encoder of pictures: load a generator of type Inversion,"
            " or project the picture (faceuv invert --method w+)"
        )

    def check_movement(self, name: str) -> None:
        """Raise unless the faces of this generator have the movement ``name``."""
        if self.face_model is None:
            raise InputError(
                f"the faces of {self.name!r}, a {type(self).__name__}, have no expressions such as {name!r}"
            )
        self.face_model.movement(name)

    def sample(self, seed: int, *, truncation: float = 1.0, face_model: Config | FaceModel | None = None) -> Face:
        """The face of a seed; the same seed gives the same face. ``face_model``: see :meth:`faces`."""
        (face,) = self.faces(self.codes(seed, truncation=truncation), face_model=face_model)
        known = {"licences": self.licences} if self.licences else {}
        return face.with_metadata(seed=seed, truncation=truncation, **known)

    def faces(self, codes: Tensor, *, face_model: Config | FaceModel | None = None) -> list[Face]:
        """The faces of codes ``(B, L, D)``; with the topology of another ``face_model``, such as ``"MakeHuman"``, if
        one is given: they are transferred in one batch, see :func:`~faceuv.face.to_face_model`."""
        made = [self.face(code) for code in self.check(codes).split(1)]
        return made if face_model is None else to_face_model(made, face_model)

    def single(self, code: Tensor) -> Tensor:
        """``code`` checked to be a single one, ``(1, L, D)``; for :meth:`face`."""
        code = self.check(code)
        if len(code) != 1:
            raise InputError(f"face() makes one face, got {len(code)} codes; faces() makes many")
        return code

    @torch.no_grad()
    def image(self, code: Tensor) -> Tensor:
        """The teacher's own images ``(B, 3, S, S)`` in [0, 1]."""
        picture: Tensor = self.teacher.synthesis(self.check(code))
        return picture.clamp(0, 1)

    def check_size(self, size: int | None) -> int:
        """``size``, the side of an image in pixels, checked; the teacher's if None."""
        size = self.size if size is None else size
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise InputError(f"size must be a whole number of pixels, got {size!r}")
        return size

    # ---------------------------------------------------------------- files

    @classmethod
    def load(
        cls: type[G],
        source: str | Path,
        *,
        face_model: Config | FaceModel | None = None,
        renderer: Config | Renderer | None = None,
    ) -> G:
        """Read an entry of the zoo by its name, a folder that :meth:`save` wrote, or the work dir of a recipe.

        Args:
            face_model: the same face model in another resolution; by default the one that the files name.
            renderer: the renderer of the faces; the built-in one by default.
        """
        folder, manifest = find_manifest(source)
        made: type[FaceGenerator] = generator_type(manifest.type, str(folder / MANIFEST))
        if not issubclass(made, cls):
            raise AssetError(
                f"{folder} holds a generator of type {manifest.type!r}, expected a {cls.__name__}: use faceuv.load"
            )
        manifest.check_parts(made.required, made.optional, str(folder / MANIFEST))
        files = manifest.located(folder)
        try:
            found = made.from_files(files, manifest, face_model=face_model, renderer=renderer)
        except InputError as error:
            raise AssetError(f"the parts of {folder} do not fit together: {error}") from error
        if (found.num_layers, found.code_dim) != (manifest.num_layers, manifest.code_dim):
            raise AssetError(
                f"{folder} is for codes with L = {manifest.num_layers}, D = {manifest.code_dim}; its teacher,"
                f" {files.get('teacher', 'built from its settings')}, has L = {found.num_layers}, D = {found.code_dim}"
            )
        found.licences = weights_licences(manifest.files, files)
        return found

    def save(self, folder: str | Path, *, refer: Mapping[str, str] | None = None, half: bool = False) -> Path:
        """Write a folder for :meth:`load`: ``generator.json`` and the networks (safetensors). All files are written
        under temporary names first, then renamed, the manifest last.

        Args:
            refer: part → ``"zoo:entry/file"`` with the same weights, which the manifest names instead of a copy.
            half: store weights in float16.
        """
        folder, refer = Path(folder), dict(refer or {})
        networks = self.networks()
        writers = part_writers(networks, self.directions, torch.float16 if half else torch.float32)
        for part, reference in refer.items():
            check_reference(part, reference, networks, self.directions)
        files = {part: refer.get(part, f"{part}.safetensors") for part in writers}
        type_name = FACE_GENERATORS.name_of(type(self))
        manifest = Manifest(
            self.name, type_name, files, self.settings(), self.num_layers, self.code_dim, metadata=self.metadata
        )
        with ExitStack() as stack:  # renames in reverse order
            final = stack.enter_context(atomic_path(folder / MANIFEST))
            for part, write in writers.items():
                path = locate(refer[part]) if part in refer else None
                if path is None:
                    path = stack.enter_context(atomic_path(folder / files[part]))
                    write(path)
                manifest.sign(part, path)
            final.write_text(manifest.text(), encoding="utf-8")
        return folder

    def parts(self) -> tuple[str, ...]:
        """The parts that :meth:`save` writes."""
        return part_names(self.networks(), self.directions)


def load(
    source: str | Path,
    *,
    face_model: Config | FaceModel | None = None,
    renderer: Config | Renderer | None = None,
) -> FaceGenerator:
    """Read a face generator of any type: ``"quickstart"``, a folder, or a work dir; see :meth:`FaceGenerator.load`."""
    return FaceGenerator.load(source, face_model=face_model, renderer=renderer)


def list_models(pattern: str = "*") -> list[str]:
    """The names that :func:`load` takes, sorted: generators of faces in the zoo, and in that of installed packages.

    Args:
        pattern: as for files, ``"quick*"``.
    """
    return sorted(fnmatch.filter(entries(), pattern))


def built_teacher(manifest: Manifest) -> Generator:
    """The teacher that a manifest describes by a config, ``settings.teacher``, in place of a file."""
    config = manifest.settings.get("teacher")
    if not isinstance(config, Mapping):
        raise InputError("it names no teacher: neither a file 'teacher' nor a config in settings.teacher")
    return check_generator(GENERATORS.build(config), f"the generator {manifest.name!r}")


def trained_face_model(manifest: Manifest, face_model: Config | FaceModel | None) -> FaceModel:
    """The face model that a generator's coefficients belong to: the stored one, or a given one of the same type."""
    trained_on = manifest.settings.get("face_model")
    if face_model is None:
        model = stored_face_model(f"the generator {manifest.name!r}", trained_on)
    else:
        model = build_face_model(face_model)
    wanted = trained_on.get("type") if isinstance(trained_on, Mapping) else trained_on
    given = FACE_MODELS.name_of(type(model))
    if given != wanted:
        raise InputError(
            f"it was trained with the face model {wanted!r}, got {given!r}; its coefficients and"
            " maps mean nothing to another one"
        )
    return model


def generator_type(name: str, where: str) -> type[FaceGenerator]:
    """The class of a type that a manifest names; the error says which types there are."""
    try:
        found: type[FaceGenerator] = FACE_GENERATORS.get(name)
    except UnknownName as error:
        raise AssetError(
            f"{where}: {error}. If the type comes from another package, install that package: its plug-in registers it"
        ) from error
    return found


def enlarged(picture: Tensor, size: int) -> Tensor:
    """An image ``(B, 3, S, S)`` of the teacher at another size."""
    if picture.shape[-1] == size:
        return picture
    return F.interpolate(picture, size=(size, size), mode="bicubic", antialias=True).clamp(0, 1)
