"""Checkpoints of plain values, written atomically; corrupt files are detected.

MMEngine stores ``HistoryBuffer`` objects and NumPy scalars in its checkpoints, so that ``torch.load`` refuses them
(``weights_only=True`` is its default), and writes them in place, so that a crash while saving leaves half a file.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor, nn

from faceuv.errors import AssetError, FaceUVError
from faceuv.files.artefacts import atomic_path
from faceuv.files.paths import user_path

HISTORY_LENGTH = 1000
"""Values of each logged scalar that a checkpoint keeps: enough for every smoothing window."""

_HISTORY = "__history_buffer__"


class CorruptCheckpoint(AssetError):
    """A checkpoint file that cannot be read: truncated, damaged, or not a checkpoint."""


def plain(value: Any, where: str = "checkpoint") -> Any:
    """``value`` made of dicts, lists, tuples, strings, numbers and CPU tensors only; an error names what is not."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.generic):  # NumPy's float64 is a float, too, and would be pickled as itself
        return value.item()
    for kind in (int, float, str):  # of enumerations, torch's version string, …
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, HistoryBuffer):
        values, counts = (np.asarray(array, dtype=np.float64)[-HISTORY_LENGTH:] for array in value.data)
        return {_HISTORY: (torch.from_numpy(values.copy()), torch.from_numpy(counts.copy()))}
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value))
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        mapping = OrderedDict if isinstance(value, OrderedDict) else dict
        return mapping((plain(key, where), plain(item, f"{where}[{key!r}]")) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        items = [plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    raise FaceUVError(
        f"cannot save {where}: a {type(value).__module__}.{type(value).__qualname__} would need pickled code to read"
        " back; keep numbers, strings, tensors, lists and dicts in what is saved"
    )


def rebuilt(value: Any) -> Any:
    """The inverse of :func:`plain` where MMEngine needs its own type back: its history buffers."""
    if isinstance(value, Mapping):
        if set(value) == {_HISTORY}:
            values, counts = value[_HISTORY]
            return HistoryBuffer(values.tolist(), counts.tolist())
        mapping = OrderedDict if isinstance(value, OrderedDict) else dict
        return mapping((key, rebuilt(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return type(value)(rebuilt(item) for item in value)
    return value


def write_checkpoint(path: str | Path, checkpoint: Mapping[str, Any]) -> None:
    """Write plain values to ``path``: a temporary file first, renamed when complete."""
    content = plain(checkpoint)
    with atomic_path(path) as temporary:
        try:
            torch.save(content, temporary)
        except (OSError, RuntimeError) as error:  # torch's zip writer raises RuntimeError when the disk is full
            raise AssetError(
                f"cannot write the checkpoint {path} ({_first_line(error)}); the incomplete file was removed, earlier"
                " checkpoints are complete: make room and continue with --resume"
            ) from error


def check_checkpoint(path: str | Path) -> Path:
    """Raise for a checkpoint that is missing or cut short, before data are drawn and networks built; its path."""
    path = user_path(path)
    if not path.is_file():
        raise AssetError(f"no checkpoint at {path}; give the path of a .pth file that training wrote")
    if path.suffix == ".pth" and not zipfile.is_zipfile(path):
        read_checkpoint(path)  # one of torch's old layout, or an error that says what it is
    return path


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU without running code from it; :class:`CorruptCheckpoint` if it cannot be read."""
    path = Path(path)
    if not path.is_file():
        raise AssetError(f"no checkpoint at {path}; give the path of a .pth file that training wrote")
    try:
        if zipfile.is_zipfile(path):  # torch does not compare its file's checksums
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            if damaged is not None:
                raise CorruptCheckpoint(f"{path} is damaged: the checksum of {damaged} is wrong")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "GLOBAL" in str(error):
            raise AssetError(
                f"{path} is refused: reading it would run pickled code ({_forbidden_global(error)}); faceuv reads"
                " checkpoints of plain tensors and values only"
            ) from error
        raise _corrupt(path, error) from error
    except CorruptCheckpoint:
        raise
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _corrupt(path, error) from error
    if not isinstance(content, dict) or "state_dict" not in content:
        held = f"the keys {sorted(map(str, content))[:6]}" if isinstance(content, dict) else type(content).__name__
        raise AssetError(f"{path} is not a training checkpoint: it holds {held}, expected 'state_dict' among them")
    return {key: rebuilt(value) for key, value in content.items()}


def load_weights(model: nn.Module, weights: Mapping[str, Tensor], source: str | Path) -> None:
    """Load ``weights`` into ``model``; every missing, unknown or wrongly shaped tensor is an error, before any is set.

    MMEngine prints a warning instead and trains on from scratch.
    """
    held = model.state_dict()
    problems = [f"{key} is missing" for key in held if key not in weights]
    problems += [f"{key} is unknown to the model" for key in weights if key not in held]
    problems += [
        f"{key} has shape {tuple(weights[key].shape)}, expected {tuple(tensor.shape)}"
        for key, tensor in held.items()
        if key in weights and isinstance(tensor, Tensor) and weights[key].shape != tensor.shape
    ]
    if problems:
        more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise AssetError(
            f"{source} does not fit the {type(model).__name__} of this config: {'; '.join(problems[:5])}{more}."
            " Use the config that the checkpoint was trained with"
        )
    model.load_state_dict(weights)


def non_finite(weights: Mapping[str, Tensor]) -> list[str]:
    """The names of tensors that hold NaN or infinity."""
    return [
        name
        for name, tensor in weights.items()
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]


def _corrupt(path: Path, error: Exception) -> CorruptCheckpoint:
    return CorruptCheckpoint(f"{path} cannot be read ({_first_line(error)}): it is truncated or damaged")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:160]


def _forbidden_global(error: Exception) -> str:
    words = str(error).split("GLOBAL", 1)[1].split()
    return words[0] if words else "an unnamed object"
