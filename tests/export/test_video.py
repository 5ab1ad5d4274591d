"""GIF and MP4 animations."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from faceuv.errors import InputError, MissingDependency
from faceuv.export import save_video


def film(count: int = 8, height: int = 32, width: int = 48) -> Iterator[Tensor]:
    """A smooth grey ramp on the left that stays still, a coloured bar on the right that moves."""
    for k in range(count):
        frame = torch.linspace(0, 1, height).view(1, height, 1).expand(3, height, width).clone()
        frame[:, :, width // 2 :] = 0.2
        frame[0, 4 * k % height : 4 * k % height + 4, width // 2 :] = 0.9
        yield frame


def read_gif(path: Path) -> tuple[np.ndarray, list[int], Image.Image]:
    gif = Image.open(path)
    frames, delays = [], []
    for k in range(gif.n_frames):
        gif.seek(k)
        frames.append(np.asarray(gif.convert("RGB"), dtype=float))
        delays.append(gif.info["duration"])
    return np.stack(frames), delays, gif


def test_gif_shows_the_frames_and_delays(tmp_path: Path) -> None:
    path = save_video(tmp_path / "new" / "turn.gif", film(), fps=20)
    frames, delays, gif = read_gif(path)
    assert frames.shape == (8, 32, 48, 3)
    assert gif.info["loop"] == 0
    assert delays == [50] * 8
    truth = torch.stack([f.permute(1, 2, 0) for f in film()]).numpy() * 255
    assert np.abs(frames - truth).max() < 6


def test_gif_does_not_flicker_when_colours_are_scarce(tmp_path: Path) -> None:
    """What stands still, below and beside what moves, keeps its colour although 256 colours are too few for it."""
    generator = torch.Generator().manual_seed(0)
    still = torch.rand(3, 64, 64, generator=generator)
    films = []
    for _ in range(4):
        frame = still.clone()
        frame[:, :8] = torch.rand(3, 8, 64, generator=generator)
        films.append(frame)
    frames, _, _ = read_gif(save_video(tmp_path / "still.gif", films))
    assert len(np.unique(frames[0].reshape(-1, 3), axis=0)) > 200
    assert (frames[:, 8:] == frames[:1, 8:]).all()


def test_gif_keeps_its_length_at_a_rate_that_hundredths_cannot_say(tmp_path: Path) -> None:
    _, delays, _ = read_gif(save_video(tmp_path / "t.gif", film(30), fps=30))
    assert sum(delays) == 1000
    assert set(delays) == {30, 40}


def test_gif_is_deterministic_and_takes_one_frame(tmp_path: Path) -> None:
    a, b = (save_video(tmp_path / name, film(1)).read_bytes() for name in ("a.gif", "b.gif"))
    assert a == b
    assert len(read_gif(tmp_path / "a.gif")[0]) == 1


def test_mp4_has_the_frames_even_at_odd_sizes(tmp_path: Path) -> None:
    height, width = 33, 47
    imageio = pytest.importorskip("imageio.v3")
    pytest.importorskip("av")
    path = save_video(tmp_path / "turn.mp4", film(6, height, width), fps=24)
    frames = imageio.imread(path, plugin="pyav")
    assert frames.shape == (6, 34, 48, 3)
    truth = torch.stack([f.permute(1, 2, 0) for f in film(6, height, width)]).numpy() * 255
    assert np.abs(frames[:, :height, :width].astype(float) - truth).mean() < 12  # 4:2:0 blurs the small bar's colour
    assert imageio.immeta(path, plugin="pyav")["fps"] == 24


def test_missing_extra_names_the_install_line_and_the_alternative(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependency, match=r'pip install "faceuv\[video\]", or write turn\.gif'):
        save_video(tmp_path / "turn.mp4", film())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "frames", "fps", "message"),
    [
        ("a.avi", film(), 25, r"an animation ends in \.gif or \.mp4"),
        ("a.gif", film(), 0, "fps must be within"),
        ("a.gif", film(), 60, "at most 50 frames per second"),
        ("a.gif", iter([]), 25, "at least one frame"),
        ("a.gif", [torch.zeros(3, 4, 4), torch.zeros(3, 4, 5)], 25, "frame 1 is 4 × 5, frame 0 4 × 4"),
        ("a.gif", [torch.zeros(4, 4, 3)], 25, r"frame 0 must have shape \(3, H, W\)"),
    ],
)
def test_bad_animations_are_refused(tmp_path: Path, name: str, frames, fps: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        save_video(tmp_path / name, frames, fps=fps)
    assert list(tmp_path.iterdir()) == []
