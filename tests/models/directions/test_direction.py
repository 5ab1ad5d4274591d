from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from faceuv.errors import AssetError, InputError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.models.directions import Direction, condition, load_directions, save_directions
from faceuv.models.directions.base import unit_over_layers


def direction(layers=4, width=6, seed=0, dtype=torch.float32, **extra):
    vector = torch.randn(layers, width, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    settings = {"name": "yaw", "meaning": "turns right", "method": "svm", "scale": 2.0, **extra}
    return Direction(vector=vector / vector.norm(), **settings)


class TestMove:
    def test_adds_the_vector(self):
        d, code = direction(), torch.randn(3, 4, 6)
        steps = torch.tensor([0.0, 1.0, -2.0])
        moved = d.move(code, steps)
        for k in range(3):
            assert torch.allclose(moved[k], code[k] + steps[k] * d.vector)
        assert torch.equal(moved[0], code[0])

    def test_w_is_broadcast(self):
        d, w = direction(), torch.randn(2, 6)
        assert torch.equal(d.move(w, 0.5), d.move(w[:, None].expand(-1, 4, -1), 0.5))

    def test_strip_of_one_face(self):
        d, code = direction(), torch.randn(1, 4, 6)
        assert d.move(code, torch.linspace(-3, 3, 7) * d.scale).shape == (7, 4, 6)

    @given(st.floats(-5, 5), st.integers(0, 99))
    def test_position_counts_steps(self, step, seed):
        d = direction(seed=seed, dtype=torch.float64)
        code = torch.randn(2, 4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        assert torch.allclose(d.position(d.move(code, step)), d.position(code) + step, atol=1e-10)

    def test_gradients(self):
        d = direction(dtype=torch.float64)
        code = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)
        step = torch.randn(2, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(d.move, (code, step))

    @pytest.mark.parametrize("shape", [(2, 5, 6), (2, 4, 7), (2, 7), (6,)])
    def test_code_of_another_generator(self, shape):
        with pytest.raises(InputError, match=r"'yaw' moves codes \(B, 4, 6\) or \(B, 6\), but got .* find one for"):
            direction().move(torch.zeros(shape), 1.0)

    @pytest.mark.parametrize("shape", [(3,), (2, 1)])
    def test_steps_of_another_batch(self, shape):
        with pytest.raises(InputError, match=r"one number or one per code, shape \(2,\)"):
            direction().move(torch.zeros(2, 4, 6), torch.zeros(shape))

    def test_whole_numbers_are_no_code(self):
        with pytest.raises(InputError, match="floating point"):
            direction().move(torch.zeros(2, 4, 6, dtype=torch.int64), 1.0)


class TestChecks:
    def test_length(self):
        with pytest.raises(InputError, match="length 1 over all of its numbers, got 2"):
            Direction(vector=torch.ones(2, 2), name="a", meaning="b", method="svm", scale=1.0)

    def test_nan(self):
        with pytest.raises(InputError, match="NaN"):
            Direction(vector=torch.full((2, 2), math.nan), name="a", meaning="b", method="svm", scale=1.0)

    @pytest.mark.parametrize("scale", [-1.0, math.nan, math.inf])
    def test_scale(self, scale):
        with pytest.raises(InputError, match="scale of the direction 'yaw'"):
            direction(scale=scale)

    def test_layers(self):
        vector = torch.zeros(5, 3)
        vector[1:3] = 1
        d = Direction(vector=vector / vector.norm(), name="a", meaning="b", method="sefa", scale=1.0)
        assert d.layers == (1, 2)
        code = torch.randn(2, 5, 3)
        assert torch.equal(d.move(code, 2.0)[:, [0, 3, 4]], code[:, [0, 3, 4]])


class TestFiles:
    def test_round_trip(self, tmp_path):
        made = direction(accuracy=0.97, seed=3, metadata={"samples": 10, "of": ["x"]})
        read = Direction.load(made.save(tmp_path / "yaw.safetensors"))
        assert torch.equal(read.vector, made.vector)
        for name in ("name", "meaning", "method", "scale", "accuracy", "seed", "metadata"):
            assert getattr(read, name) == getattr(made, name)

    def test_several(self, tmp_path):
        made = [direction(seed=k, name=f"d{k}") for k in range(3)]
        path = save_directions(tmp_path / "d.safetensors", made)
        read = load_directions(path)
        assert [d.name for d in read] == ["d0", "d1", "d2"]
        assert all(torch.equal(a.vector, b.vector) for a, b in zip(made, read))
        with pytest.raises(AssetError, match=r"holds 3 directions \(d0, d1, d2, …\); read them with load_directions"):
            Direction.load(path)

    @pytest.mark.parametrize(("layers", "width"), [(5, 6), (4, 8)])
    def test_for_another_generator(self, tmp_path, layers, width):
        path = direction().save(tmp_path / "yaw.safetensors")
        Direction.load(path, SimpleNamespace(num_layers=4, code_dim=6))
        with pytest.raises(InputError, match=rf"'yaw' moves codes \(B, 4, 6\).*codes are \(B, {layers}, {width}\)"):
            Direction.load(path, SimpleNamespace(num_layers=layers, code_dim=width))

    def test_another_kind_of_file(self, tmp_path):
        path = save_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)}, {"kind": "mapper"})
        with pytest.raises(AssetError, match="holds 'mapper', expected 'directions'"):
            Direction.load(path)

    def test_vectors_missing(self, tmp_path):
        _, metadata = load_tensors(direction().save(tmp_path / "yaw.safetensors"))
        path = save_tensors(tmp_path / "x.safetensors", {"a": torch.zeros(1)}, metadata)
        with pytest.raises(AssetError, match=r"should hold 1 vectors \(K, L, D\), got None"):
            Direction.load(path)

    def test_mixed_shapes(self, tmp_path):
        with pytest.raises(InputError, match=r"directions of one shape \(L, D\), got \[\(4, 6\), \(5, 6\)\]"):
            save_directions(tmp_path / "x.safetensors", [direction(), direction(layers=5)])

    def test_metadata_that_is_not_json(self, tmp_path):
        with pytest.raises(InputError, match="plain JSON values"):
            direction(metadata={"vector": torch.zeros(1)}).save(tmp_path / "x.safetensors")
        assert list(tmp_path.iterdir()) == []

    def test_nothing(self, tmp_path):
        with pytest.raises(InputError, match="no directions"):
            save_directions(tmp_path / "x.safetensors", [])


class TestCondition:
    def test_one(self):
        a, b = direction(seed=0).vector, direction(seed=1).vector
        by_hand = a - (a * b).sum() * b
        assert torch.allclose(condition(a, [b]), by_hand / by_hand.norm(), atol=1e-6)

    @given(st.integers(1, 6), st.integers(0, 99))
    def test_several_that_are_not_orthogonal(self, count, seed):
        vector = direction(seed=seed, dtype=torch.float64).vector
        others = [direction(seed=1000 + seed * 10 + k, dtype=torch.float64).vector for k in range(count)]
        others.append(others[0] + 1e-9 * others[-1])  # and not independent either
        made = condition(vector, others)
        assert abs(float(made.norm()) - 1) < 1e-12
        assert max(abs(float((made * other).sum())) for other in others) < 1e-7
        # the nearest of all such vectors: what was taken away lies in the span
        span = torch.stack([other.flatten() for other in others], 1)
        residual = vector.flatten() - made.flatten() * (vector * made).sum()
        fit = torch.linalg.lstsq(span, residual[:, None], driver="gelsd").solution
        assert torch.allclose(span @ fit, residual[:, None], atol=1e-6)

    def test_nothing_to_keep_off(self):
        vector = direction().vector
        assert torch.allclose(condition(vector, []), vector)

    def test_nothing_left(self):
        a, b = direction(seed=0).vector, direction(seed=1).vector
        with pytest.raises(InputError, match="nothing is left"):
            condition((a + b) / (a + b).norm(), [a, b])

    def test_another_generator(self):
        with pytest.raises(InputError, match="same generator"):
            condition(direction().vector, [direction(layers=5).vector])


@pytest.mark.parametrize("layers", [[0], [1, 3], [0, 1, 2, 3]])
def test_a_row_becomes_a_unit_direction_over_layers(layers):
    row = torch.tensor([3.0, 0.0, -4.0], dtype=torch.float64)
    found = unit_over_layers(row, 4, layers)
    assert float(found.norm()) == pytest.approx(1.0)
    for layer in range(4):
        wanted = row / 5 / math.sqrt(len(layers)) if layer in layers else torch.zeros(3)
        torch.testing.assert_close(found[layer], wanted.double())
