"""What lies behind a render: no second face, and the rest of the picture as it was."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from faceuv.models.stylefaceuv.behind import LAG_DEG, MARGIN, without_face

S = 64
FAR = float(LAG_DEG[1])


def disc(x: float, radius: float = 14) -> Tensor:
    line = torch.arange(S) + 0.5
    return (((line[:, None] - 32) ** 2 + (line - x) ** 2) < radius**2).float()[None, None]


def scene(x: float) -> tuple[Tensor, Tensor]:
    """A red head at column ``x`` before a wall that gets lighter downwards: the wall, and the picture."""
    wall = (0.2 + 0.5 * torch.arange(float(S))[:, None].expand(S, S) / S).expand(1, 3, -1, -1)
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    return wall, torch.lerp(wall, red.expand_as(wall), disc(x))


def cleared(picture: Tensor, head: Tensor, drawn: Tensor, yaw: float, lag: float) -> Tensor:
    return without_face(picture, head, drawn, torch.tensor([yaw]), torch.tensor([lag]))


@pytest.mark.parametrize("lag", [FAR, 0.0])
@pytest.mark.parametrize(("yaw", "render"), [(-60.0, 39.0), (60.0, 25.0)])
def test_a_head_that_looks_out_is_gone(yaw: float, render: float, lag: float) -> None:
    """The render lies 7 columns beside the teacher's head, which stands out on the side that the face looks to."""
    wall, picture = scene(32)
    head, drawn = disc(32), disc(render)
    after = cleared(picture, head, drawn, yaw, lag)
    seen = (1 - drawn).expand_as(picture) > 0  # the rest lies under the render
    assert float((picture - wall).abs()[seen].max()) > 0.5
    assert float((after - wall).abs()[seen].max()) < 0.08
    # the other side, and what is farther away than the margin, are as they were
    before_the_face = (32 - (torch.arange(S) + 0.5)) * (1 if yaw < 0 else -1)
    for columns in (before_the_face < -10, before_the_face > 14 + MARGIN * S + 3):
        assert columns.any()
        assert torch.equal(after[..., columns], picture[..., columns])


@pytest.mark.parametrize("yaw", [-30.0, 30.0])
def test_what_stands_off_the_head_goes_in_front_of_the_face_alone(yaw: float) -> None:
    """Glasses before the face and hair behind it, beside a head that the render covers."""
    wall, picture = scene(32)
    picture = picture.clone()
    left, right = slice(13, 17), slice(47, 51)
    picture[:, :, 28:36, left], picture[:, :, 28:36, right] = 0.0, 0.0
    front, back = (left, right) if yaw < 0 else (right, left)
    after = cleared(picture, disc(32), disc(32), yaw, FAR)
    assert float((after - wall)[:, :, 28:36, front].abs().max()) < 0.1
    assert torch.equal(after[:, :, 28:36, back], picture[:, :, 28:36, back])
    half = cleared(picture, disc(32), disc(32), yaw, sum(LAG_DEG) / 2)
    assert torch.allclose(half, (after + picture) / 2, atol=1e-5)


def test_a_neck_below_a_raised_head_stays() -> None:
    """What stands out below the render is no face."""
    _, picture = scene(32)
    raised = disc(32).roll(-10, 2)
    after = cleared(picture, disc(32), raised, 30.0, FAR)
    below = slice(32 - 10 + 14 + 6, S)
    assert float((disc(32)[:, :, below]).sum()) > 20
    assert torch.equal(after[:, :, below], picture[:, :, below])


@pytest.mark.parametrize("lag", [0.0, -20.0, LAG_DEG[0]])
def test_a_head_that_follows_leaves_the_picture_alone(lag: float) -> None:
    _, picture = scene(32)
    assert torch.equal(cleared(picture, disc(32), disc(32), 30.0, lag), picture)


def test_a_head_that_fills_the_picture_leaves_nothing_to_fill_from() -> None:
    _, picture = scene(32)
    assert torch.equal(cleared(picture, torch.ones(1, 1, S, S), disc(32), 60.0, FAR), picture)


def test_rows_of_a_batch_are_independent() -> None:
    _, picture = scene(32)
    both = without_face(
        picture.repeat(2, 1, 1, 1),
        disc(32).repeat(2, 1, 1, 1),
        torch.cat([disc(39), disc(25)]),
        torch.tensor([-60.0, 60.0]),
        torch.tensor([FAR, FAR]),
    )
    assert torch.allclose(both[1:], cleared(picture, disc(32), disc(25), 60.0, FAR), atol=1e-6)
