"""Turntables and other animations: GIF always, MP4 with the ``video`` extra. Frames are ``(3, H, W)`` RGB in [0, 1]."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from faceuv.checks import finite_number
from faceuv.errors import InputError, MissingDependency
from faceuv.export.images import to_bytes
from faceuv.files.artefacts import atomic_path

_PALETTE_SAMPLE = 250_000  # pixels that choose the palette: more of them chose no better one on turntables
_SLOWEST, _FASTEST = 0.1, 1000.0  # frames per second
_SLOWEST_GIF_DELAY = 2  # hundredths of a second; browsers turn shorter delays into a slow 10
VIDEO_SUFFIXES = (".gif", ".mp4")


def save_video(path: str | Path, frames: Iterable[Tensor], *, fps: float = 25.0) -> Path:
    """Write equally large ``frames`` as an animation, atomically; the suffix, ``.gif`` or ``.mp4``, picks the format.

    A GIF loops for ever and has at most 256 colours. An MP4 is H.264 and needs ``pip install "faceuv[video]"``.
    """
    path = Path(path)
    check_video(path, fps=fps)
    return _save_gif(path, frames, fps) if path.suffix.lower() == ".gif" else _save_mp4(path, frames, fps)


def check_video(path: str | Path, *, fps: float = 25.0) -> None:
    """Raise for what :func:`save_video` could not write: before frames are made, not after."""
    path = Path(path)
    suffix = path.suffix.lower()
    fps = finite_number("fps", fps)
    if not _SLOWEST <= fps <= _FASTEST:
        raise InputError(f"fps must be within {_SLOWEST} … {_FASTEST} frames per second, got {fps}")
    if suffix not in VIDEO_SUFFIXES:
        raise InputError(f"cannot write {path.name}: an animation ends in {' or '.join(VIDEO_SUFFIXES)}")
    if suffix == ".gif" and 100 / fps < _SLOWEST_GIF_DELAY:
        raise InputError(f"a GIF shows at most 50 frames per second, got fps={fps}; lower it or write an .mp4")
    if suffix == ".mp4":
        try:
            import av  # noqa: F401  the encoder that imageio's pyav plug-in drives
            import imageio.v3  # noqa: F401
        except ImportError as error:
            raise MissingDependency(
                f'writing {path.name} needs imageio and PyAV ({error}): pip install "faceuv[video]",'
                f" or write {path.stem}.gif, which needs nothing more"
            ) from error


def _pictures(frames: Iterable[Tensor]) -> Iterator[np.ndarray]:
    """``(H, W, 3)`` uint8, all of one size."""
    shape: tuple[int, ...] | None = None
    for k, frame in enumerate(frames):
        picture = to_bytes(frame, f"frame {k}")
        shape = shape or picture.shape
        if picture.shape != shape:
            raise InputError(f"frame {k} is {picture.shape[0]} × {picture.shape[1]}, frame 0 {shape[0]} × {shape[1]}")
        yield picture
    if shape is None:
        raise InputError("an animation needs at least one frame")


def _save_gif(path: Path, frames: Iterable[Tensor], fps: float) -> Path:
    pictures = list(_pictures(frames))
    palette = _palette(pictures)
    # One palette for the whole film and no error diffusion: a still pixel keeps its colour, so nothing flickers.
    indexed = [Image.fromarray(p).quantize(palette=palette, dither=Image.Dither.NONE) for p in pictures]
    # Delays are whole hundredths: round the time line, not each delay, so that the film keeps its length.
    ticks = np.round(100 / fps * np.arange(len(indexed) + 1)).astype(int)
    delays = [int(10 * d) for d in np.diff(ticks)]
    with atomic_path(path) as temporary:
        indexed[0].save(
            temporary,
            "GIF",
            save_all=True,
            append_images=indexed[1:],
            duration=delays,
            loop=0,
            optimize=False,
            disposal=1,
        )
    return path


def _palette(pictures: list[np.ndarray]) -> Image.Image:
    """256 colours for the whole film, by median cut over a regular sample of its pixels."""
    total = sum(p.shape[0] * p.shape[1] for p in pictures)
    step = max(1, total // _PALETTE_SAMPLE)
    pixels = np.concatenate([p.reshape(-1, 3)[k % step :: step] for k, p in enumerate(pictures)])
    return Image.fromarray(pixels[None]).quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=2)


def _save_mp4(path: Path, frames: Iterable[Tensor], fps: float) -> Path:
    import imageio.v3 as imageio

    with atomic_path(path) as temporary, imageio.imopen(temporary, "w", plugin="pyav") as film:
        film.init_video_stream("libx264", fps=fps, pixel_format="yuv420p")
        for picture in _pictures(frames):
            # 4:2:0 colour wants even sides: repeat the last row and column where they are odd.
            odd = [(0, picture.shape[0] % 2), (0, picture.shape[1] % 2), (0, 0)]
            film.write_frame(np.pad(picture, odd, mode="edge"))
    return path
