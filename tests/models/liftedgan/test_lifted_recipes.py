"""The recipes: their terms and weights, and what is checked of them before anything is loaded."""

import pytest
import torch
from installed import needs_heads

from faceuv.engine import load_config
from faceuv.errors import InputError
from faceuv.models.liftedgan import LiftedGAN
from faceuv.models.liftedgan.objective import TERMS
from faceuv.registry import LOSSES
from faceuv.synthetic.scene import Scene
from faceuv.synthetic.seeds import SceneSeeds
from faceuv.synthetic.studio import Studio

RECIPES = (
    "liftedgan_64", "liftedgan_ffhq", "liftedgan_ffhq_release", "liftedgan_cats", "liftedgan_cats_32",
    "liftedgan_heads_64",
)  # fmt: skip

HEADS = dict(face_model=dict(type="MakeHuman", verbose=False), world="calm")  # what the teacher of heads has seen


def weights(name, options=None):
    losses = load_config(name, options or {}).lift.model.losses
    return {term: config["weight"] for term, config in losses.items() if config is not None}


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_has_terms_that_exist(name):
    model = load_config(name).lift.model
    LiftedGAN.check_config(model)
    losses = {term: config for term, config in model["losses"].items() if config is not None}
    assert set(losses) == set(TERMS) - ({"identity"} if "cats" in name else set())
    for term, config in losses.items():
        assert config["type"] in LOSSES.names()
        if config["type"] == "LiftedImages":
            assert config["pair"] == term


def test_the_weights_of_paper_and_release():
    paper, release, cats = (weights(name) for name in RECIPES[1:4])
    assert paper == dict(
        rec=5.0, flip=0.8, perturb_shape=2.0, perturb_code=2.0, cycle_light=4.0, cycle_view=4.0, identity=1.0,
        prior=1.0, albedo=0.01,
    )  # fmt: skip
    assert release == {**paper, "flip": 4.0, "prior": 0.5}
    assert cats == {**{k: v for k, v in release.items() if k != "identity"}, "prior": 0.1, "albedo": 0.005}


def test_an_ablation_is_one_option():
    assert "flip" not in weights("liftedgan_64", {"lift.model.losses.flip": None})
    model = load_config("liftedgan_64", {"lift.model.losses.rec": None}).lift.model
    with pytest.raises(InputError, match="'rec'"):
        LiftedGAN.check_config(model)


@pytest.mark.parametrize("name", ["liftedgan_ablations_64", "liftedgan_ablations_cats_32"])
def test_table_2_leaves_out_one_term_at_a_time(name):
    config = load_config(name)
    kept = {stage: {t for t, c in config[stage].model.losses.items() if c is not None} for stage in config.stages
            if stage.startswith("lift")}  # fmt: skip
    whole = kept.pop("lift")
    assert set(kept) == {
        f"lift_no_{term}"
        for term in ("flip", "perturb", "albedo", "identity")
        if term != "identity" or "identity" in whole
    }
    for stage, terms in kept.items():
        gone = whole - terms
        assert gone == (
            {stage.removeprefix("lift_no_")} if stage != "lift_no_perturb" else whole - {"rec", "flip", "albedo"}
        )
    if "report" in config.stages:
        paths = [subject["path"] for subject in config.report.subjects.values() if subject["type"] == "lifted"]
        assert len(paths) == 5 and len(set(paths)) == 5


@pytest.mark.parametrize(
    ("name", "studio"), [("liftedgan_64", {}), pytest.param("liftedgan_heads_64", HEADS, marks=needs_heads)]
)
def test_turned_views_are_framed_as_the_drawn_faces_are(name, studio):
    """The zoom and the sign of the shift in the zoo's recipes are those of their teachers' pictures."""
    config = load_config(name).lift.model
    scene = Scene.from_seeds(SceneSeeds.of(range(400)))
    known = Studio(size=32, **studio).coefficients(scene)
    yaw = known.rotation[:, 1]

    def slope(column, of_yaw):
        both = torch.stack([of_yaw, torch.ones_like(yaw)], 1)
        return float(torch.linalg.lstsq(both, known.translation[:, column : column + 1]).solution[0])

    shift, zoom = (
        config.perturbation[name] * config.views["translation"][k] for k, name in ((0, "shift"), (2, "zoom"))
    )
    assert slope(2, 1 - yaw.cos()) == pytest.approx(zoom, rel=0.3)
    # a drawn head turns about its own centre; a lifted face lies before the centre of rotation, which adds to the shift
    assert 0.2 < slope(0, yaw.sin()) + shift < 0.6


def test_heads_are_lifted_from_the_teacher_of_heads_alone():
    """Nothing of the face of ``teacher_64`` is left: it would fit in shape, and be of another world."""
    config = load_config("liftedgan_heads_64")
    text = config.pretty_text
    assert "teacher_64/" not in text.replace("teacher_heads_64/", "") and "'teacher_64'" not in text
    assert "zoo:regressor/" not in text and "ProceduralFace" not in text and "quickstart" not in text
    schedule, warmup = config.lift.param_scheduler["lifting"][0], config.lift.model.warmup
    assert schedule["begin"] == warmup["shape"] + warmup["turning"]
    assert schedule["begin"] + schedule["T_max"] == config.lift.train_cfg.max_iters
