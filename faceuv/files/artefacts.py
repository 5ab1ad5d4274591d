"""Files of ours: safetensors with JSON metadata, written atomically, read with checks and never unpickled."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import file_path, shown
from faceuv.errors import AssetError, InputError
from faceuv.version import __version__

_METADATA_KEY = "faceuv"
_MESHES = (".glb", ".gltf", ".obj", ".ply")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def no_room(error: BaseException) -> bool:
    """Whether something could not be written because the disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in _NO_ROOM


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path in the same folder and rename it to ``path`` when the block succeeds.

    If the block raises, or the process dies, ``path`` is unchanged; a full disk is an :class:`AssetError`.
    """
    path = Path(path)
    temporary = _temporary_file(path)
    mode = _mode_of(temporary)
    try:
        yield temporary
        # safetensors from version 0.8 on puts a file of its own there, which nobody else may read
        temporary.chmod(_mode_of(path) if path.is_file() else mode)
        _sync(temporary)  # or a power cut after the rename could leave a file of the new name without contents
        os.replace(temporary, path)
        _sync(path.parent)
    except OSError as error:
        if not no_room(error):
            raise
        raise _unwritten(path, error.strerror) from error
    finally:
        temporary.unlink(missing_ok=True)


def _unwritten(path: Path, why: object) -> AssetError:
    return AssetError(
        f"cannot write {path} ({why}); the incomplete file was removed and nothing else changed: make room and run the"
        " same again"
    )


def _mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode) & 0o777


def _sync(path: Path) -> None:
    """Have the system write a file, or a folder's list of files, to the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(handle)


def check_writable(folder: str | Path) -> Path:
    """Make ``folder`` and check that files can be written to it, before long work."""
    folder = Path(folder)
    _temporary_file(folder / "check").unlink()
    return folder


def _temporary_file(path: Path) -> Path:
    """A new empty file beside ``path``, with the permissions of the file that is there, or else of any new file.

    The system takes the umask off: asking for it would set it for a moment, in all threads.
    """
    if path.is_dir():
        raise AssetError(f"cannot write {path}: it is a folder; choose the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode_of(path) | stat.S_IWUSR if path.is_file() else 0o666
        for _ in range(100):
            temporary = path.with_name(f".{path.stem[:100]}.{secrets.token_hex(4)}{path.suffix}")
            try:
                handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
            except FileExistsError:
                continue
            os.close(handle)
            return temporary
        raise FileExistsError(errno.EEXIST, "no name is free beside it")
    except OSError as error:
        raise AssetError(f"cannot write {path}: {error.strerror or error}; choose a folder you may write to") from error


def sha256_of(path: str | Path) -> str:
    """The SHA-256 of a file, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def save_tensors(path: str | Path, tensors: dict[str, Tensor], metadata: dict[str, Any]) -> Path:
    """Write tensors and JSON metadata to one safetensors file, atomically; the version is added."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    path = Path(path)
    try:
        text = json.dumps({"faceuv_version": __version__, **metadata}, sort_keys=True)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not written: its metadata must be plain JSON values: {error}") from error
    header = {_METADATA_KEY: text}
    with atomic_path(path) as temporary:
        try:
            save_file(tensors, str(temporary), metadata=header)
        except SafetensorError as error:  # its words for whatever the system says, a full disk for one
            raise _unwritten(path, error) from error
    return path


def load_state_dict(path: str | Path, *, expected: str, where: str | None = None) -> dict[str, Tensor]:
    """The tensors in a PyTorch file, read without running its code.

    Args:
        expected: what the file should be, for messages.
        where: what messages call the file; its path if absent.
    """
    where = str(path) if where is None else where
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything
        raise AssetError(
            f"{where} is not a readable PyTorch file of plain tensors ({type(error).__name__}); expected {expected}. It"
            " may hold code, which is refused"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise AssetError(f"{where} holds no state dict of tensors, but a {type(state).__name__}; expected {expected}")
    return dict(state)


def load_metadata(path: str | Path) -> dict[str, Any]:
    """The metadata alone of a safetensors file; empty if faceuv did not write it."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
    except (SafetensorError, OSError, ValueError) as error:
        raise AssetError(f"{path} is not a readable safetensors file ({error}): make it again") from error
    metadata = parse_json(header.get(_METADATA_KEY, "{}"), f"the metadata of {path}", nan=True)
    return dict(metadata) if isinstance(metadata, dict) else {}


def load_tensors(path: str | Path, *, kind: str | None = None) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read a file of :func:`save_tensors`; ``kind`` must match the metadata's, if given."""
    from safetensors import SafetensorError, safe_open

    path = file_path(path)
    if path.suffix.lower() in _MESHES:
        raise AssetError(
            f"{path} is a mesh, and what is read here is a .safetensors file of faceuv: save the face as that as"
            " well (faceuv sample writes both)"
        )
    if not path.is_file():
        raise AssetError(f"{path} does not exist" + (f"; expected a faceuv {kind} file (safetensors)" if kind else ""))
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError) as error:
        raise AssetError(
            f"{path} is not a readable safetensors file ({error}); it may be truncated: make it again"
        ) from error
    metadata = parse_json(header.get(_METADATA_KEY, "{}"), f"the metadata of {path}", nan=True)
    if not isinstance(metadata, dict):
        raise AssetError(f"the metadata of {path} must be a JSON object, found {shown(metadata)}; make the file again")
    if kind is not None and metadata.get("kind") != kind:
        raise AssetError(f"{path} holds {shown(metadata.get('kind', 'no faceuv metadata'))}, expected {kind!r}")
    return tensors, metadata


def read_json(path: Path) -> Any:
    """The value of a JSON file; any defect of the file is an :class:`AssetError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise AssetError(f"{path} cannot be read ({error})") from error
    return parse_json(text, str(path))


def parse_json(text: str, where: str, *, nan: bool = False) -> Any:
    """The value of a JSON text; deep nesting is an error. So are NaN and infinity, unless ``nan`` (facts of a fit)."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not a JSON value")

    try:
        return json.loads(text, parse_constant=None if nan else refuse)
    except RecursionError:
        raise AssetError(f"{where}: the JSON is nested too deeply; make the file again") from None
    except ValueError as error:
        raise AssetError(f"{where}: not readable JSON ({error}); make the file again") from error


def check_storable(path: str | Path, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Refuse weights that hold NaN, or that are beyond the range of the precision they were brought to."""
    broken = [name for name, value in tensors.items() if not bool(torch.isfinite(value).all())]
    if broken:
        verb = "hold" if len(broken) > 1 else "holds"
        raise AssetError(f"{path}: not written: {', '.join(broken[:3])} {verb} NaN or values beyond {dtype}")
