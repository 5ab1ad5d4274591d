"""What lies behind a render: the teacher's picture, without the parts of its head that would look out.

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

MARGIN = 1 / 8  # of the picture's side: how far hair and glasses stand off the silhouette of a bare head
SLACK = 1 / 64  # of the picture's side: a head that stands out by less is covered well enough
LAG_DEG = (1.0, 4.0)  # from a lag of 1° on, what is in front of the face fades; at 4° it is gone


def without_head(picture: Tensor, head: Tensor, drawn: Tensor, yaw_deg: Tensor, lag_deg: Tensor) -> Tensor:
    """The picture ``(B, 3, S, S)`` behind a render, without what would look out of the teacher's head.

    Two regions are filled, both with a margin: where the teacher's head stands out beyond the render, and, if the
    teacher turns less far than the render, what lies in front of the rendered face. The hair at its back stays.

    Args:
        head: coverage ``(B, 1, S, S)`` of the head in the picture, as F3D reads it.
        drawn: coverage ``(B, 1, S, S)`` of the render.
        yaw_deg: ``(B,)`` of the render; > 0 looks to the right of the picture.
        lag_deg: ``(B,)`` how much less far the picture's head is turned.
    """
    side = min(picture.shape[2:])
    margin, slack = max(1, round(MARGIN * side)), max(1, round(SLACK * side))
    head, drawn = (head > 0).to(picture), (drawn > 0).to(picture)
    around = _grown(head, margin)
    standing_out = _grown(head * (1 - _grown(drawn, slack)), slack + margin // 2)
    low, high = LAG_DEG
    strength = ((lag_deg - low) / (high - low)).clamp(0, 1).to(picture)[:, None, None, None]
    gone = torch.maximum(standing_out, strength * _in_front(drawn, yaw_deg) * around)
    known = 1 - around
    known_at_all = known.amax((1, 2, 3), keepdim=True)  # a head that fills the picture leaves nothing to fill from
    gone = _softened(gone, max(1, margin // 4)) * known_at_all
    return torch.lerp(picture, fill(picture, known), gone)


def _in_front(drawn: Tensor, yaw_deg: Tensor) -> Tensor:
    """Of each row that the render covers, the pixels before the first covered one, on the side that it looks to."""
    before = ((drawn.cumsum(3) == 0), (drawn.flip(3).cumsum(3) == 0).flip(3))
    side = torch.where((yaw_deg > 0)[:, None, None, None], before[1], before[0])
    return (side & (drawn.amax(3, keepdim=True) > 0)).to(drawn)


def _grown(mask: Tensor, radius: int) -> Tensor:
    """A mask and all within ``radius`` pixels of it, along rows and columns."""
    rows = F.max_pool2d(mask, (1, 2 * radius + 1), 1, (0, radius))
    return F.max_pool2d(rows, (2 * radius + 1, 1), 1, (radius, 0))


def _softened(mask: Tensor, radius: int) -> Tensor:
    """Means over squares; beyond its border a mask goes on as it ends."""
    padded = F.pad(mask, (radius,) * 4, mode="replicate")
    return F.avg_pool2d(F.avg_pool2d(padded, (1, 2 * radius + 1), 1), (2 * radius + 1, 1), 1)
