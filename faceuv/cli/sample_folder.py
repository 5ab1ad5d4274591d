"""The folder of ``faceuv sample``: faces in shards, finished ones are kept, and a sheet of the first ones."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceuv.cli.strangers import refuse_strangers
from faceuv.errors import AssetError, InputError, shown
from faceuv.files.artefacts import atomic_path, read_json

if TYPE_CHECKING:
    from torch import Tensor

    from faceuv.face import Face

SHEET = 48  # faces on a contact sheet: all pictures of a large sample would fill the memory
SHEET_YAWS = (-45.0, 0.0, 45.0)
SETTINGS = "sample.json"
_OWN = re.compile(r"face_\d+(_lod\d)?\.\w+|sheet(_\d+)?\.png|sample\.json")
DIGITS = 7  # of a shard's numbers: there are at most a million faces


@dataclass(frozen=True)
class Shard:
    """Every ``of``-th face, from face ``index`` on."""

    index: int = 0
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``"3/16"``: the fourth of sixteen."""
        index, slash, of = text.partition("/")
        digits = all(part.isascii() and part.isdecimal() and len(part) <= DIGITS for part in (index, of))
        if not (slash and digits and int(index) < int(of)):
            raise argparse.ArgumentTypeError(
                f"a shard is I/N with 0 ≤ I < N ≤ {10**DIGITS - 1:,}, such as 0/4, got {shown(text)}"
            )
        return cls(int(index), int(of))

    def faces(self, count: int) -> range:
        return range(self.index, count, self.of)

    @property
    def sheet(self) -> str:
        return "sheet.png" if self.of == 1 else f"sheet_{self.index:0{len(str(self.of - 1))}d}.png"


class SampleFolder:
    """``face_000.glb`` and ``face_000.safetensors`` …, and the sheet.

    The state of a face is written after its mesh, both whole or not at all: a face that has one is finished.

    Args:
        folder: where to.
        suffix: of the mesh files, without the dot.
        settings: everything that a face depends on beside its number; processes that share a folder share them.
        resume: keep what is there, if it is of the same settings.
    """

    def __init__(self, folder: Path, suffix: str, settings: Mapping[str, Any], *, resume: bool) -> None:
        self.folder, self.suffix, self.resume = folder, suffix, resume
        self.settings: dict[str, Any] = json.loads(json.dumps(dict(settings), default=str))

    def check(self) -> None:
        """Refuse, before anything is written, to go on in a folder of other settings."""
        path = self.folder / SETTINGS
        if not self.resume or not path.is_file():
            self._refuse_folder()
            return
        try:
            found = read_json(path)
        except AssetError as error:
            raise InputError(f"{path} cannot be read ({error}); choose another --out, or leave out --resume") from error
        if found != self.settings:
            names = [
                name for name in self.settings if not isinstance(found, dict) or found.get(name) != self.settings[name]
            ]
            raise InputError(
                f"{self.folder} holds faces of other settings ({', '.join(names)}); choose another --out, or leave out"
                " --resume"
            )

    def _refuse_folder(self) -> None:
        """Refuse a folder in which files of the user have names that are to be written."""
        path = self.folder / SETTINGS
        try:
            ours = path.is_file() and {"seed", "format"} <= set(read_json(path))
        except (AssetError, TypeError):
            ours = False
        if not ours:
            refuse_strangers(self.folder, "sample", lambda one: bool(_OWN.fullmatch(one.name)))

    def claim(self) -> None:
        """Write down the settings, if they are new: faces that are older than this file are not theirs."""
        path = self.folder / SETTINGS
        text = json.dumps(self.settings, indent=1)
        if path.is_file() and path.read_bytes() == text.encode():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as new:
            new.write_bytes(text.encode())

    def mesh(self, number: int) -> Path:
        return self.folder / f"face_{number:03d}.{self.suffix}"

    def state(self, number: int) -> Path:
        return self.folder / f"face_{number:03d}.safetensors"

    def kept(self, number: int) -> bool:
        """Whether a face is finished and stays."""
        state = self.state(number)
        if not (self.resume and state.is_file() and self.mesh(number).is_file()):
            return False
        return state.stat().st_mtime >= (self.folder / SETTINGS).stat().st_mtime

    def write(self, number: int, face: Face, options: Mapping[str, Any]) -> None:
        face.save(self.mesh(number), **options)
        face.save(self.state(number), quantised=True)  # most of it are maps


class Sheet:
    """Three pictures of each of the first :data:`SHEET` faces."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pictures: list[Tensor] = []
        self.labels: list[str] = []

    @property
    def full(self) -> bool:
        return len(self.pictures) >= SHEET * len(SHEET_YAWS)

    def add(self, face: Face, label: str) -> None:
        if not self.full:
            self.pictures += [face.render(self.size, yaw_deg=yaw, centred=True) for yaw in SHEET_YAWS]
            self.labels += [label, "", ""]

    def save(self, path: Path) -> Path:
        from faceuv.export import contact_sheet, save_png

        return save_png(path, contact_sheet(self.pictures, columns=2 * len(SHEET_YAWS), labels=self.labels))
