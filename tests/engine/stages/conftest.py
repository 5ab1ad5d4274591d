"""The toys of the stages, and configs made of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

TOYS = Path(__file__).parent / "toy"


@pytest.fixture
def toys(monkeypatch):
    """The module of the toys, registered."""
    monkeypatch.syspath_prepend(str(TOYS))
    import stage_toys

    return stage_toys


@pytest.fixture
def recipe(toys, tmp_path):
    """``recipe(first=dict(type=…), …)`` → a completed config of these stages, with its work dir in ``tmp_path``."""

    def make(work_dir="work", seed=0, **stages):
        settings = {"stages": list(stages), **stages, "work_dir": str(tmp_path / work_dir)}
        return Config({**settings, "randomness": {"seed": seed}})

    return make


@pytest.fixture
def tiny(toys, monkeypatch):
    """StyleFaceUV's recipe with networks of a few numbers."""
    monkeypatch.syspath_prepend(str(TOYS))
    # MMEngine formats every config four times, which takes longer than all the rest of these trainings
    monkeypatch.setattr(Config, "pretty_text", property(lambda config: str(config.to_dict())))
    import tiny_recipe

    return tiny_recipe
