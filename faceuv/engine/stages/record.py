"""The record of a stage beside its outputs: what they were made from, and whether they are complete."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from faceuv.checks import shown
from faceuv.engine.stages.fingerprint import Description, changed_keys, reasons
from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import atomic_path, read_json, sha256_of
from faceuv.files.names import below
from faceuv.version import __version__

RECORD = "stage.json"
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}(\.\w+)?")  # what atomic_path writes to before it renames
_ASIDE = re.compile(r"(?P<name>.+)\.previous\.(?P<number>\d+)")
State = Literal["fresh", "missing", "stale", "interrupted", "foreign"]


@dataclass
class Record:
    """``stage.json``: written when a stage begins, and again, complete, as the last of all its files."""

    stage: str
    fingerprint: str
    description: Description
    complete: bool = False
    outputs: dict[str, int] = field(default_factory=dict)
    """File → its size in bytes."""
    hashes: dict[str, str] = field(default_factory=dict)
    """File → SHA-256 of its contents."""
    times: dict[str, int] = field(default_factory=dict)
    """File → its time of change in nanoseconds; where it still is the same, the contents are taken to be."""
    seconds: float = 0.0
    summary: dict[str, Any] = field(default_factory=dict)
    faceuv_version: str = __version__

    def write(self, folder: Path) -> None:
        """Write it, atomically."""
        with atomic_path(folder / RECORD) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2, default=float), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> Record | None:
        """The record of a folder, or None where there is none; :class:`AssetError` if it cannot be read."""
        path = folder / RECORD
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


def inspect_folder(
    folder: Path, description: Description, fingerprint: str, extends: Sequence[str] = (), *, verify: bool = False
) -> Finding:
    """Compare a folder with what it should hold.

    Args:
        verify: read every output and compare its contents with the recorded hash, whatever its time of change.
    """
    try:
        record = Record.read(folder)
    except AssetError as error:
        return Finding("stale", [str(error)])
    if record is None:
        strangers = foreign_files(folder)
        if strangers:
            return Finding("foreign", [f"its folder holds {_some(strangers)}, which no stage made"])
        return Finding("missing")
    if record.fingerprint != fingerprint:
        changed = changed_keys(record.description, description)
        if changed and all(key in extends for key in changed):
            return Finding("interrupted", reasons(record.description, description), keep=True)
        return Finding("stale", reasons(record.description, description) or ["its fingerprint differs"])
    if not record.complete:
        return Finding("interrupted", ["goes on where it was"], keep=True)
    damaged = damaged_outputs(folder, record, verify=verify)
    if damaged:
        return Finding("interrupted", [f"{_some(damaged)}: missing or changed since"], keep=True)
    return Finding("fresh", [_told(record)])


def foreign_files(folder: Path) -> list[str]:
    """What lies in a folder without a record, except for what a killed write of ours left."""
    if not folder.exists():
        return []
    if not folder.is_dir():
        return [folder.name]
    return sorted(path.name for path in folder.iterdir() if not _TEMPORARY.fullmatch(path.name))


def damaged_outputs(folder: Path, record: Record, *, verify: bool = False) -> list[str]:
    """Outputs that are gone or hold something else than when they were made.

    A file of the recorded size and time of change is taken to be whole; of another time, its contents decide. With
    ``verify`` the contents decide in any case.
    """
    return [name for name in record.outputs if not _whole(folder / name, name, record, verify)]


def _whole(path: Path, name: str, record: Record, verify: bool) -> bool:
    if not path.is_file() or path.stat().st_size != record.outputs[name]:
        return False
    recorded = record.hashes.get(name)  # none in records of version 0.1
    if recorded is None or (not verify and path.stat().st_mtime_ns == record.times.get(name)):
        return True
    return sha256_of(path) == recorded


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def begin(
    folder: Path, stage: str, description: Description, fingerprint: str, *, keep: bool, verify: bool = False
) -> list[str]:
    """Make a folder ready and record the start; what was set aside for it, in words.

    Nothing is deleted but what a killed write of ours left: an older version of the folder, and damaged outputs, keep
    their names with ``.previous.1``, ``.previous.2`` … added.
    """
    record = Record.read(folder) if keep else None
    if not (folder / RECORD).exists() and foreign_files(folder):
        raise InputError(_foreign(stage, folder))
    told = []
    for path in list(folder.rglob(".*")):
        if _TEMPORARY.fullmatch(path.name) and path.is_file():
            path.unlink()  # a killed run was just writing it
    if not keep and folder.is_dir() and any(folder.iterdir()):
        told.append(f"the version of other settings is kept in {set_aside(folder)}")
    folder.mkdir(parents=True, exist_ok=True)
    if record is not None:
        for name in damaged_outputs(folder, record, verify=verify):
            if (path := below(folder, name, f"an output in {folder / RECORD}")).exists():
                told.append(f"{name} was changed since it was made; it is kept as {set_aside(path).name}")
    Record(stage, fingerprint, description).write(folder)
    return told


def refuse_foreign(stage: str, folder: Path) -> None:
    """Raise for a folder that holds files which no stage made: they are the user's."""
    if not (folder / RECORD).exists() and foreign_files(folder):
        raise InputError(_foreign(stage, folder))


def _foreign(stage: str, folder: Path) -> str:
    return (
        f"the stage {stage!r} would write to {folder}, which holds files that no stage made"
        f" ({_some(foreign_files(folder))}): move them away, or choose another place with --work-dir"
    )


def set_aside(path: Path) -> Path:
    """Rename a file or folder to the next free ``NAME.previous.N``; the new path. The highest number is the newest."""
    taken = [int(match["number"]) for other in path.parent.glob(f"{glob.escape(path.name)}.previous.*")
             if (match := _ASIDE.fullmatch(other.name)) and match["name"] == path.name]  # fmt: skip
    new = path.with_name(f"{path.name}.previous.{max(taken, default=0) + 1}")
    path.rename(new)
    return new


def kept_versions(root: Path, names: Sequence[str]) -> list[Path]:
    """The folders of earlier versions of these stages, as :func:`set_aside` named them; only those with a record."""
    found = []
    for path in sorted(root.glob("*.previous.*")):
        match = _ASIDE.fullmatch(path.name)
        if match and match["name"] in names and path.is_dir() and not path.is_symlink() and (path / RECORD).is_file():
            found.append(path)
    return found


def finish(folder: Path, outputs: Sequence[str], *, seconds: float, summary: dict[str, Any]) -> Record:
    """Record that a stage is complete; its outputs must be there."""
    record = Record.read(folder)
    missing = [name for name in outputs if not (folder / name).is_file()]
    if record is None or missing:
        gone = ", ".join(missing) or RECORD
        raise AssetError(f"{folder} was changed while its stage ran: {gone} is gone; run it again")
    record.complete, record.seconds, record.summary = True, seconds, dict(summary)
    record.outputs = {name: (folder / name).stat().st_size for name in outputs}
    record.hashes = {name: sha256_of(folder / name) for name in outputs}
    record.times = {name: (folder / name).stat().st_mtime_ns for name in outputs}
    record.write(folder)
    return record


def _told(record: Record) -> str:
    minutes = record.seconds / 60
    return f"made in {record.seconds:.0f} s" if minutes < 2 else f"made in {minutes:.0f} min"
