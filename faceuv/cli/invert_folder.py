"""The folder that ``faceuv invert`` writes: what is finished, what failed and why, and the report of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from faceuv.cli.fit_folder import contents, failure_of
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import atomic_path, read_json
from faceuv.files.networks import read_header

if TYPE_CHECKING:
    from faceuv.data.images import PictureFile
    from faceuv.models.inversion import InvertedFace

SHEET = 24  # pictures on the contact sheet
SETTINGS, MADE_BY = "settings.json", "faceuv invert"
_SUFFIXES = {"faces": ".safetensors", "strips": ".png", "meshes": ".glb", "failures": ".json"}


class InvertFolder:
    """``faces/NAME.safetensors`` (code, correction, picture: ``generator.load_face`` reads it), ``strips/NAME.png``
    (picture, face, views, edits), ``meshes/NAME.glb``; ``failures/NAME.json`` of each picture that was not inverted;
    ``sheet.png``, ``report.json``. The face is written last: a picture that has it is finished.

    Args:
        settings: all that the inversions depend on; a folder holds those of the same settings only.
        edits: direction → step in σ, ``yaws``: degrees; both are drawn.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        edits: Mapping[str, float],
        yaws: Sequence[float],
        *,
        meshes: bool = True,
    ) -> None:
        self.folder, self.settings, self.meshes = folder, dict(settings), meshes
        self.edits, self.yaws = dict(edits), list(yaws)

    def check(self, *, overwrite: bool = False) -> None:
        """Refuse a folder that holds other files, or inversions of other settings."""
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"--out {self.folder} is a file; choose a folder")
        path = self.folder / SETTINGS
        found: Any = None
        if path.is_file():
            try:
                found = read_json(path)
            except AssetError:
                found = None
        if isinstance(found, dict) and found.pop("made_by", None) == MADE_BY:
            changed = [name for name, value in self.settings.items() if found.get(name) != value]
            if changed and not overwrite:
                told = ", ".join(f"{name} {found.get(name)!r} → {self.settings[name]!r}" for name in changed)
                raise InputError(
                    f"{self.folder} holds inversions of other settings ({told}); choose another --out, or --overwrite"
                )
            return
        strangers = [
            name for name in (SETTINGS, "report.json", "sheet.png", *_SUFFIXES) if (self.folder / name).exists()
        ]
        if strangers:
            raise InputError(
                f"{self.folder} holds {', '.join(strangers)}, which faceuv invert did not write and would overwrite:"
                " choose another --out"
            )

    def claim(self) -> None:
        """Write the settings, which marks the folder as one of inversions."""
        _write_json(self.folder / SETTINGS, {**self.settings, "made_by": MADE_BY})

    def file(self, kind: str, name: str) -> Path:
        """The file of a picture: ``kind`` is faces, strips, meshes or failures."""
        return self.folder / kind / (name + _SUFFIXES[kind])

    def is_finished(self, file: PictureFile) -> bool:
        """Whether the picture, as it is now, is inverted."""
        path = self.file("faces", file.name)
        if not path.is_file():
            return False
        try:
            return read_header(path).get("sha256") == contents(file)
        except AssetError:  # damaged: it is inverted again
            return False

    def fail(self, file: PictureFile, reason: str) -> None:
        """Record why a picture was not inverted."""
        self.file("faces", file.name).unlink(missing_ok=True)
        _write_json(self.file("failures", file.name), {"source": str(file), "reason": reason})

    def write(self, file: PictureFile, face: InvertedFace, picture: Tensor) -> None:
        """Write the files of one face."""
        from faceuv.export import save_png

        save_png(self.file("strips", file.name), self.strip(face, picture))
        if self.meshes:
            edited = face
            for name, step in self.edits.items():
                edited = edited.edit(name, step)
            edited.save(self.file("meshes", file.name))
        face.save(self.file("faces", file.name), metadata={"source": str(file), "sha256": contents(file)})
        self.file("failures", file.name).unlink(missing_ok=True)

    @torch.no_grad()
    def strip(self, face: InvertedFace, picture: Tensor) -> Tensor:
        """``(3, S, n·S)``: the picture, the face over it, the views, the edits."""
        size = picture.shape[-1]
        panels = [picture, face.image(size)]
        turning = face.generator.stepper is not None
        for yaw in self.yaws:
            panels.append(face.turn(yaw).image(size) if turning else face.face().render(size, yaw_deg=yaw))
        panels += [face.edit(name, step).image(size) for name, step in self.edits.items()]
        return torch.cat([panel.to(picture) for panel in panels], 2).clamp(0, 1)

    def report(self, files: Sequence[PictureFile]) -> int:
        """Write ``report.json`` and ``sheet.png``, print a summary and the failures; the exit code."""
        from rich.table import Table

        from faceuv.cli.console import console
        from faceuv.data.images import read_picture
        from faceuv.export import contact_sheet, save_png

        done = [file for file in files if self.is_finished(file)]
        failures: dict[str, Any] = {}
        for file in files:
            if file not in done:
                path = self.file("failures", file.name)
                known = path.is_file()
                failures[file.name] = (
                    failure_of(path, file) if known else {"source": str(file), "reason": "not reached"}
                )
        _write_json(
            self.folder / "report.json",
            {"settings": self.settings, "inverted": {f.name: str(f) for f in done}, "failures": failures},
        )
        shown = [file for file in done if self.file("strips", file.name).is_file()][:SHEET]
        if shown:
            strips = [read_picture(self.file("strips", file.name)) for file in shown]
            save_png(self.folder / "sheet.png", contact_sheet(strips, labels=[f.name for f in shown], columns=1))
        console.print(f"inverted {len(done)} of {len(files)} pictures → {self.folder}")
        if failures:
            table = Table("picture", "why it was not inverted", box=None, pad_edge=False)
            for name, entry in failures.items():
                table.add_row(name, entry["reason"])
            console.print(table)
        return 0 if done else 1


def _write_json(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
