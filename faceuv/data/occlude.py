"""Faces that are hard to read: with a cap, a hand or a microphone before them, blurred, dark, cut by the frame.

Unlike :mod:`~faceuv.data.perturb`, which networks learn to bear, these are meant to spoil a face.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from faceuv.checks import check_shape
from faceuv.data.cutouts import cut, points_in, similar_frames
from faceuv.errors import InputError

KINDS = ("cap", "hand", "bar", "both", "blur", "dark", "cut", "small", "turned")
_SOFT = 1.0  # pixels over which the edge of a thing fades


@torch.no_grad()
def occlude(image: Tensor, points: Tensor, kind: str, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """``image (3, H, W)`` in [0, 1] with something wrong about the face at ``points (68, 2)`` pixels → the picture,
    and the points in it (``cut``, ``small`` and ``turned`` move them, the others do not).

    ``cap``: a dark cap whose brim reaches down to the brows, the eyes or the nose; ``hand``: a palm and four fingers in
    the face's own colour; ``bar``: a thick bar over the mouth; ``both``: a cap and a hand; ``blur``; ``dark``: hardly
    any light, and noise; ``cut``: moved, so that a part of the face leaves the frame; ``small``: in a frame up to 2.6
    times as wide; ``turned``: rolled by 35° … 90°.
    """
    check_shape("image", image, (3, "H", "W"))
    check_shape("points", points, (68, 2))
    makers = {"cap": _cap, "hand": _hand, "bar": _bar, "both": _both, "blur": _blur}
    if kind not in KINDS:
        raise InputError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    face = _Face(image, points, torch.rand(12, generator=generator).tolist())
    if kind == "cut":
        return _cut(face)
    if kind == "small":
        return _reframed(face, face.between(0, 1.4, 2.6), 0.0)
    if kind == "turned":
        return _reframed(face, 1.0, face.between(0, 0.6, math.pi / 2) * (1 if face.numbers[1] < 0.5 else -1))
    if kind == "dark":
        noise = torch.randn(image.shape, generator=generator).to(image)
        return _dark(face, noise), points
    return makers[kind](face).clamp(0, 1), points


class _Face:
    """A picture in the axes of its face: x to the right and y down along the face, in eye distances from the middle
    between the eyes; and random numbers in [0, 1]."""

    def __init__(self, image: Tensor, points: Tensor, numbers: list[float]) -> None:
        self.image, self.points, self.numbers = image, points, numbers
        middle, chin = points[36:48].mean(0), points[8]
        self.unit = 0.6 * float(torch.linalg.vector_norm(chin - middle))  # about the eye distance, turned or not
        down = (chin - middle) / torch.linalg.vector_norm(chin - middle)
        height, width = image.shape[1:]
        y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
        away = torch.stack([x, y], 2).to(image) - middle
        self.x = (away[..., 0] * down[1] - away[..., 1] * down[0]) / self.unit
        self.y = (away @ down) / self.unit

    def paint(self, distance: Tensor, colour: Tensor) -> None:
        """Lay a colour where ``distance``, in eye distances, is negative, shaded towards its edge."""
        cover = (0.5 - distance * self.unit / _SOFT).clamp(0, 1)
        shade = 1 - 0.3 * (1 + distance * 3).clamp(0, 1)
        self.image = torch.lerp(self.image, colour[:, None, None] * shade, cover)

    def between(self, number: int, low: float, high: float) -> float:
        return low + (high - low) * self.numbers[number]

    def skin(self) -> Tensor:
        """The colour about the nose."""
        x, y = self.points[27:31].mean(0).long().tolist()
        height, width = self.image.shape[1:]
        return self.image[:, min(max(y, 0), height - 1), min(max(x, 0), width - 1)]


def _capsule(face: _Face, start: tuple[float, float], end: tuple[float, float], radius: float) -> Tensor:
    """Distance from a thick line."""
    (ax, ay), (bx, by) = start, end
    length = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-9)
    along = (((face.x - ax) * (bx - ax) + (face.y - ay) * (by - ay)) / length).clamp(0, 1)
    return torch.hypot(face.x - ax - along * (bx - ax), face.y - ay - along * (by - ay)) - radius


def _cap(face: _Face) -> Tensor:
    edge = face.between(0, -0.25, 0.55)
    tilt, bow = face.between(1, -0.2, 0.2), face.between(2, 0.0, 0.25)
    colour = face.image.new_tensor([face.between(k, 0.02, 0.5) for k in (3, 4, 5)])
    brim = face.y - edge - tilt * face.x + bow * face.x.square()
    face.paint(torch.maximum(brim, face.x.abs() - 1.3), colour)
    return face.image


def _hand(face: _Face) -> Tensor:
    angle, reach = face.between(0, 0, 2 * math.pi), face.between(1, 0.0, 0.5)
    centre = (reach * math.cos(angle), 0.4 + reach * math.sin(angle))
    size, turn = face.between(2, 0.35, 0.75), face.between(3, -math.pi, 0.0)
    colour = face.skin() * face.between(4, 0.8, 1.1)
    face.paint(_capsule(face, centre, centre, size), colour)
    for finger in range(4):
        spread = turn + 0.35 * (finger - 1.5)
        begin = (centre[0] + 0.6 * size * math.cos(spread), centre[1] + 0.6 * size * math.sin(spread))
        end = (centre[0] + 2.4 * size * math.cos(spread), centre[1] + 2.4 * size * math.sin(spread))
        face.paint(_capsule(face, begin, end, 0.2 * size), colour)
    return face.image


def _both(face: _Face) -> Tensor:
    face.image = _cap(face)
    face.numbers = face.numbers[6:] + face.numbers[:6]
    return _hand(face)


def _bar(face: _Face) -> Tensor:
    angle, radius = face.between(0, -0.6, 0.6), face.between(1, 0.12, 0.4)
    low = face.between(2, 0.6, 1.1)
    colour = face.image.new_tensor([face.between(3, 0.02, 0.9)] * 3)
    across = (math.cos(angle), math.sin(angle))
    face.paint(
        _capsule(face, (-0.3 * across[0], low - 0.3 * across[1]), (3 * across[0], low + 3 * across[1]), radius), colour
    )
    return face.image


def _blur(face: _Face) -> Tensor:
    sigma = face.between(0, 0.08, 0.35) * face.unit
    radius = max(1, min(math.ceil(2.5 * sigma), min(face.image.shape[1:]) - 1))
    taps = torch.arange(-radius, radius + 1).to(face.image)
    kernel = torch.exp(-taps.square() / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(3, 1, -1)
    padded = F.pad(face.image[None], (radius,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel[..., None, :], groups=3), kernel[..., None], groups=3)[0]


def _dark(face: _Face, noise: Tensor) -> Tensor:
    return (face.image * face.between(0, 0.03, 0.25) + face.between(1, 0.005, 0.03) * noise).clamp(0, 1)


def _cut(face: _Face) -> tuple[Tensor, Tensor]:
    height, width = face.image.shape[1:]
    angle, away = face.between(0, 0, 2 * math.pi), face.between(1, 0.15, 0.45)
    right, down = round(away * width * math.cos(angle)), round(away * height * math.sin(angle))
    rows = (torch.arange(height) - down).clamp(0, height - 1)
    columns = (torch.arange(width) - right).clamp(0, width - 1)
    return face.image[:, rows][:, :, columns], face.points + face.points.new_tensor([float(right), float(down)])


def _reframed(face: _Face, side: float, angle: float) -> tuple[Tensor, Tensor]:
    """In a square ``side`` times as large, turned by ``angle``; the picture must be square."""
    size = face.image.shape[2]
    if face.image.shape[1] != size:
        raise InputError(f"'small' and 'turned' take square pictures, got {tuple(face.image.shape)}")
    centre = face.points.new_full((1, 2), size / 2)
    frames = similar_frames(centre, centre[:, 0] * side, face.points.new_full((1,), angle))
    moved = (points_in(frames, face.points[None])[0] + 1) * size / 2
    return cut(face.image[None], frames.to(face.image), size)[0], moved
