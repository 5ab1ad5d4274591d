"""The encoder: its first answer, its sizes, its files, its training on the generator's own pictures."""

from __future__ import annotations

import math

import pytest
import torch
from inversion_world import COARSE, REGRESSOR, Descent, shaken

from faceuv.errors import FaceUVError, InputError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.files.locate import locate
from faceuv.files.networks import save_network
from faceuv.models.inversion import CodeEncoding, PoseGrowth, PyramidEncoder, load_encoder
from faceuv.models.inversion.encoder import check_teacher, start_encoder
from faceuv.models.readers.regressor import load_regressor
from faceuv.models.stylegan2 import StyleGAN2Generator
from faceuv.structures import CoefficientLayout

LOSSES = {
    "code": {"type": "CodeDistance"},
    "image": {"type": "PhotometricLoss", "norm": "squared", "weight": 10.0},
    "identity": {"type": "IdentityDistance", "features": "RegressorIdentity", "max_yaw_deg": 60.0, "weight": 0.1},
    "vertices": {"type": "MeanDistance", "of": "vertices", "weight": 0.1},
    "angles": {"type": "MeanDistance", "of": "angles", "weight": 0.05},
}
PLAIN = {"type": "torch", "antialias": None}


@pytest.fixture(scope="module")
def method(quickstart):
    return CodeEncoding(
        quickstart, LOSSES, face_model=COARSE, renderer=PLAIN, encoder={"reader": REGRESSOR}, growth={"over": 100}
    )


def test_the_first_answer_is_the_mean_code_and_the_coefficients_are_the_readers(quickstart, pictures):
    encoder = start_encoder(quickstart.teacher, quickstart.mapper.layout, reader=REGRESSOR).eval()
    found = encoder(pictures)
    assert torch.equal(found.codes, quickstart.teacher.mean_code.expand(3, 10, -1))
    wanted = load_regressor(locate(REGRESSOR))(pictures)
    torch.testing.assert_close(found.coefficients.data, wanted.data)


@pytest.mark.parametrize(("layers", "dim", "channels", "side"), [(14, 32, (16, 24, 32), 64), (6, 8, (16,), 16)])
def test_codes_and_pictures_of_any_size(layers, dim, channels, side):
    reader = {"size": side, "stem": 8, "channels": channels, "depths": (1,) * len(channels), "hidden": (8, 16)}
    encoder = PyramidEncoder(layers, dim, {**reader, "layout": {"identity": 2}}, width=8, hidden=16).eval()
    found = encoder(torch.rand(2, 3, 40, 40))
    assert found.codes.shape == (2, layers, dim)
    assert found.coefficients.data.shape == (2, CoefficientLayout(identity=2).size)
    levels = [encoder.level_of(row) for row in range(layers)]
    assert levels == sorted(levels)
    assert set(levels) == set(range(min(3, len(channels))))


def test_a_file_gives_the_same_encoder_and_one_of_another_teacher_is_refused(generator, pictures, tmp_path):
    file = save_network(tmp_path / "encoder.safetensors", generator.encoder)
    again = load_encoder(file, generator.teacher)
    assert torch.equal(again(pictures).codes, generator.encoder(pictures).codes)
    torch.manual_seed(0)
    other = StyleGAN2Generator(64, 128, channel_base=64, channel_max=8, mapping_depth=2)
    other.estimate_mean_code(500)
    with pytest.raises(InputError, match="trained for another generator: their mean codes differ"):
        check_teacher(again, other)
    with pytest.raises(InputError, match="reads codes with L = 10, D = 128"):
        load_encoder(file, StyleGAN2Generator(16, 6, channel_base=64, channel_max=6))


def test_a_regressor_that_is_not_trained_gives_the_coefficients_and_is_not_saved(quickstart, pictures, tmp_path):
    wanted = load_regressor(locate(REGRESSOR))(pictures)
    layout, teacher = quickstart.mapper.layout, quickstart.teacher
    trained = start_encoder(teacher, layout, reader=REGRESSOR, regressor=REGRESSOR)
    alone = start_encoder(teacher, layout, regressor=REGRESSOR, own_trunk=False)
    assert {name.split(".")[0] for name, _ in alone.named_parameters()} == {"lateral", "smooth", "flat", "rows"}
    for encoder in (trained, alone):
        shaken(encoder, 3, 0.02).train()  # training does not touch the statistics of its layers either
        for parameter in encoder.parameters():
            parameter.data += 0.01
        encoder(pictures)
        encoder.eval()
        found = encoder(pictures)
        torch.testing.assert_close(found.coefficients.data, wanted.data)
        file = save_network(tmp_path / "encoder.safetensors", encoder)
        again = load_encoder(file, teacher)(pictures)
        assert torch.equal(again.codes, found.codes)
        assert torch.equal(again.coefficients.data, found.coefficients.data)
    assert not any(name.startswith(("reader", "fixed")) for name in load_tensors(file)[0])
    assert file.stat().st_size < 5e6
    tensors, facts = load_tensors(file)
    for settings, message in (
        ({"checksum": "0" * 16}, "reads pictures with another regressor than zoo:regressor.*train the encoder again"),
        ({"checksum": "", "regressor": "zoo:regressor_heads_64/weights.safetensors"}, "needs a regressor of settings"),
        ({"regressor": None}, "needs the file of a regressor"),
    ):
        save_tensors(tmp_path / "wrong.safetensors", tensors, {**facts, "settings": {**facts["settings"], **settings}})
        with pytest.raises(FaceUVError, match=message):
            load_encoder(tmp_path / "wrong.safetensors")


def test_pictures_of_a_share_of_the_batch_are_compared(quickstart):
    method = CodeEncoding(
        quickstart, LOSSES, face_model=COARSE, renderer=PLAIN, encoder={"reader": REGRESSOR}, pictured=0.5
    )
    codes = method.world.codes(torch.arange(3))
    true = method.world.mapper.network(codes)
    with torch.no_grad():
        side = method.sides(codes, true)
        assert torch.equal(side["image"], method.world.teacher.network.synthesis(codes[:2]))
        assert side["yaw"].shape == (2,)
        assert len(side["vertices"]) == len(side["code"]) == 3
    with pytest.raises(InputError, match="pictured is a share"):
        CodeEncoding(quickstart, LOSSES, pictured=0.0)


def test_the_range_of_poses_grows_by_the_papers_multipliers():
    growth = PoseGrowth(yaw_deg=40, over=100)
    assert [growth.multiplier(step) for step in (0, 29, 30, 45, 60, 75, 90, 100, 10**6)] == [
        0, 0, 0.15, 0.25, 0.5, 0.75, 1, 1, 1,
    ]  # fmt: skip
    assert PoseGrowth().multiplier(0) == 1
    with pytest.raises(InputError, match="begins with 0 and rises"):
        PoseGrowth(at=(0.5, 0.1), multipliers=(0, 1))


def test_examples_are_what_the_generator_draws_and_do_not_depend_on_the_batch(method, quickstart):
    index = torch.arange(4)
    codes, pictures, own = method.examples(index, 7, 1.0)
    again = [method.examples(index[k : k + 1], 7, 1.0) for k in range(4)]
    torch.testing.assert_close(torch.cat([c for c, _, _ in again]), codes, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.cat([p for _, p, _ in again]), pictures, atol=2e-3, rtol=0)
    torch.testing.assert_close(own.clamp(0, 1), quickstart.image(codes))
    plain = (pictures - own.clamp(0, 1)).abs().amax((1, 2, 3)) < 1e-5
    assert bool(plain.any())
    assert bool((~plain).any()), "some are painted renders, some the generator's pictures"
    still, _, _ = method.examples(index, 7, 0.0)
    assert torch.equal(still, method.world.codes(index))
    turned = quickstart.mapper.yaw(codes) - quickstart.mapper.yaw(still)
    assert float(turned.abs().max()) > math.radians(8)


def test_training_lowers_every_term(method):
    index = torch.arange(8)
    examples = method.examples(index, 0, 0.0)
    with torch.no_grad():
        before = {name: float(value) for name, value in method.terms(*examples).items()}
    optimizer = Descent(method.encoder.parameters(), 2e-3)
    method.train()
    for _ in range(12):
        method.update(optimizer, lambda: method.terms(*examples))
    with torch.no_grad():
        after = {name: float(value) for name, value in method.terms(*examples).items()}
    assert set(after) == set(LOSSES)
    assert after["code"] < 0.9 * before["code"]
    assert after["image"] < 0.7 * before["image"]
    assert after["identity"] < 0.9 * before["identity"]
    (row,) = method.eval()({"index": torch.tensor([2_000_000])})
    assert set(row) == {"picture_l1", "code", "yaw_deg", "shape_mm", "place_mm"}
    assert 0 < float(row["yaw_deg"]) < 60


def test_the_true_code_and_coefficients_are_free_of_loss(method):
    codes = method.world.codes(torch.arange(2))
    true = method.world.mapper.network(codes)
    with torch.no_grad():
        perfect = method.losses(method.sides(codes, true), method.sides(codes, true))
        other = method.losses(method.sides(codes.roll(1, 0), true), method.sides(codes, true))
    assert all(float(value) < 1e-6 for value in perfect.values())
    assert float(other["code"]) > 0.5
    assert float(other["image"]) > 0.1
    assert float(other["identity"]) > 0.1


def test_wrong_settings_are_one_line(quickstart):
    import faceuv

    with pytest.raises(InputError, match="has no loss 'codes'.*Did you mean 'code'"):
        CodeEncoding.check_config({"losses": {"codes": {"type": "CodeDistance"}}})
    with pytest.raises(InputError, match="needs the loss 'code' or 'image'"):
        CodeEncoding.check_config({"losses": {"angles": {"type": "MeanDistance", "of": "angles"}}})
    with pytest.raises(InputError, match="'liftedgan' is a LiftedGANGenerator"):
        CodeEncoding(faceuv.load("liftedgan"), LOSSES)
    small = {"size": 16, "stem": 8, "channels": (8,), "depths": (1,), "hidden": (4, 8), "layout": {"identity": 2}}
    with pytest.raises(InputError, match="take a reader that was trained for this face model"):
        CodeEncoding(quickstart, LOSSES, encoder={"reader": small})
