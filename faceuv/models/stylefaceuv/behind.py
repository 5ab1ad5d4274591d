"""The background of a turned render: the teacher's image, without the part of its face that would stay visible.

The teacher turns less far than a yaw that is asked of it (at 60°, the zoo's teacher turns about 40°). The far side of
its face, with an eye, then shows beside the render. That part is filled from the background around the head.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.renderers.pasting import fill

Behind = Literal["filled", "picture"]

MARGIN = 3 / 16  # of the picture's side: how far hair and glasses stand off the silhouette of a bare head
SLACK = 1 / 64  # of the picture's side: a head that stands out by less is covered well enough
LAG_DEG = (1.0, 4.0)  # from a lag of 1° on, what is in front of the face fades; at 4° it is gone


def without_face(picture: Tensor, head: Tensor, drawn: Tensor, yaw_deg: Tensor, lag_deg: Tensor) -> Tensor:
    """The image ``(B, 3, S, S)`` behind a render, without what would look out of the teacher's face.

    What lies in front of the rendered face is filled, on the side that it looks to: all of it up to a margin around the
    teacher's head if the teacher turns less far than the render, and in any case what is near to where the teacher's
    head stands out beyond the render. The hair at the back stays, and so does what is above and below.

    Args:
        head: coverage ``(B, 1, S, S)`` of the head in the image, as the mapper reads it.
        drawn: coverage ``(B, 1, S, S)`` of the render.
        yaw_deg: ``(B,)`` of the render; > 0 looks to the right of the image.
        lag_deg: ``(B,)`` how much less far the image's head is turned.
    """
    side = min(picture.shape[2:])
    margin, slack = max(1, round(MARGIN * side)), max(1, round(SLACK * side))
    head, drawn = (head > 0).to(picture), (drawn > 0).to(picture)
    around = _grown(head, margin)
    standing_out = _grown(head * (1 - _grown(drawn, slack)), slack + margin // 2)
    low, high = LAG_DEG
    strength = ((lag_deg - low) / (high - low)).clamp(0, 1).to(picture)[:, None, None, None]
    soft = max(1, margin // 6)
    gone = torch.maximum(standing_out, strength * around) * _in_front(drawn, yaw_deg, soft)
    known = 1 - around
    known_at_all = known.amax((1, 2, 3), keepdim=True)  # a head that fills the picture leaves nothing to fill from
    return torch.lerp(picture, fill(picture, known), _softened(gone, soft) * known_at_all)


def _in_front(drawn: Tensor, yaw_deg: Tensor, under: int) -> Tensor:
    """Of each row that the render covers, the pixels before the first covered one, on the side that it looks to; and
    ``under`` pixels beneath the render and beyond these rows, so that what is softened later is whole at its edge."""

    def before(covered: Tensor) -> Tensor:
        count = covered.cumsum(3)
        return (count == 0) | ((count <= under) & (covered > 0))

    side = torch.where((yaw_deg > 0)[:, None, None, None], before(drawn.flip(3)).flip(3), before(drawn))
    rows = (side & (drawn.amax(3, keepdim=True) > 0)).to(drawn)
    return F.max_pool2d(rows, (2 * under + 1, 1), 1, (under, 0))


def _grown(mask: Tensor, radius: int) -> Tensor:
    """A mask and all within ``radius`` pixels of it, along rows and columns."""
    rows = F.max_pool2d(mask, (1, 2 * radius + 1), 1, (0, radius))
    return F.max_pool2d(rows, (2 * radius + 1, 1), 1, (radius, 0))


def _softened(mask: Tensor, radius: int) -> Tensor:
    """Means over squares; beyond its border a mask goes on as it ends."""
    padded = F.pad(mask, (radius,) * 4, mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(padded, (1, 2 * radius + 1), 1), (2 * radius + 1, 1), 1)
