"""The mapper and the stepper: shapes, units, files, and what they refuse."""

from __future__ import annotations

import inspect
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors
from faceuv.files.networks import save_network
from faceuv.models.directions import Direction
from faceuv.models.stylefaceuv.mappers import PAPER_WIDTHS, CoefficientMapper, YawStepper, load_mapper, load_stepper
from faceuv.structures import CoefficientLayout, Coefficients

L, D = 4, 6
SMALL = {"identity": 2, "expression": 2, "albedo": 3, "rotation": 3, "lighting": 27, "translation": 3}


class Source:
    """What a network asks of a generator."""

    def __init__(self, layers=L, width=D):
        self.num_layers, self.code_dim = layers, width


def direction(layers=L, width=D, scale=2.0, column=0):
    vector = torch.zeros(layers, width)
    vector[:, column] = 1 / math.sqrt(layers)
    return Direction(vector=vector, name="yaw", meaning="yaw", method="test", scale=scale)


@pytest.fixture
def mapper(generator):
    torch.manual_seed(0)
    mapper = CoefficientMapper(L, D, SMALL, widths=(16, 8))
    codes = torch.randn(200, D, generator=generator) * 3 + 1
    data = torch.randn(200, 40, generator=generator) * 0.2 + 5
    mapper.set_statistics(codes, Coefficients(data, mapper.layout))
    return mapper


@pytest.fixture
def stepper(generator):
    torch.manual_seed(0)
    stepper = YawStepper(L, D, direction(), widths=(8,))
    codes = torch.randn(500, D, generator=generator)
    stepper.set_statistics(codes, 0.3 * codes[:, 0] + 0.1)
    return stepper


class TestCoefficientMapper:
    def test_the_papers_network_is_the_default(self):
        assert inspect.signature(CoefficientMapper).parameters["widths"].default is PAPER_WIDTHS
        assert PAPER_WIDTHS == (9 * 512, 6 * 512, 3 * 512, 512)
        mapper = CoefficientMapper(14, 16, widths=(9, 6, 3, 2))
        shapes = [tuple(layer.weight.shape) for layer in mapper.face if isinstance(layer, torch.nn.Linear)]
        assert shapes == [(9, 224), (6, 9), (3, 6), (2, 3), (177, 2)]
        assert mapper.albedo[-1].out_features == 80
        assert [type(layer).__name__ for layer in mapper.face[1::2]] == ["Tanh"] * 4
        assert [type(layer).__name__ for layer in mapper.albedo[1::2]] == ["ELU"] * 4

    def test_w_is_its_repeat(self, mapper, generator):
        w = torch.randn(5, D, generator=generator)
        found = mapper(w)
        assert found.data.shape == (5, 40)
        assert found.layout == CoefficientLayout(**SMALL)
        torch.testing.assert_close(found.data, mapper(w[:, None].repeat(1, L, 1)).data)

    def test_groups_lie_where_the_layout_says(self, mapper, generator):
        w = torch.randn(3, D, generator=generator)
        with torch.no_grad():
            mapper.albedo[-1].weight.zero_()
            mapper.albedo[-1].bias.copy_(torch.tensor([7.0, 8.0, 9.0]))
        found = Coefficients(mapper.standardised(w), mapper.layout)
        torch.testing.assert_close(found.albedo, torch.tensor([[7.0, 8.0, 9.0]]).expand(3, -1))
        torch.testing.assert_close(mapper.yaw(w), mapper(w).rotation[:, 1])

    def test_the_yaw_of_a_layout_with_the_albedo_behind(self, generator):
        mapper = CoefficientMapper(L, D, widths=(4,))
        w = torch.randn(2, D, generator=generator)
        torch.testing.assert_close(mapper.yaw(w), mapper(w).data[:, 225])

    def test_statistics_standardise(self, mapper, generator):
        data = torch.randn(1000, 40, generator=generator) * 0.2 + 5
        scores = mapper.standardise(data)
        assert float(scores.mean().abs()) < 0.1
        assert float(scores.std()) == pytest.approx(1, abs=0.1)
        code = torch.zeros(1, D)
        torch.testing.assert_close(mapper.standardise(mapper(code).data), mapper.standardised(code))

    def test_codes_are_read_in_units_of_their_own(self, generator):
        """The codes of the statistics come out with mean 0 and mean square 1."""
        mapper = CoefficientMapper(L, D, SMALL, widths=(4,))
        codes = torch.randn(500, D, generator=generator) * 3 + 10
        mapper.set_code_statistics(codes)
        read = mapper.read(codes)
        assert read.shape == (500, L * D)
        torch.testing.assert_close(read.mean(0), torch.zeros(L * D), atol=1e-4, rtol=0)
        assert float(read.square().mean()) == pytest.approx(1, rel=1e-3)

    def test_the_first_layer_begins_as_one_for_w(self):
        """Its weights for all rows together are those of a layer that reads one w: within ±1/√D."""
        mapper = CoefficientMapper(L, D, SMALL, widths=(400,))
        together = mapper.face[0].weight.detach().unflatten(1, (L, D)).sum(1)
        assert 0.95 / math.sqrt(D) < float(together.abs().max()) <= 1 / math.sqrt(D) + 1e-6

    def test_a_constant_coefficient_does_not_explode(self):
        mapper = CoefficientMapper(L, D, SMALL, widths=(4,))
        mapper.set_statistics(torch.randn(10, D), Coefficients(torch.ones(10, 40), mapper.layout))
        assert bool(torch.isfinite(mapper.standardise(torch.ones(1, 40))).all())
        assert float((mapper(torch.randn(4, D)).data.detach() - 1).abs().max()) < 0.01

    @given(shift=st.lists(st.floats(-2, 2), min_size=L, max_size=L))
    def test_before_and_after_training_on_w_it_reads_the_mean_row(self, shift):
        torch.manual_seed(0)
        mapper = CoefficientMapper(L, D, SMALL, widths=(8,))
        optimizer = torch.optim.Adam(mapper.parameters(), lr=0.01)
        for _ in range(3):
            optimizer.zero_grad()
            mapper(torch.randn(4, D)).data.square().mean().backward()
            optimizer.step()
        rows = torch.tensor(shift) - sum(shift) / L
        w = torch.randn(2, D)
        edited = w[:, None] + rows[None, :, None]
        torch.testing.assert_close(mapper(edited).data, mapper(w).data, atol=1e-5, rtol=1e-5)

    @pytest.mark.parametrize("column", [0, 3])  # of the expression, behind tanh, and of the albedo, behind ELU
    def test_it_learns_what_no_linear_map_can(self, column):
        torch.manual_seed(0)
        w, data = torch.randn(400, D), torch.zeros(400, 40)
        data[:, column] = w[:, 1].square()  # of which the best linear map, a constant, misses 0.97 on average
        mapper = CoefficientMapper(L, D, SMALL, widths=(32,))
        mapper.set_statistics(w, Coefficients(data, mapper.layout))
        optimizer = torch.optim.Adam(mapper.parameters(), lr=1e-2)
        for _ in range(200):
            rows = torch.randint(360, (64,))
            optimizer.zero_grad()
            (mapper(w[rows]).data - data[rows])[:, column].abs().mean().backward()
            optimizer.step()
        assert float((mapper(w[360:]).data - data[360:])[:, column].detach().abs().mean()) < 0.4

    def test_differentiable(self, mapper, generator):
        code = torch.randn(2, L, D, generator=generator, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda c: mapper.double()(c).data, code)

    def test_a_file_brings_it_back(self, mapper, tmp_path, generator):
        path = save_network(tmp_path / "m.safetensors", mapper, metadata={"fits": 7})
        loaded = load_mapper(path, Source())
        code = torch.randn(3, L, D, generator=generator)
        assert torch.equal(loaded(code).data, mapper(code).data)
        assert not any(p.requires_grad for p in loaded.parameters())
        assert load_tensors(path)[1]["fits"] == 7
        half = load_mapper(save_network(tmp_path / "h.safetensors", mapper, dtype=torch.float16))
        assert (tmp_path / "h.safetensors").stat().st_size < path.stat().st_size
        torch.testing.assert_close(half(code).data, mapper(code).data, atol=2e-3, rtol=2e-3)
        assert torch.equal(half.deviation, mapper.deviation)  # units keep their precision


class TestYawStepper:
    def test_before_training_it_is_the_straight_line(self, stepper, generator):
        """Yaw is 0.3 · w₀ + 0.1, and the untrained step already turns to the wanted angle."""
        code = torch.randn(20, D, generator=generator)
        wanted = torch.linspace(-0.5, 0.5, 20)
        turned = stepper.move(code, wanted)
        torch.testing.assert_close(0.3 * turned[:, :, 0].mean(1) + 0.1, wanted, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(turned[:, :, 1:], code[:, None, 1:].expand(-1, L, -1))

    def test_steps_are_in_sigma_of_the_direction(self, stepper, generator):
        code = torch.randn(5, D, generator=generator)
        torch.testing.assert_close(stepper(code, 0.2), stepper.sigmas(code, 0.2) * 2.0)
        moved = direction().move(code, stepper(code, 0.2))
        torch.testing.assert_close(moved, stepper.move(code, 0.2))
        torch.testing.assert_close(stepper.position(moved) - stepper.position(code), stepper.sigmas(code, 0.2))

    def test_the_symmetric_view_is_turned_to_minus_its_yaw(self, stepper, generator):
        mapper = CoefficientMapper(L, D, widths=(8,))
        code = torch.randn(5, L, D, generator=generator)
        torch.testing.assert_close(stepper.symmetric(code, mapper), stepper.move(code, -mapper(code).rotation[:, 1]))

    def test_one_angle_for_all_or_one_each(self, stepper, generator):
        code = torch.randn(3, D, generator=generator)
        torch.testing.assert_close(stepper(code, 0.1), stepper(code, torch.full((3,), 0.1)))
        with pytest.raises(InputError, match=r"one number or one per code \(3,\), got \(2,\)"):
            stepper(code, torch.zeros(2))

    def test_differentiable(self, stepper, generator):
        stepper = stepper.double()
        torch.nn.init.normal_(stepper.network[-1].weight)
        code = torch.randn(2, L, D, generator=generator, dtype=torch.float64, requires_grad=True)
        yaw = torch.tensor([0.1, -0.2], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(stepper.move, (code, yaw))

    def test_the_release_s_size(self, tmp_path, generator):
        """The mapper's widths with tanh, kept in the file; an older file without the setting is ELU."""
        stepper = YawStepper(L, D, direction(), widths=(9, 6, 3, 2), activation="tanh")
        assert [type(layer).__name__ for layer in stepper.network[1::2]] == ["Tanh"] * 4
        torch.nn.init.normal_(stepper.network[-1].weight)
        code = torch.randn(3, D, generator=generator)
        found = load_stepper(save_network(tmp_path / "s.safetensors", stepper))
        assert found.activation == "tanh"
        assert torch.equal(found(code, 0.3), stepper(code, 0.3))
        assert YawStepper(L, D).activation == "elu"
        with pytest.raises(InputError, match="activation must be 'elu' or 'tanh', got 'relu'"):
            YawStepper(L, D, activation="relu")

    def test_a_file_brings_back_direction_and_line(self, stepper, tmp_path, generator):
        path = save_network(tmp_path / "s.safetensors", stepper)
        code = torch.randn(3, D, generator=generator)
        assert torch.equal(load_stepper(path, Source())(code, 0.3), stepper(code, 0.3))


class TestBadInput:
    @pytest.mark.parametrize("shape", [(2, L + 1, D), (2, L, D + 1), (2, D + 1), (D,)])
    def test_codes_of_another_generator(self, mapper, stepper, shape):
        for call in (mapper, lambda code: stepper(code, 0.0)):
            with pytest.raises(InputError, match=r"reads another generator's codes: .*\(B, (4, )?6\)"):
                call(torch.zeros(shape))

    def test_another_generator(self, mapper, tmp_path):
        path = save_network(tmp_path / "m.safetensors", mapper)
        with pytest.raises(InputError, match=r"reads codes with L = 4, D = 6; the generator has L = 5, D = 6"):
            load_mapper(path, Source(5))

    def test_another_layout(self, mapper):
        with pytest.raises(InputError, match=r"gives coefficients of the layout .*trained for another face model"):
            mapper.check_layout(CoefficientLayout())
        with pytest.raises(InputError, match="another face model"):
            mapper.set_statistics(torch.zeros(3, D), Coefficients.zeros(3))

    def test_nan_in_the_fits(self, mapper):
        data = torch.zeros(3, 40)
        data[1, 2] = float("nan")
        with pytest.raises(InputError, match=r"coefficients holds NaN or infinity in row\(s\) \[1\]"):
            mapper.set_statistics(torch.zeros(3, D), Coefficients(data, mapper.layout))
        codes = torch.zeros(3, D)
        codes[2] = float("inf")
        with pytest.raises(InputError, match=r"codes holds NaN or infinity in row\(s\) \[2\]"):
            mapper.set_statistics(codes, Coefficients(torch.zeros(3, 40), mapper.layout))

    def test_nan_in_the_wanted_yaw(self, stepper):
        with pytest.raises(InputError, match="yaw holds NaN"):
            stepper(torch.zeros(1, D), float("nan"))

    def test_weights_with_nan_are_not_written(self, mapper, tmp_path):
        with torch.no_grad():
            mapper.face[0].weight[0, 0] = float("nan")
        with pytest.raises(AssetError, match=r"not written: face.0.weight holds NaN"):
            save_network(tmp_path / "m.safetensors", mapper)
        assert not list(tmp_path.iterdir())

    def test_a_stepper_is_no_mapper(self, stepper, tmp_path):
        path = save_network(tmp_path / "s.safetensors", stepper)
        with pytest.raises(AssetError, match="holds 'yaw_stepper', expected 'coefficient_mapper'"):
            load_mapper(path)

    def test_directions_that_do_not_fit(self):
        with pytest.raises(InputError, match=r"\(L, D\) = \(5, 6\), this YawStepper for \(4, 6\)"):
            YawStepper(L, D, direction(layers=5))
        with pytest.raises(InputError, match="has scale 0"):
            YawStepper(L, D, direction(scale=0.0))
        with pytest.raises(InputError, match="has no direction yet"):
            YawStepper(L, D)(torch.zeros(1, D), 0.0)

    def test_a_direction_that_does_not_turn_the_face(self, generator):
        stepper = YawStepper(L, D, direction())
        codes = torch.randn(300, D, generator=generator)
        with pytest.raises(InputError, match=r"yaw grows by -?0\.0\d\d° per σ .*find it with score='yaw'"):
            stepper.set_statistics(codes, 1e-4 * codes[:, 1])

    def test_sizes_and_widths(self):
        with pytest.raises(InputError, match="num_layers must be a whole number of at least 1, got 0"):
            CoefficientMapper(0, D)
        with pytest.raises(InputError, match="widths must be positive numbers"):
            CoefficientMapper(L, D, widths=())
