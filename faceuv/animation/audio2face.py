"""JSON files of blend-shape weights as Audio2Face exports them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from faceuv.animation.data import LONGEST, ARKitAnimation, checked_fps
from faceuv.checks import one_line, shown
from faceuv.errors import AssetError, FaceUVError, InputError
from faceuv.models.faces.arkit import arkit_name

_LARGEST_FILE = 1 << 30  # bytes


def read_audio2face(path: str | Path, *, fps: float | None = None) -> ARKitAnimation:
    """Read ``{"exportFps": 30, "numPoses": 52, "numFrames": T, "facsNames": […], "weightMat": [[…], …]}``.

    ``numPoses`` and ``numFrames`` may be absent; where they are given they must agree with the matrix. ``fps``
    replaces ``exportFps``. Joints and rotations, which some versions add, are not read.
    """
    path = Path(path)
    try:
        if path.is_file() and path.stat().st_size > _LARGEST_FILE:
            raise InputError("larger than 1 GiB; split the animation")
        data = json.loads(path.read_text(encoding="utf-8-sig"))
        return _animation(data, fps)
    except FileNotFoundError:
        raise AssetError(f"{path}: no such file; expected a JSON of blend-shape weights") from None
    except FaceUVError as error:
        raise AssetError(f"{path}: {error}") from None
    except (ValueError, RecursionError, OSError) as error:  # numbers of thousands of digits are ValueErrors
        raise AssetError(f"{path}: not readable as JSON ({one_line(error)})") from None


def _animation(data: Any, fps: float | None) -> ARKitAnimation:
    if not isinstance(data, dict):
        raise InputError(f"expected an object with facsNames and weightMat, got {shown(data)}")
    missing = [key for key in ("facsNames", "weightMat") if key not in data]
    if missing:
        raise InputError(f"lacks {' and '.join(missing)}; found {shown(sorted(map(str, data)))}")
    names, matrix = data["facsNames"], data["weightMat"]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise InputError(f"facsNames must be a list of names, got {shown(names)}")
    names = [arkit_name(name) for name in names]
    if not isinstance(matrix, list) or not 1 <= len(matrix) <= LONGEST:
        raise InputError(f"weightMat must be a list of 1 … {LONGEST:,} frames, got {shown(matrix)}")
    for key, count in (("numFrames", len(matrix)), ("numPoses", len(names))):
        if data.get(key, count) != count:
            raise InputError(f"{key} says {shown(data[key])}, but there are {count}; the file is damaged")
    for frame, row in enumerate(matrix):
        if not isinstance(row, list) or len(row) != len(names):
            got = len(row) if isinstance(row, list) else shown(row, 40)
            raise InputError(f"frame {frame} of weightMat must have {len(names)} numbers, got {got}")
        wrong = next((k for k, value in enumerate(row) if not _is_amount(value)), None)
        if wrong is not None:
            raise InputError(
                f"frame {frame}: {names[wrong]} must be an amount from 0 to 1, got {shown(row[wrong], 40)}"
            )
    if fps is None and "exportFps" not in data:
        raise InputError("lacks exportFps, the frames per second; say them: fps=…")
    rate = checked_fps(data["exportFps"] if fps is None else fps)
    rows = torch.tensor(matrix, dtype=torch.float64)
    return ARKitAnimation.of(names, rows, fps=rate, metadata={"layout": "Audio2Face", "fps": rate})


def _is_amount(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= 2  # not of NaN
