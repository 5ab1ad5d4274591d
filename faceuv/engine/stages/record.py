"""The record of a stage beside its outputs: what they were made from, and whether they are complete."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from faceuv.checks import shown
from faceuv.engine.stages.fingerprint import Description, changed_keys, reasons
from faceuv.errors import AssetError
from faceuv.files.artefacts import atomic_path, read_json
from faceuv.files.names import below
from faceuv.version import __version__

FILE = "stage.json"
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}(\.\w+)?")  # what atomic_path writes to before it renames
State = Literal["fresh", "missing", "stale", "interrupted"]


@dataclass
class Record:
    """``stage.json``: written when a stage begins, and again, complete, as the last of all its files."""

    stage: str
    fingerprint: str
    description: Description
    complete: bool = False
    outputs: dict[str, int] = field(default_factory=dict)
    """File → its size in bytes."""
    seconds: float = 0.0
    summary: dict[str, Any] = field(default_factory=dict)
    faceuv_version: str = __version__

    def write(self, folder: Path) -> None:
        """Write it, atomically."""
        with atomic_path(folder / FILE) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2, default=float), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """The record of a folder, or None where there is none; :class:`AssetError` if it cannot be read."""
        path = folder / FILE
        if not path.is_file():
            return None
        content = read_json(path)
        if not isinstance(content, dict):
            raise AssetError(f"{path} is not the record of a stage: expected an object, found {shown(content)}")
        try:
            record = cls(**content)
        except TypeError as error:
            raise AssetError(f"{path} is not the record of a stage ({error})") from error
        record._check(path)
        return record

    def _check(self, path: Path) -> None:
        kinds = {"stage": str, "fingerprint": str, "description": dict, "complete": bool, "outputs": dict}
        for name, kind in kinds.items():
            if not isinstance(getattr(self, name), kind):
                raise AssetError(f"{path}: {name} must be of {kind.__name__}, found {shown(getattr(self, name))}")
        for name, size in self.outputs.items():
            if type(size) is not int or size < 0:
                raise AssetError(f"{path}: the size of {name} must be a number of bytes, found {shown(size)}")
            below(path.parent, name, f"an output in {path}")


@dataclass(frozen=True)
class Finding:
    """What a stage's folder holds, seen from the config of today."""

    state: State
    why: Sequence[str] = ()
    keep: bool = False
    """Whether what lies in the folder is a beginning of what is wanted."""


def inspect(folder: Path, description: Description, fingerprint: str, extends: Sequence[str] = ()) -> Finding:
    """Compare a folder with what it should hold."""
    try:
        record = Record.read(folder)
    except AssetError as error:
        return Finding("stale", [str(error)])
    if record is None:
        strangers = folder.is_dir() and any(not _TEMPORARY.fullmatch(path.name) for path in folder.iterdir())
        return Finding("missing", ["its folder holds files without a record"] if strangers else ())
    if record.fingerprint != fingerprint:
        changed = changed_keys(record.description, description)
        if changed and all(key in extends for key in changed):
            return Finding("interrupted", reasons(record.description, description), keep=True)
        return Finding("stale", reasons(record.description, description) or ["its fingerprint differs"])
    if not record.complete:
        return Finding("interrupted", ["goes on where it was"], keep=True)
    damaged = damaged_outputs(folder, record)
    if damaged:
        more = f" and {len(damaged) - 3} more" if len(damaged) > 3 else ""
        return Finding("interrupted", [f"{', '.join(damaged[:3])}{more} missing or of another size"], keep=True)
    return Finding("fresh", [_told(record)])


def damaged_outputs(folder: Path, record: Record) -> list[str]:
    """Outputs that are gone, or whose size is not the recorded one."""
    return [
        name
        for name, size in record.outputs.items()
        if not (folder / name).is_file() or (folder / name).stat().st_size != size
    ]


def begin(folder: Path, stage: str, description: Description, fingerprint: str, *, keep: bool) -> None:
    """Make a folder ready: aside with what is of no use any more, away with what is damaged, and record the start."""
    record = Record.read(folder) if keep else None
    for path in list(folder.rglob(".*")):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink()  # a killed run was just writing it
    if not keep and folder.is_dir() and any(folder.iterdir()):
        previous = folder.with_name(f"{folder.name}.previous")
        shutil.rmtree(previous, ignore_errors=True)
        folder.rename(previous)
    folder.mkdir(parents=True, exist_ok=True)
    if record is not None:
        for name in damaged_outputs(folder, record):
            below(folder, name, f"an output in {folder / FILE}").unlink(missing_ok=True)
    Record(stage, fingerprint, description).write(folder)


def finish(folder: Path, outputs: Sequence[str], *, seconds: float, summary: dict[str, Any]) -> Record:
    """Record that a stage is complete; its outputs must be there."""
    record = Record.read(folder)
    missing = [name for name in outputs if not (folder / name).is_file()]
    if record is None or missing:
        gone = ", ".join(missing) or FILE
        raise AssetError(f"{folder} was changed while its stage ran: {gone} is gone; run it again")
    record.complete, record.seconds, record.summary = True, seconds, dict(summary)
    record.outputs = {name: (folder / name).stat().st_size for name in outputs}
    record.write(folder)
    return record


def _told(record: Record) -> str:
    minutes = record.seconds / 60
    return f"made in {record.seconds:.0f} s" if minutes < 2 else f"made in {minutes:.0f} min"
