"""The folder that ``faceuv fit`` writes: what is finished, what failed and why, and the report of both."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from faceuv.errors import AssetError, InputError, shown
from faceuv.files.artefacts import atomic_path, load_tensors, read_json, sha256_of
from faceuv.files.networks import read_header

if TYPE_CHECKING:
    from faceuv.data.images import PictureFile
    from faceuv.fitting import Fitter
    from faceuv.fitting.pictures import PictureFit

SHEET = 48  # overlays on the contact sheet
SETTINGS, MADE_BY = "settings.json", "faceuv fit"
_NEW_SETTINGS = {"min_confidence": 0.0}  # what folders of older versions, which do not name it, were made with
_DOUBT, _FRAME = (1.0, 0.55, 0.0), 0.025  # the frame of a doubtful overlay: orange, as a share of its height
_SUFFIXES = {"coefficients": ".safetensors", "overlays": ".png", "meshes": ".glb", "failures": ".json"}


class FitFolder:
    """``coefficients/NAME.safetensors`` (a face, for ``faceuv render``), ``overlays/NAME.png``, ``meshes/NAME.glb`` of
    each fitted picture, ``failures/NAME.json`` of each that was not, ``sheet.png``, ``report.json``. Doubtful fits are
    among the fitted; a frame about the overlay marks them, and their record says why.

    The coefficients are written last: a picture that has them is finished. All files are written atomically.

    Args:
        settings: everything that the fits depend on; a folder holds fits of the same settings only.
        meshes: write ``.glb`` files, too.
        mesh_options: keywords of :meth:`faceuv.Face.save` for these.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        *,
        meshes: bool = True,
        mesh_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder, self.settings, self.meshes = folder, dict(settings), meshes
        self.mesh_options = dict(mesh_options or {})

    def check(self, files: Sequence[PictureFile], *, overwrite: bool = False) -> None:
        """Refuse, before anything is written, a folder that holds the user's own files, fits of other settings, or the
        fit of another picture of the same name; the latter two may be overwritten."""
        settings = self._read_settings()
        if settings is None:
            self._refuse_strangers()
            return
        if overwrite:
            return
        settings = {**_NEW_SETTINGS, **settings}
        changed = [name for name, value in self.settings.items() if settings.get(name) != value]
        if changed:
            differences = ", ".join(f"{name} {settings.get(name)!r} → {self.settings[name]!r}" for name in changed)
            raise InputError(
                f"{self.folder} holds fits of other settings ({differences}); choose another --out, or --overwrite"
            )
        for file in files:
            found = self.fit_of(file)
            if found is not None and found.get("source") != str(file) and found.get("sha256") != contents(file):
                raise InputError(
                    f"{self.folder} holds the fit of {found.get('source')} under the name {file.name!r}, which {file}"
                    " would take; choose another --out, or --overwrite"
                )

    def claim(self) -> None:
        """Write the settings, which marks the folder as one of fits."""
        _write_json(self.folder / SETTINGS, {**self.settings, "made_by": MADE_BY})

    def _read_settings(self) -> dict[str, Any] | None:
        """The settings that an earlier run wrote; None if there is no such file, or one of the user's."""
        path = self.folder / SETTINGS
        if not path.is_file():
            return None
        try:
            found = read_json(path)
        except AssetError:
            return None
        ours = isinstance(found, dict) and (found.get("made_by") == MADE_BY or {"detector", "schedule"} <= set(found))
        return found if ours else None

    def _refuse_strangers(self) -> None:
        names = (SETTINGS, "report.json", "sheet.png", *_SUFFIXES)
        strangers = [name for name in names if (self.folder / name).exists()]
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"--out {self.folder} is a file; choose a folder")
        if strangers:
            raise InputError(
                f"{self.folder} holds {', '.join(strangers)}, which faceuv fit did not write and would overwrite:"
                " choose another --out"
            )

    def file(self, kind: str, name: str) -> Path:
        """The file of a picture: ``kind`` is coefficients, overlays, meshes or failures."""
        return self.folder / kind / (name + _SUFFIXES[kind])

    def fit_of(self, file: PictureFile) -> dict[str, Any] | None:
        """The record of the fit under a picture's name; None if there is none that can be read."""
        path = self.file("coefficients", file.name)
        if not path.is_file():
            return None
        try:
            found = read_header(path).get("fit")
        except AssetError:  # damaged: it is fitted again
            return None
        return found if isinstance(found, dict) else None

    def is_finished(self, file: PictureFile) -> bool:
        """Whether the picture, as it is now, is fitted and everything about it is written."""
        found = self.fit_of(file)
        if found is None:
            return False
        known = found.get("sha256")  # none in fits of version 0.1, which know the path only
        return known == contents(file) if known is not None else found.get("source") == str(file)

    def write(self, result: PictureFit, fitter: Fitter) -> None:
        """Write the files of one result."""
        name = result.file.name
        if result.reason:
            self.file("coefficients", name).unlink(missing_ok=True)
            entry = {
                "source": str(result.file),
                "reason": result.reason,
                "note": result.note,
                "outcome": result.outcome,
                **_trust(result),
            }
            _write_json(self.file("failures", name), entry)
            return
        from faceuv.export import save_png
        from faceuv.face import Face

        assert result.coefficients is not None
        device = fitter.face_model.mean.device
        metadata = {
            "source": str(result.file),
            "sha256": contents(result.file),
            "window": asdict(result.window) if result.window else None,
            "size": self.settings.get("size"),
            "landmark_error": round(result.landmark_error, 4),
            "photometric": round(result.photometric, 5),
            "iterations": result.iterations,
            "note": result.note,
            "outcome": result.outcome,
            "doubt": result.doubt,
            **_trust(result),
        }
        face = Face(result.coefficients.to(device), fitter.face_model, fitter.renderer, metadata={"fit": metadata})
        save_png(self.file("overlays", name), overlay(result, face))
        if self.meshes:
            face.save(self.file("meshes", name), **self.mesh_options)
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
                failures[file.name] = failure_of(self.file("failures", file.name), file)
            else:
                failures[file.name] = {"source": str(file), "reason": "not reached"}
        summary = {
            name: statistics.median(fit[name] for fit in fitted.values())
            for name in ("landmark_error", "photometric", "iterations")
            if fitted
        }
        doubtful = {name: fit["doubt"] for name, fit in fitted.items() if fit.get("outcome") == "doubtful"}
        outcomes = {"fitted": len(fitted) - len(doubtful), "doubtful": len(doubtful), "failed": len(failures)}
        _write_json(
            self.folder / "report.json",
            {
                "settings": self.settings,
                "outcomes": outcomes,
                "medians": summary,
                "fitted": fitted,
                "failures": failures,
            },
        )
        self._sheet({name: fit["confidence"] if name in doubtful else None for name, fit in fitted.items()})
        among = f", {len(doubtful)} of them doubtful" if doubtful else ""
        console.print(f"fitted {len(fitted)} of {len(files)} pictures{among} → {self.folder}")
        if fitted:
            console.print(
                f"median landmark error {summary['landmark_error']:.2f} px of {self.settings['size']},"
                f" colour difference {summary['photometric']:.3f}, {summary['iterations']:.0f} iterations"
            )
        tables = {
            "why it is doubtful": {
                name: f"{fitted[name]['confidence']:.2f}: {doubt}" for name, doubt in doubtful.items()
            },
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

    def _sheet(self, fitted: Mapping[str, float | None]) -> None:
        """Of names, with the confidence of those that are doubtful."""
        from faceuv.data.images import read_picture
        from faceuv.export import contact_sheet, save_png

        there = [name for name in fitted if self.file("overlays", name).is_file()][:SHEET]
        if there:
            pictures = [read_picture(self.file("overlays", name)) for name in there]
            labels = [name if fitted[name] is None else f"doubtful {fitted[name]:.2f}: {name}" for name in there]
            save_png(self.folder / "sheet.png", contact_sheet(pictures, labels=labels))


def failure_of(path: Path, file: PictureFile) -> dict[str, Any]:
    """What is known of a picture that could not be worked on; a damaged record does not stop the report."""
    try:
        found = read_json(path)
    except AssetError as error:
        found = str(error)
    if isinstance(found, dict):
        return found
    return {"source": str(file), "reason": f"its record is damaged: {shown(found)}"}


def contents(file: PictureFile) -> str | None:
    """SHA-256 of the file that a picture is read from, with the number of the frame; None if it cannot be read."""
    try:
        stat = file.path.stat()
        digest = _hash(file.path, stat.st_size, stat.st_mtime_ns)
    except OSError:
        return None
    return digest if file.frame is None else f"{digest} frame {file.frame}"


@lru_cache(maxsize=4096)
def _hash(path: Path, size: int, time: int) -> str:
    """Of a film, once for all its frames."""
    return sha256_of(path)


@torch.no_grad()
def overlay(result: PictureFit, face: Any) -> Tensor:
    """``(3, S, 3·S)``: the picture with its landmarks, the fitted face over the picture, its shape; in an orange frame
    if the fit is doubtful. Of a whole head the shape is shown from crown to shoulders, which the picture need not."""
    from faceuv.export.landmarks import draw_points
    from faceuv.models.faces import FaceRenderer
    from faceuv.structures import UVMaps

    assert result.image is not None and result.landmarks is not None
    image, size = result.image[None], result.image.shape[1]
    device = face.coefficients.data.device
    drawing = FaceRenderer(face.face_model, face.renderer)
    grey = UVMaps(diffuse=torch.full((1, 3, 2, 2), 0.72, device=device))
    fitted = drawing(face.coefficients, size=size, background=image.to(device)).image
    if face.face_model.joint_weights is None:
        shape = drawing(face.coefficients, grey, size=size, background=image.to(device)).image
    else:
        whole = face.centred().with_lighting("studio")
        shape = whole.render_full(size, shape_only=True).image
    panels = [draw_points(image, result.landmarks[None]), fitted.cpu(), shape.cpu()]
    drawn = torch.cat(panels, 3)[0].clamp(0, 1)
    return framed(drawn) if result.outcome == "doubtful" else drawn


def framed(image: Tensor) -> Tensor:
    """``image (3, H, W)`` with the frame that marks a doubtful fit."""
    width = max(2, round(_FRAME * image.shape[1]))
    result = image.new_tensor(_DOUBT)[:, None, None].expand_as(image).clone()
    inner = (slice(None), slice(width, -width), slice(width, -width))
    result[inner] = image[inner]
    return result


def _trust(result: PictureFit) -> dict[str, Any]:
    """The confidence of a result and its parts, for a record."""
    parts = {name: round(value, 4) for name, value in result.parts.items()}
    return {"confidence": round(result.confidence, 4), "parts": parts}


def _write_json(path: Path, content: Any) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")
