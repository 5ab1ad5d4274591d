"""CSV files of animations: Live Link Face's, and plain tables with ARKit's names as their header."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import torch
from torch import Tensor

from faceuv.animation.data import LONGEST, ARKitAnimation, checked_fps
from faceuv.checks import one_line, shown
from faceuv.errors import AssetError, FaceUVError, InputError
from faceuv.models.faces.arkit import NAMES, arkit_name
from faceuv.models.faces.arkit.names import listed

_RATES = (24, 25, 30, 48, 50, 60, 120)  # of cameras; the smallest that has room for every frame number is taken
_TIMECODE = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})[:;](\d{1,3}(?:\.\d+)?)")
_DAY = 24 * 3600.0
_HEAD = ("headpitch", "headyaw", "headroll")
_EYES = tuple(f"{side}eye{angle}" for side in ("left", "right") for angle in ("yaw", "pitch", "roll"))
_SECONDS, _FRAME = ("time", "seconds"), ("frame",)
_LARGEST_ANGLE = 2 * math.pi
_LARGEST_AMOUNT = 2.0  # beyond it a number is no amount, but a percentage or an error


def read_csv(path: str | Path, *, fps: float | None = None) -> ARKitAnimation:
    """Read a CSV file: Live Link Face's if it has a column BlendshapeCount, else a plain table.

    Live Link Face writes ``Timecode,BlendshapeCount,EyeBlinkLeft,…,TongueOut,HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,…``.
    All 52 shapes must be there. The head's angles are in radians; the eyes' angles are not read, because the
    ``EyeLook…`` amounts say the same. The timecode counts frames of a rate that the file does not name: ``fps``, else
    the smallest of 24, 25, 30, 48, 50, 60 and 120 that fits its frame numbers.

    A plain table has any of ARKit's names, and may have ``time`` in seconds (or ``frame``) and the head's angles.
    Without ``time`` it plays at ``fps`` (25).
    """
    path = Path(path)
    if fps is not None:
        checked_fps(fps)
    try:
        header, rows = _cells(path)
        return _animation(header, rows, fps)
    except FaceUVError as error:
        raise AssetError(f"{path}: {error}") from None


def _cells(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows, all of one length."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = []
            for row in csv.reader(file):
                if any(cell.strip() for cell in row):
                    rows.append([cell.strip() for cell in row])
                if len(rows) > LONGEST:
                    raise InputError(f"more than {LONGEST:,} rows are no animation of a face")
    except FileNotFoundError:
        raise InputError("no such file; expected a CSV of blend shapes per frame") from None
    except (UnicodeDecodeError, csv.Error, OSError) as error:
        raise InputError(f"not a readable CSV ({one_line(error)}); expected a header and one row per frame") from None
    if len(rows) < 2:
        raise InputError(f"expected a header and at least one row of numbers, got {len(rows)} row(s)")
    header, body = rows[0], rows[1:]
    while header and not header[-1] and all(len(row) == len(header) and not row[-1] for row in body):
        header, body = header[:-1], [row[:-1] for row in body]  # a comma at the end of every line
    for number, row in enumerate(body, 2):
        if len(row) != len(header):
            raise InputError(f"row {number} has {len(row)} columns, the header {len(header)}; the file is damaged")
    return header, body


def _animation(header: list[str], rows: list[list[str]], fps: float | None) -> ARKitAnimation:
    folded = [name.replace("_", "").replace(" ", "").lower() for name in header]
    twice = next((name for k, name in enumerate(folded) if name in folded[:k]), None)
    if twice is not None:
        raise InputError(f"the column {header[folded.index(twice)]!r} stands twice in the header")
    live_link = "blendshapecount" in folded
    other = {"timecode", "blendshapecount", *_HEAD, *_EYES, *_SECONDS, *_FRAME}
    shapes = [k for k, name in enumerate(folded) if name not in other]
    names = [arkit_name(header[k]) for k in shapes]
    if not names:
        raise InputError(f"no column is a blend shape of ARKit; found {shown(header, 120)}")
    if live_link:
        missing = [name for name in NAMES if name not in names]
        if missing:
            raise InputError(
                f"Live Link Face's table lacks {listed(missing)}; a plain table of some shapes has no column"
                " BlendshapeCount"
            )
    numbers = _numbers(header, rows, shapes)
    beyond = (numbers.abs() > _LARGEST_AMOUNT).nonzero()
    if len(beyond):
        row, column = beyond[0].tolist()
        raise InputError(
            f"row {row + 2}: {header[shapes[column]]} is {float(numbers[row, column]):g}; amounts go from 0 to 1"
            " (divide percentages by 100)"
        )
    angles = [folded.index(name) for name in _HEAD if name in folded]
    if len(angles) not in (0, len(_HEAD)):
        lacking = next(name for name in _HEAD if name not in folded)
        raise InputError(f"the head's angles come together: HeadYaw, HeadPitch, HeadRoll; {lacking} is missing")
    head = None
    if angles:
        head = _numbers(header, rows, angles).float()
        if float(head.abs().max()) > _LARGEST_ANGLE:
            raise InputError(f"the head's angles are in radians, got {float(head.abs().max()):g}: are they degrees?")
    times, kept = _times(header, folded, rows, fps)
    layout = "Live Link Face" if live_link else "table"
    if head is not None:
        head = head[kept]
    return ARKitAnimation.of(names, numbers[kept], times=times[kept], head=head, metadata={"layout": layout})


def _numbers(header: list[str], rows: list[list[str]], columns: list[int]) -> Tensor:
    """``(T, n)`` float64 of some columns; each cell must be a finite number."""
    found = torch.empty(len(rows), len(columns), dtype=torch.float64)
    for number, row in enumerate(rows):
        for place, column in enumerate(columns):
            try:
                value = float(row[column])
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                raise InputError(
                    f"row {number + 2}: {header[column]} must be a finite number, got {shown(row[column], 40)}"
                )
            found[number, place] = value
    return found


def _times(header: list[str], folded: list[str], rows: list[list[str]], fps: float | None) -> tuple[Tensor, Tensor]:
    """Seconds ``(T,)`` and which rows to keep ``(n,)``: of rows with one timecode the last."""
    seconds = next((folded.index(name) for name in _SECONDS if name in folded), None)
    if seconds is not None:
        return _numbers(header, rows, [seconds])[:, 0], torch.arange(len(rows))
    if "timecode" in folded:
        times = _timecodes([row[folded.index("timecode")] for row in rows], fps)
        last = torch.ones(len(times), dtype=torch.bool)
        last[:-1] = times.diff() != 0
        return times, last.nonzero()[:, 0]
    rate = checked_fps(25.0 if fps is None else fps)
    frame = next((folded.index(name) for name in _FRAME if name in folded), None)
    if frame is not None:
        return _numbers(header, rows, [frame])[:, 0] / rate, torch.arange(len(rows))
    return torch.arange(len(rows), dtype=torch.float64) / rate, torch.arange(len(rows))


def _timecodes(texts: list[str], fps: float | None) -> Tensor:
    """``HH:MM:SS:FF`` or ``HH:MM:SS:FF.sub`` → seconds ``(T,)`` float64; midnight is passed at most once."""
    parts = []
    for number, text in enumerate(texts, 2):
        match = _TIMECODE.fullmatch(text)
        if match is None:
            raise InputError(f"row {number}: the timecode must read HH:MM:SS:FF or HH:MM:SS:FF.sub, got {shown(text)}")
        parts.append([float(part) for part in match.groups()])
    table = torch.tensor(parts, dtype=torch.float64)
    highest = int(table[:, 3].max()) + 1
    rate = next((rate for rate in _RATES if rate >= highest), None) if fps is None else checked_fps(fps)
    if rate is None:
        raise InputError(f"the timecode counts {highest} frames in a second; say the rate: fps=…")
    if highest > rate + 1:
        raise InputError(f"the timecode counts {highest} frames in a second, which fps={rate:g} does not have")
    times = table @ torch.tensor([3600.0, 60.0, 1.0, 1.0 / rate], dtype=torch.float64)
    if len(times) > 1:
        back = (times.diff() < -_DAY / 2).nonzero()[:, 0]
        if len(back) == 1:  # midnight
            times[int(back[0]) + 1 :] += _DAY
        wrong = (times.diff() < 0).nonzero()[:, 0]
        if len(wrong):
            raise InputError(f"row {int(wrong[0]) + 3}: its timecode is earlier than that of the row before")
    return times
