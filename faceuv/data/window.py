"""The square of a picture that is fitted, and the maps between it and the picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.synthetic.alignment import crop_of

RULES = ("pad", "crop", "align")


@dataclass(frozen=True)
class Window:
    """A square in a picture, maybe turned, maybe reaching beyond it. Pixels of the picture: x right, y down.

    centre     (x, y)
    half_axis  (x, y) from the centre to the middle of the right side; its length is half the side
    """

    centre: tuple[float, float]
    half_axis: tuple[float, float]

    @classmethod
    def whole(cls, height: int, width: int, rule: str = "pad") -> Window:
        """The smallest square around a picture (``"pad"``) or the largest in its middle (``"crop"``)."""
        if rule not in RULES[:2]:
            raise InputError(f"a whole picture is framed by 'pad' or 'crop', got {rule!r}")
        side = max(height, width) if rule == "pad" else min(height, width)
        return cls((width / 2, height / 2), (side / 2, 0.0))

    @classmethod
    def aligned(cls, landmarks: Tensor) -> Window:
        """FFHQ's square around the face with ``landmarks (68, 2)``: what the synthetic faces and the teachers show."""
        check_shape("landmarks", landmarks, (68, 2))
        centre, half_axis = crop_of(landmarks[None].double())
        (x, y), (u, v) = centre[0].tolist(), half_axis[0].tolist()
        if not all(map(math.isfinite, (x, y, u, v))) or math.hypot(u, v) < 1:
            raise InputError("these landmarks do not span a face: no square can be laid around them")
        return cls((x, y), (u, v))

    @property
    def side(self) -> float:
        """Of the square, in pixels of the picture."""
        return 2 * math.hypot(*self.half_axis)

    def cut(self, picture: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """``picture (3, H, W)`` → the square's content ``(3, size, size)``, averaged where it shrinks, and a mask
        ``(1, size, size)``: 1 inside the picture, 0 where its border was repeated."""
        samples = self._samples(size)
        steps = (torch.arange(samples * size, dtype=torch.float64) + 0.5) * (2 / (samples * size)) - 1
        down, right = torch.meshgrid(steps, steps, indexing="ij")
        found, inside = self._read(picture, right, down, size)
        mask = F.avg_pool2d(inside[None].to(picture), samples)
        return F.avg_pool2d(found, samples).clamp(0, 1), (mask == 1).to(picture)

    def pixels(self, picture: Tensor, rows: Tensor, columns: Tensor, size: int) -> Tensor:
        """Some pixels ``(3, N)`` of what :meth:`cut` gives: those in ``rows (N,)`` and ``columns (N,)``."""
        samples = self._samples(size)
        steps = (torch.arange(samples, dtype=torch.float64) + 0.5) / samples
        places = [
            (place.cpu().double()[:, None, None] + step) * (2 / size) - 1
            for place, step in ((columns, steps), (rows, steps[:, None]))
        ]
        right, down = torch.broadcast_tensors(*places)
        found, _ = self._read(picture, right.flatten(1), down.flatten(1), size)
        return found.mean(2).clamp(0, 1)

    def _samples(self, size: int) -> int:
        """Per pixel of a cut and axis; one keeps a picture of the right size as it is."""
        return 1 if self.side <= size else 2

    def _read(self, picture: Tensor, right: Tensor, down: Tensor, size: int) -> tuple[Tensor, Tensor]:
        """The picture ``(3, …)`` at places ``(A, B)`` of the square, from −1 to 1, averaged as far as a cut of ``size``
        shrinks it, and whether they lie inside the picture."""
        check_shape("the picture", picture, (3, "H", "W"))
        height, width = picture.shape[1:]
        shrink = max(1, int(self.side / size))
        left = top = 0
        if shrink > 1:  # averages first, so that the samples below stand for what they cover
            part, left, top = self._around(picture, shrink)
            padded = F.pad(part[None], (0, -part.shape[2] % shrink, 0, -part.shape[1] % shrink), mode="replicate")
            picture = F.avg_pool2d(padded, shrink)[0]
        (x, y), (u, v) = self.centre, self.half_axis
        across, along = x + u * right - v * down, y + v * right + u * down
        places = ((across - left) / shrink / picture.shape[2], (along - top) / shrink / picture.shape[1])
        grid = torch.stack(places, 2) * 2 - 1
        found = F.grid_sample(
            picture[None], grid[None].to(picture), padding_mode="border", mode="bilinear", align_corners=False
        )[0]
        return found, (across >= 0) & (across <= width) & (along >= 0) & (along <= height)

    def _around(self, picture: Tensor, shrink: int) -> tuple[Tensor, int, int]:
        """The part of the picture that :meth:`cut` reads, from a multiple of ``shrink`` on either axis, and where it
        begins."""
        height, width = picture.shape[1:]
        (x, y), (u, v) = self.centre, self.half_axis
        reach = abs(u) + abs(v) + 2 * shrink

        def along(middle: float, length: int) -> tuple[int, int]:
            last = (length - 1) // shrink * shrink  # a square beyond the picture shows its border
            first = min(max(0, int((middle - reach) // shrink) * shrink), last)
            return first, min(length, max(first + shrink, math.ceil((middle + reach) / shrink) * shrink))

        (left, right), (top, bottom) = along(x, width), along(y, height)
        return picture[:, top:bottom, left:right], left, top

    def to_window(self, points: Tensor, size: int) -> Tensor:
        """``points (..., 2)`` in pixels of the picture → pixels of the cut of ``size``."""
        (x, y), (u, v) = self.centre, self.half_axis
        moved = points - points.new_tensor([x, y])
        turn = points.new_tensor([[u, v], [-v, u]]) / (u * u + v * v)
        return (moved @ turn.T + 1) * (size / 2)

    def to_picture(self, points: Tensor, size: int) -> Tensor:
        """The way back."""
        (x, y), (u, v) = self.centre, self.half_axis
        moved = points * (2 / size) - 1
        return moved @ points.new_tensor([[u, v], [-v, u]]) + points.new_tensor([x, y])
