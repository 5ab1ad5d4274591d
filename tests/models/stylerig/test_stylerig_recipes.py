"""The recipes of StyleRig: what that of whole heads takes from another teacher."""

from __future__ import annotations

import pytest

from faceuv.engine import load_config
from faceuv.models.stylerig import StyleRig


@pytest.mark.parametrize("name", ["stylerig_64", "stylerig_heads_64", "stylerig_ffhq"])
def test_the_model_of_a_recipe_is_checked(name: str) -> None:
    StyleRig.check_config(load_config(name).rig.model)


@pytest.mark.parametrize("name", ["stylerig_heads_64", "compare_heads_64"])
def test_nothing_is_left_of_the_other_teacher(name: str) -> None:
    text = load_config(name).pretty_text
    for word in ("zoo:teacher_64/", "'teacher_64'", "zoo:regressor/", "quickstart", "mapper_64", "'inversion_64'"):
        assert word not in text, word
    if name == "stylerig_heads_64":
        assert "ProceduralFace" not in text and "zoo:teacher_heads_64/" in text


def test_mapper_and_rig_read_the_same_kind_of_codes() -> None:
    """Codes that mix samples: a mapper of unmixed ones is a function of their mean row."""
    config = load_config("stylerig_heads_64")
    assert config.fits.most == 5 and config.fits.generator == config.pictures.generator
    assert config.rig.model.mapper == "{mapper}/mapper.safetensors"
    assert config.mapper.model.face_model.type == config.rig.model.face_model.type == "MakeHuman"
    for stage, optimiser in (("mapper", "mapper"), ("rig", "rig")):
        schedule = config[stage].param_scheduler[optimiser]
        assert schedule[0].T_max == config[stage].train_cfg.max_iters
