"""The running average: how fast it forgets, in images of all ranks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from torch import nn

from faceuv.engine.ema import GeneratorEMA


def run(hook, *, batch, ranks, iterations, first=0):
    """The average of a weight that is 0 before and 1 from the first iteration on."""
    model = nn.Module()
    model.generator = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.generator.weight)
    runner = SimpleNamespace(
        model=model, world_size=ranks, train_dataloader=SimpleNamespace(batch_size=batch), iter=first, _has_loaded=False
    )
    hook.before_run(runner)
    hook.before_train(runner)
    nn.init.ones_(model.generator.weight)
    for _ in range(iterations):
        hook.after_train_iter(runner, 0)
        runner.iter += 1
    return float(model.ema["generator"].weight)


@pytest.mark.parametrize(("batch", "ranks"), [(8, 1), (8, 4), (2, 2)])
def test_after_the_half_life_an_old_weight_counts_half(batch, ranks):
    hook = GeneratorEMA(half_life=320, ramp_up=None)
    assert run(hook, batch=batch, ranks=ranks, iterations=320 // (batch * ranks)) == pytest.approx(0.5, abs=1e-5)
    again = GeneratorEMA(half_life=320, ramp_up=None)
    assert run(again, batch=batch, ranks=ranks, iterations=640 // (batch * ranks)) == pytest.approx(0.75, abs=1e-5)


def test_the_default_is_ten_thousand_images():
    assert run(GeneratorEMA(ramp_up=None), batch=100, ranks=1, iterations=100) == pytest.approx(0.5, abs=1e-5)
    assert GeneratorEMA().ramp_up == 0.05


def test_at_the_start_it_follows_within_a_share_of_the_images_seen():
    """After 1000 images the half-life is 5 % of them, 50 images, so that a step of 10 images moves by 1 − 2^(−1/5)."""
    hook = GeneratorEMA(half_life=10_000, ramp_up=0.05)
    assert run(hook, batch=10, ranks=1, iterations=1, first=99) == pytest.approx(1 - 0.5 ** (10 / 50), abs=1e-6)
    late = GeneratorEMA(half_life=10_000, ramp_up=0.05)
    moved = run(late, batch=10, ranks=1, iterations=1, first=99_999)
    assert moved == pytest.approx(1 - 0.5 ** (10 / 10_000), abs=1e-6)
