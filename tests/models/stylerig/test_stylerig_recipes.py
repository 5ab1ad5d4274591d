"""The recipes of StyleRig: what that of whole heads takes from another teacher."""

from __future__ import annotations

import pytest

from faceuv.engine import load_config
from faceuv.models.stylerig import StyleRig


@pytest.mark.parametrize("name", ["stylerig_64", "stylerig_heads_64", "stylerig_ffhq"])
def test_the_model_of_a_recipe_is_checked(name: str) -> None:
    StyleRig.check_config(load_config(name).rig.model)


@pytest.mark.parametrize("name", ["stylerig_heads_64", "stylerig_study_heads_64", "compare_heads_64"])
def test_nothing_is_left_of_the_other_teacher(name: str) -> None:
    text = load_config(name).pretty_text
    for word in ("zoo:teacher_64/", "'teacher_64'", "zoo:regressor/", "quickstart", "mapper_64", "'inversion_64'"):
        assert word not in text, word
    if name.startswith("stylerig"):
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


@pytest.mark.parametrize("name", ["stylerig_study_64", "stylerig_study_heads_64"])
def test_an_ablation_leaves_out_what_its_name_says(name: str) -> None:
    config = load_config(name)
    whole = config.rig.to_dict()
    for stage in (stage for stage in config.stages if stage.startswith("rig_") and stage != "rig_paper"):
        changed = config[stage].to_dict()
        term = stage.removeprefix("rig_no_")
        if term != stage:
            assert whole["model"]["losses"][term] is not None and changed["model"]["losses"].pop(term) is None
            expected = {key: value for key, value in whole["model"]["losses"].items() if key != term}
            assert changed["model"]["losses"] == expected, stage
        else:
            assert changed["model"]["rig"].pop("decoder") == stage.removeprefix("rig_")
            expected = {key: value for key, value in whole["model"]["rig"].items() if key != "decoder"}
            assert changed["model"]["rig"] == expected, stage
        kept = ("losses", "rig")
        assert [{k: v for k, v in one["model"].items() if k not in kept} for one in (changed, whole)] == [
            {k: v for k, v in whole["model"].items() if k not in kept}
        ] * 2
    rigs = {editor.path for editor in config.study.editors.values() if editor.type == "rig"}
    assert rigs == {f"{{{stage}}}/rignet.safetensors" for stage in config.stages if stage.startswith("rig")}


def test_the_papers_form_has_no_terms_of_ours() -> None:
    for name in ("stylerig_study_64", "stylerig_study_heads_64"):
        losses = load_config(name).rig_paper.model.losses
        assert {key for key, value in losses.items() if value is not None} == {"reconstruction", "edit", "consistency"}
    assert load_config("stylerig_heads_64").rig.model.losses.expression.weight == 0.15
