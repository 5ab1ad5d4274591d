"""Pictures of users: found in folders, globs and videos, read in any common format, cut to the square of a fit.

Pictures become tensors ``(3, H, W)`` RGB in [0, 1], row 0 on top. A file that cannot be used is an error with the
reason, which callers report before they continue with the next file.
"""

from __future__ import annotations

import glob
import itertools
import math
import re
import struct
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from faceuv.checks import one_line
from faceuv.errors import AssetError, FaceUVError, InputError, MissingDependency
from faceuv.files.names import file_names, printable
from faceuv.files.paths import user_path

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".gif")
VIDEOS = (".mp4", ".mov", ".m4v", ".avi", ".mkv", ".webm")
MOST_PIXELS = 150_000_000  # of one picture: 1.8 GB as numbers
LEAST_SIDE = 32  # pixels: a face in fewer has nothing to fit


@dataclass(frozen=True)
class PictureFile:
    """A picture that is to be read: ``name`` is unique among those found, ``frame`` counts from 0 in a video."""

    name: str
    path: Path
    frame: int | None = None

    def __str__(self) -> str:
        path = printable(self.path)
        return path if self.frame is None else f"{path} (frame {self.frame})"


def find_pictures(sources: Iterable[str | Path], *, every: int = 1) -> list[PictureFile]:
    """The pictures behind files, folders (without their sub-folders), globs and videos, in natural order.

    Args:
        every: n: use every n-th frame of a video.
    """
    if every < 1:
        raise InputError(f"every must be at least 1, got {every}")
    found: list[tuple[Path, int | None]] = []
    for source in sources:
        for path in _paths(source):
            if path.suffix.lower() in VIDEOS:
                found += [(path, frame) for frame in _frame_numbers(path, every)]
            else:
                found.append((path, None))
    found = list(dict.fromkeys(found))
    return [PictureFile(name, *file) for name, file in zip(_names(found), found)]


def _paths(source: str | Path) -> list[Path]:
    path = user_path(source)
    if path.is_dir():
        paths = sorted((p for p in path.iterdir() if _is_picture(p)), key=_natural)
        if not paths:
            raise InputError(f"{path} holds no pictures or videos ({', '.join(PICTURES + VIDEOS)})")
        return paths
    if path.is_file():
        return [path]
    if glob.has_magic(str(source)):
        paths = sorted((p for p in map(Path, glob.glob(str(path), recursive=True)) if _is_picture(p)), key=_natural)
        if not paths:
            raise InputError(f"nothing matches {source!s}: no picture or video ({', '.join(PICTURES + VIDEOS)})")
        return paths
    raise AssetError(f"{path} does not exist; expected a picture, a folder of pictures, a glob or a video")


def _is_picture(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".") and path.suffix.lower() in PICTURES + VIDEOS


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """face_2 before face_10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", str(path).lower())]


def _names(files: Sequence[tuple[Path, int | None]]) -> list[str]:
    """Stems, with frame numbers; where two are the same, with their folders or suffixes."""
    frames = ["" if frame is None else f"_f{frame:06d}" for _, frame in files]
    plain = [path.stem + frame for (path, _), frame in zip(files, frames)]
    shared = Counter(name.lower() for name in plain)  # some file systems do not tell case apart
    longer = [
        f"{path.resolve().parent.name}_{path.stem}_{path.suffix[1:]}{frame}" if shared[name.lower()] > 1 else name
        for (path, _), frame, name in zip(files, frames, plain)
    ]
    return file_names(longer)


class PictureReader:
    """Reads picture files; a video is decoded once, in order, when its frames are asked for in order.

    Args:
        enough: pixels; see :func:`read_picture`. Frames of videos keep their size.
    """

    def __init__(self, *, enough: int = MOST_PIXELS) -> None:
        self.enough = enough
        self._video: tuple[Path, Iterator[np.ndarray], int] | None = None

    def read(self, file: PictureFile) -> Tensor:
        """``(3, H, W)`` RGB in [0, 1]; an error of :mod:`faceuv.errors` if it cannot be used."""
        if file.frame is None:
            return read_picture(file.path, enough=self.enough)
        if self._video is None or self._video[0] != file.path or self._video[2] > file.frame:
            self._video = (file.path, _frames(file.path), 0)
        path, frames, position = self._video
        self._video = (path, frames, file.frame + 1)
        frame = next(itertools.islice(frames, file.frame - position, None), None)
        if frame is None:
            self._video = None
            raise AssetError(f"{path} ends before frame {file.frame}; it may be truncated")
        return _checked(torch.from_numpy(frame.copy()).permute(2, 0, 1).float() / 255, str(file))


def read_picture(path: str | Path, *, enough: int = MOST_PIXELS) -> Tensor:
    """A picture file → ``(3, H, W)`` RGB in [0, 1], turned as its EXIF says; grey becomes RGB, 16-bit levels and floats
    in [0, 1] keep their precision, transparent pixels are laid over white.

    Args:
        enough: pixels. A picture of more is averaged to that many before it becomes numbers, which bounds the memory;
            a JPEG is decoded at a smaller size already.
    """
    path = Path(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is said in its place
            with Image.open(path) as file:
                _check_header(file, path)
                file.draft(None, _size(file, enough))  # a JPEG is decoded at a smaller size
                picture: Image.Image = ImageOps.exif_transpose(file)
                picture.load()
        return _checked(_colours(_reduced(picture, enough), path), str(path))
    except FaceUVError:
        raise
    except FileNotFoundError:
        raise AssetError(f"{path} does not exist") from None
    except (MemoryError, RuntimeError) as error:  # torch says so by a RuntimeError
        raise AssetError(f"{path} is too large a picture for the memory that is left ({one_line(error)})") from error
    except (OSError, ValueError, SyntaxError, EOFError, TypeError, struct.error, Image.DecompressionBombError) as error:
        raise AssetError(f"{path} cannot be read as a picture: {one_line(error)}") from error


def _check_header(file: Image.Image, path: Path) -> None:
    width, height = file.size
    if width * height > MOST_PIXELS:
        raise AssetError(
            f"{path} is {width} × {height} pixels; at most {MOST_PIXELS // 10**6} megapixels are read. Make it"
            " smaller: a face of 1,000 pixels is plenty"
        )
    bits = getattr(file, "tag_v2", {}).get(258)  # BitsPerSample of a TIFF
    if file.mode.startswith("I") and bits is not None and max(bits) > 16:
        raise InputError(
            f"{path} holds whole numbers of {max(bits)} bits, whose white is unknown; save it with 16 bits"
        )


def _size(picture: Image.Image, enough: int) -> tuple[int, int]:
    """Width and height with at most ``enough`` pixels."""
    share = min(1.0, math.sqrt(enough / (picture.width * picture.height)))
    return max(1, int(share * picture.width)), max(1, int(share * picture.height))


def _reduced(picture: Image.Image, enough: int) -> Image.Image:
    """``picture`` averaged to at most ``enough`` pixels."""
    size = _size(picture, enough)
    if size == picture.size:
        return picture
    if picture.mode.startswith("I"):  # modes whose levels can be averaged
        picture = picture.convert("I")
    elif "transparency" in picture.info or picture.mode in ("PA", "RGBa", "La"):
        picture = picture.convert("RGBA")
    elif picture.mode in ("1", "P"):
        picture = picture.convert("RGB")
    return picture.resize(size, Image.Resampling.BILINEAR)  # PIL widens the filter where it shrinks


def _colours(picture: Image.Image, path: Path) -> Tensor:
    if picture.mode.startswith(("I", "F")):
        grey = torch.from_numpy(np.array(picture, dtype=np.float32))
        if picture.mode != "F":
            grey = grey / 65535
        elif not bool((torch.isfinite(grey) & (grey >= 0) & (grey <= 1)).all()):
            raise InputError(f"{path}: a picture of floats must hold values in [0, 1]")
        return grey.clamp(0, 1).expand(3, -1, -1).contiguous()
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).float() / 255


def _checked(image: Tensor, name: str) -> Tensor:
    height, width = image.shape[1:]
    if min(height, width) < LEAST_SIDE:
        raise InputError(f"{name} is {width} × {height} pixels; a face needs at least {LEAST_SIDE} on each side")
    return image


def _frame_numbers(path: Path, every: int) -> list[int]:
    """Every so many frames of a video, by decoding it: headers are not always right. Of one that is damaged, or has
    none, the frame that cannot be read is among them, so that reading it is reported."""
    count = 0
    try:
        for _ in _frames(path):
            count += 1
    except AssetError:
        return [*range(0, count, every), count]
    return list(range(0, count, every)) or [0]


def _frames(path: Path) -> Iterator[np.ndarray]:
    """``(H, W, 3)`` uint8, one after the other."""
    try:
        import av
    except ImportError as error:
        raise MissingDependency(
            f'reading {path.name} needs PyAV ({error}): pip install "faceuv[video]", or extract its frames as pictures'
        ) from error
    try:
        # tags are not read; from version 19 on PyAV does not mind those that are no text
        tolerant: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.split(".")[0]) < 19 else {}
        with av.open(str(path), **tolerant) as video:
            frame: Any
            for frame in video.decode(video=0):
                yield frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, IndexError, ValueError, MemoryError) as error:
        raise AssetError(f"{path} cannot be read as a video: {one_line(error) or type(error).__name__}") from error
