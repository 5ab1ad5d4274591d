from __future__ import annotations

import copy

import pytest
import torch

from faceuv.engine import load_config
from faceuv.engine.compat.optim import OptimWrapper
from faceuv.engine.ema import Averages
from faceuv.errors import InputError
from faceuv.models.faces import ProceduralFace
from faceuv.models.readers.regressor import load_regressor
from faceuv.registry import METRICS, MODELS

FACE = {"type": "ProceduralFace", "rows": 61, "columns": 41, "verbose": False}
CONFIG = {
    "type": "CoefficientRegression",
    "regressor": {"type": "CoefficientRegressor", "size": 16, "stem": 4, "channels": (8,), "depths": (1,),
                  "hidden": (4, 32)},
    "face_model": FACE,
    "losses": {
        name: {"type": "MeanDistance", "of": name}
        for name in ("landmarks", "shape", "expression", "angles", "position", "colours", "light", "scores")
    },
}  # fmt: skip


def build(**changes):
    torch.manual_seed(0)
    method = MODELS.build({**copy.deepcopy(CONFIG), **changes})
    return method, OptimWrapper(torch.optim.Adam(method.regressor.parameters(), lr=3e-3))


def batch(count=6, seed=0):
    """Pictures whose brightness says the yaw."""
    generator = torch.Generator().manual_seed(seed)
    coefficients = torch.zeros(count, 257)
    coefficients[:, 225] = torch.rand(count, generator=generator) - 0.5
    image = (coefficients[:, 225] + 0.5)[:, None, None, None].expand(-1, 3, 16, 16) * 255
    return {"image": image.to(torch.uint8), "coefficients": coefficients}


class TestTrainStep:
    def test_every_term_is_logged_and_only_the_network_learns(self):
        method, optimizer = build()
        before = copy.deepcopy(method.regressor.state_dict())
        logs = method.train_step(batch(), optimizer)
        assert set(logs) == set(CONFIG["losses"])
        assert all(bool(torch.isfinite(value)) for value in logs.values())
        assert not torch.equal(before["head.5.weight"], method.regressor.state_dict()["head.5.weight"])
        assert {name.split(".")[0] for name, _ in method.named_parameters()} == {"regressor"}

    def test_learns(self):
        method, optimizer = build(mirror=False, roll_deg=0.0, perturbed=0.0)
        angles = [float(method.train_step(batch(16, seed=k), optimizer)["angles"]) for k in range(80)]
        assert sum(angles[-10:]) < 0.4 * sum(angles[:10])

    def test_the_same_seed_gives_the_same_weights(self):
        results = []
        for _ in range(2):
            method, optimizer = build()
            torch.manual_seed(3)
            for k in range(2):
                method.train_step(batch(seed=k), optimizer)
            results.append(torch.cat([p.detach().flatten() for p in method.parameters()]))
        assert torch.equal(*results)

    def test_the_coefficients_follow_the_picture(self):
        method, _ = build(roll_deg=0.0)
        image, true = method.examples(batch(64))
        image = image * torch.linspace(0.5, 1, 16)  # brighter on the right
        torch.manual_seed(0)
        moved, following = method.moved(image, true)
        flipped = moved[:, 0, 0, 0] > moved[:, 0, 0, -1]
        assert 16 < int(flipped.sum()) < 48
        assert torch.equal(following.data[:, 225], torch.where(flipped, -true.data[:, 225], true.data[:, 225]))

    def test_perturbed_pictures_do_not_teach_colours(self):
        method, _ = build(perturbed=0.9)
        image, true = method.examples(batch(64))
        torch.manual_seed(0)
        seen, clean = method.photographed(image)
        assert 1 <= int(clean.sum()) < 20
        assert torch.equal(seen[clean], image[clean])
        assert float((seen[~clean] - image[~clean]).abs().mean()) > 0.01
        brighter = true.data.clone()
        brighter[~clean, 227] += 5  # nonsense that only the perturbed rows carry
        other = method.terms(seen, true, clean), method.terms(seen, type(true)(brighter), clean)
        assert torch.equal(other[0]["light"], other[1]["light"])
        assert torch.equal(other[0]["angles"], other[1]["angles"])


class TestEvaluation:
    def test_the_averaged_network_is_judged(self):
        method, _ = build()
        method.ema = Averages({"regressor": copy.deepcopy(method.regressor)})
        with torch.no_grad():
            method.ema["regressor"].head[-1].bias[225] = 0.25
        samples = method.val_step(batch())
        assert [float(sample["pred"][225]) for sample in samples] == [0.25] * 6
        metric = METRICS.build({"type": "CoefficientErrors", "face_model": ProceduralFace(61, 41), "size": 16})
        metric.process({}, samples)
        truth = torch.stack([sample["true"] for sample in samples])[:, 225]
        assert metric.evaluate(6)["yaw_deg_mean"] == pytest.approx(
            float((0.25 - truth).abs().mean()) * 57.29578, rel=1e-4
        )

    def test_pictures_beside_what_was_read(self):
        method, _ = build(population={"type": "SyntheticFaces", "size": 16, "seed": 0, "face_model": FACE})
        assert float(method.regressor.deviation[225]) == pytest.approx(0.42, abs=0.06)  # yaw: about 24 degrees
        sheets = method.sample_images(2)
        assert {name: tuple(sheet.shape) for name, sheet in sheets.items()} == {
            "pictures": (2, 3, 16, 16),
            "read": (2, 3, 16, 16),
        }
        assert torch.equal(method.sample_images(1)["pictures"], sheets["pictures"][:1])
        assert not any(name.startswith("population") for name in method.state_dict())


class TestConfig:
    def test_the_recipe_builds(self):
        config = load_config("regressor_synthetic")
        assert set(config.model.losses) == set(CONFIG["losses"])
        regressor = MODELS.build(config.model.regressor)
        assert regressor.size == config.size
        assert 2 * sum(p.numel() for p in regressor.parameters()) < 10e6  # bytes of the weights, in float16

    def test_bad_input(self):
        with pytest.raises(InputError, match=r"has the losses landmarks, .*; unknown: \['photo'\]"):
            build(losses={"photo": {"type": "MeanDistance", "of": "photo"}})
        with pytest.raises(InputError, match=r"perturbed in \[0, 1\)"):
            build(perturbed=1.0)
        with pytest.raises(InputError, match="the face model has"):
            build(regressor={**CONFIG["regressor"], "layout": {"identity": 3}})
        method, optimizer = build()
        with pytest.raises(InputError, match="needs coefficients beside the images, it has image"):
            method.train_step({"image": torch.zeros(1, 3, 16, 16, dtype=torch.uint8)}, optimizer)
        with pytest.raises(InputError, match="no pictures to show"):
            method.sample_images(1)


def test_a_stage_exports_the_averaged_network(tmp_path):
    method, optimizer = build()
    method.ema = Averages({"regressor": copy.deepcopy(method.regressor)})
    method.train_step(batch(), optimizer)
    assert method.export(tmp_path) == ["regressor.safetensors"]
    image = torch.rand(2, 3, 16, 16)
    found = load_regressor(tmp_path / "regressor.safetensors")(image).data
    torch.testing.assert_close(found, method.ema["regressor"].eval()(image).data)
    assert not torch.equal(found, method.regressor.eval()(image).data)


def test_the_recipe_of_makehuman_is_of_makehuman_alone():
    config = load_config("regressor_makehuman")
    for found in (config.model.face_model, config.val_evaluator.face_model):
        assert found == {"type": "MakeHuman", "verbose": False}
