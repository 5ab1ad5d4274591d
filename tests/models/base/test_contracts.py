"""Editors and inverters: what keeps the contract, and what does not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from faceuv.models.base.contracts import CodeEditor, Inversion, Inverter
from faceuv.models.directions import Direction
from faceuv.models.stylefaceuv import YawStepper

L, D = 6, 8


def direction():
    vector = torch.randn(L, D, generator=torch.Generator().manual_seed(0))
    return Direction(vector / vector.norm(), "yaw", "more yaw", "by hand", 0.5)


@pytest.mark.parametrize(
    "editor", [direction(), YawStepper(L, D, direction(), widths=(4,))], ids=["direction", "stepper"]
)
def test_editors_move_codes_and_leave_them_as_they_are(editor):
    assert isinstance(editor, CodeEditor)
    assert (editor.num_layers, editor.code_dim) == (L, D)
    codes = torch.randn(3, L, D, generator=torch.Generator().manual_seed(1), requires_grad=True)
    before = codes.detach().clone()
    targets = torch.tensor([0.1, 0.4, -0.3])
    moved = editor.move(codes, targets)
    assert moved.shape == (3, L, D)
    assert torch.equal(codes, before) and not torch.equal(moved, codes)
    torch.testing.assert_close(moved[1:2], editor.move(codes[1:2], targets[1:2]))  # each code for itself
    torch.testing.assert_close(editor.move(codes, 0.4)[1], moved[1])  # one target for all
    (gradient,) = torch.autograd.grad(moved.square().sum(), codes)
    assert gradient.abs().amin((1, 2)).max() > 0


def test_what_cannot_move_is_no_editor():
    assert not isinstance(nn.Linear(2, 2), CodeEditor)


class MeanColour(Inverter):
    """The code is the mean colour."""

    def invert(self, images):
        codes = images.mean((2, 3))[:, None]
        return Inversion(codes, errors={"l1": (images - codes[:, 0, :, None, None]).abs().mean((1, 2, 3))})


def test_an_inverter_finds_codes_and_says_how_far_off_they_are():
    images = torch.stack([torch.full((3, 4, 4), 0.25), torch.rand(3, 4, 4)])
    found = MeanColour().invert(images)
    assert found.codes.shape == (2, 1, 3)
    assert found.coefficients is None and found.residual is None
    assert found.errors["l1"][0] < 1e-6 < found.errors["l1"][1]
    assert Inversion(found.codes).errors == {}


def test_an_inverter_without_invert_cannot_be_made():
    with pytest.raises(TypeError, match="invert"):
        type("Nothing", (Inverter,), {})()
