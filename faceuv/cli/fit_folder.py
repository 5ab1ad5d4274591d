"""The folder that ``faceuv fit`` writes: what is finished, what failed and why, and the report of both."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import atomic_path, load_tensors

if TYPE_CHECKING:
    from faceuv.data.images import PictureFile
    from faceuv.fitting import Fitter
    from faceuv.fitting.pictures import PictureFit

SHEET = 48  # overlays on the contact sheet


class FitFolder:
    """``coefficients/NAME.safetensors`` (a face, for ``faceuv render``), ``overlays/NAME.png``, ``meshes/NAME.glb`` of
    each fitted picture, ``failures/NAME.json`` of each that was not, ``sheet.png``, ``report.json``.

    The coefficients are written last: a picture that has them is finished. Everything is written whole or not at all.

    Args:
        settings: what the fits depend on; a folder holds the fits of one lot of settings.
        meshes: write ``.glb`` files, too.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, meshes: bool = True) -> None:
        self.folder, self.settings, self.meshes = folder, dict(settings), meshes

    def claim(self, *, overwrite: bool = False) -> None:
        """Write the settings down; refuse a folder that holds fits of others, unless they are to be overwritten."""
        path = self.folder / "settings.json"
        if path.is_file() and not overwrite:
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise AssetError(f"{path} is not JSON ({error}); choose another --out, or --overwrite") from error
            changed = [name for name, value in self.settings.items() if found.get(name) != value]
            if changed:
                differences = ", ".join(f"{name} {found.get(name)!r} → {self.settings[name]!r}" for name in changed)
                raise InputError(
                    f"{self.folder} holds fits of other settings ({differences}); choose another --out, or --overwrite"
                )
            return
        _write_json(path, self.settings)

    def file(self, kind: str, name: str) -> Path:
        """The file of a picture: ``kind`` is coefficients, overlays, meshes or failures."""
        suffix = {"coefficients": ".safetensors", "overlays": ".png", "meshes": ".glb", "failures": ".json"}[kind]
        return self.folder / kind / (name + suffix)

    def is_finished(self, file: PictureFile) -> bool:
        """Whether the picture is fitted and everything about it is written."""
        return self.file("coefficients", file.name).is_file()

    def write(self, result: PictureFit, fitter: Fitter) -> None:
        """Keep one result."""
        name = result.file.name
        if result.reason:
            self.file("coefficients", name).unlink(missing_ok=True)
            entry = {"source": str(result.file), "reason": result.reason, "note": result.note}
            _write_json(self.file("failures", name), entry)
            return
        from faceuv.export import save_png
        from faceuv.face import Face

        assert result.coefficients is not None
        device = fitter.face_model.mean.device
        metadata = {
            "source": str(result.file),
            "window": asdict(result.window) if result.window else None,
            "size": self.settings.get("size"),
            "landmark_error": round(result.landmark_error, 4),
            "photometric": round(result.photometric, 5),
            "iterations": result.iterations,
            "note": result.note,
        }
        face = Face(result.coefficients.to(device), fitter.face_model, fitter.renderer, metadata={"fit": metadata})
        save_png(self.file("overlays", name), overlay(result, face))
        if self.meshes:
            face.save(self.file("meshes", name))
        face.save(self.file("coefficients", name))
        self.file("failures", name).unlink(missing_ok=True)

    def report(self, files: Sequence[PictureFile]) -> int:
        """Write ``report.json`` and ``sheet.png``, print a summary and the failures; the exit code."""
        from rich.table import Table

        from faceuv.cli.console import console

        fitted, failures = {}, {}
        for file in files:
            if self.is_finished(file):
                _, metadata = load_tensors(self.file("coefficients", file.name), kind="face")
                fitted[file.name] = metadata["fit"]
            elif self.file("failures", file.name).is_file():
                failures[file.name] = json.loads(self.file("failures", file.name).read_text(encoding="utf-8"))
            else:
                failures[file.name] = {"source": str(file), "reason": "not reached"}
        summary = {
            name: statistics.median(fit[name] for fit in fitted.values())
            for name in ("landmark_error", "photometric", "iterations")
            if fitted
        }
        _write_json(
            self.folder / "report.json",
            {"settings": self.settings, "medians": summary, "fitted": fitted, "failures": failures},
        )
        self._sheet(list(fitted))
        console.print(f"fitted {len(fitted)} of {len(files)} pictures → {self.folder}")
        if fitted:
            console.print(
                f"median landmark error {summary['landmark_error']:.2f} px of {self.settings['size']},"
                f" colour difference {summary['photometric']:.3f}, {summary['iterations']:.0f} iterations"
            )
        tables = {
            "why it was not fitted": {name: entry["reason"] for name, entry in failures.items()},
            "what the detector noted": {name: fit["note"] for name, fit in fitted.items() if fit.get("note")},
        }
        for title, rows in tables.items():
            if rows:
                table = Table("picture", title, box=None, pad_edge=False)
                for row in rows.items():
                    table.add_row(*row)
                console.print(table)
        return 0 if fitted else 1

    def _sheet(self, names: Sequence[str]) -> None:
        from faceuv.data.images import read_picture
        from faceuv.export import contact_sheet, save_png

        there = [name for name in names if self.file("overlays", name).is_file()][:SHEET]
        if there:
            pictures = [read_picture(self.file("overlays", name)) for name in there]
            save_png(self.folder / "sheet.png", contact_sheet(pictures, labels=there))


@torch.no_grad()
def overlay(result: PictureFit, face: Any) -> Tensor:
    """``(3, S, 3·S)``: the picture with its landmarks, the fitted face over the picture, its shape."""
    from faceuv.export.landmarks import draw_points
    from faceuv.models.faces import FaceRenderer
    from faceuv.structures import UVMaps

    assert result.image is not None and result.landmarks is not None
    image, size = result.image[None], result.image.shape[1]
    device = face.coefficients.data.device
    drawing = FaceRenderer(face.face_model, face.renderer)
    grey = UVMaps(diffuse=torch.full((1, 3, 2, 2), 0.72, device=device))
    fitted = drawing(face.coefficients, size=size, background=image.to(device)).image
    shape = drawing(face.coefficients, grey, size=size, background=image.to(device)).image
    panels = [draw_points(image, result.landmarks[None]), fitted.cpu(), shape.cpu()]
    return torch.cat(panels, 3)[0].clamp(0, 1)


def _write_json(path: Path, content: Any) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
