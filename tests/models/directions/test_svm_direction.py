from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from faceuv.errors import FaceUVError, InputError
from faceuv.models.directions import Direction, SVMDirection, named_score
from faceuv.models.directions.linear_svm import separate
from faceuv.models.directions.svm import Ends
from faceuv.registry import DIRECTION_FINDERS
from faceuv.structures import Coefficients
from faceuv.synthetic import ProceduralGenerator


def planted(width=16, seed=7):
    d = torch.randn(width, generator=torch.Generator().manual_seed(seed))
    return d / d.norm()


def along(d):
    """A score that is linear in the code."""
    return lambda code: (code.mean(1) * d).sum(1)


def everywhere(d, layers=4):
    return d.expand(layers, -1) / math.sqrt(layers)


class TestPlanted:
    def test_recovered(self, linear, angle):
        d = planted()
        (found,) = SVMDirection(along(d), samples=40_000, ratio=0.1).find(linear)
        assert angle(found.vector, everywhere(d)) < 1.5
        assert found.accuracy > 0.995
        assert found.vector.shape == (4, 16)

    def test_scale_is_sigma(self, linear):
        d = planted()
        (found,) = SVMDirection(along(d), samples=4000).find(linear)
        rng = torch.Generator().manual_seed(123)
        code = linear.broadcast(linear.mapping(linear.sample_latents(20_000, generator=rng)))
        assert found.scale == pytest.approx(float(found.position(code).std()), rel=0.03)

    def test_accuracy_counts_codes_far_from_the_origin(self, make_linear):
        """The plane lies where the codes are: its offset along the flattened normal is √L times the one along w."""
        far, d = make_linear(), planted()
        far.offset = 30 * d
        (found,) = SVMDirection(along(d), samples=20_000, ratio=0.1).find(far)
        assert found.accuracy > 0.99

    def test_noise_costs_accuracy(self, linear, angle):
        d, rng = planted(), torch.Generator().manual_seed(5)

        def noisy(code):
            return along(d)(code) + 3 * torch.randn(len(code), generator=rng)

        (found,) = SVMDirection(noisy, samples=40_000).find(linear)
        assert 0.8 < found.accuracy < 0.999
        assert angle(found.vector, everywhere(d)) < 15

    def test_only_some_layers(self, linear, angle):
        d = planted()
        (found,) = SVMDirection(along(d), samples=20_000, ratio=0.1, layers=[0, -1]).find(linear)
        assert found.layers == (0, 3)
        assert angle(found.vector[0], d) < 2
        assert found.accuracy > 0.99

    def test_truncation(self, linear):
        d = planted()
        wide, narrow = (
            SVMDirection(along(d), samples=4000, truncation=psi).find(linear)[0].scale for psi in (1.0, 0.5)
        )
        assert narrow == pytest.approx(wide / 2, rel=0.05)


class TestConditional:
    def test_orthogonal_to_several(self, linear, tmp_path):
        a, b, d = planted(seed=1), planted(seed=2), planted(seed=1) + planted(seed=2) + planted(seed=3)
        smile = SVMDirection(along(a), samples=4000, name="smile").find(linear)[0]
        age = SVMDirection(along(b), samples=4000, name="age").find(linear)[0]
        path = age.save(tmp_path / "age.safetensors")
        (plain,) = SVMDirection(along(d), samples=4000, name="yaw").find(linear)
        (found,) = SVMDirection(along(d), samples=4000, name="yaw", orthogonal_to=[smile, path]).find(linear)
        assert abs(float((plain.vector * smile.vector).sum())) > 0.2
        for other in (smile, age):
            assert abs(float((found.vector * other.vector).sum())) < 1e-5
        assert float((found.vector * plain.vector).sum()) > 0.3
        assert found.metadata["orthogonal_to"] == ["smile", "age"]
        assert found.accuracy < plain.accuracy
        code = torch.randn(2, 4, 16)
        assert torch.allclose(smile.position(found.move(code, 3.0)), smile.position(code), atol=1e-4)

    def test_for_another_generator(self, linear, make_linear):
        other = SVMDirection(along(planted()), samples=1000).find(make_linear(layers=6))[0]
        with pytest.raises(InputError, match="find one for this generator"):
            SVMDirection(along(planted()), samples=1000, orthogonal_to=[other]).find(linear)


class TestEnds:
    def test_are_those_of_a_full_sort(self, linear):
        finder = SVMDirection(along(planted()), samples=3000, ratio=0.02, batch=256, seed=4)
        ends = finder.scored_ends(linear, finder.score)
        rng = torch.Generator().manual_seed(4)
        w = linear.mapping(linear.sample_latents(3000, generator=rng))
        order = torch.argsort(w @ planted())
        assert torch.allclose(ends.low, w[order[:60]], atol=1e-6)
        assert torch.allclose(ends.high, w[order[-60:].flip(0)], atol=1e-6)

    def test_scores_that_are_not_finite_are_left_out_and_counted(self, linear):
        def score(code):
            value = along(planted())(code)
            return torch.where(value > value.median(), value, torch.nan)

        (found,) = SVMDirection(score, samples=4000).find(linear)
        assert 1900 < found.metadata["unscored"] < 2100

    def test_memory_does_not_grow_with_the_number_of_codes(self, make_linear):
        linear = make_linear(width=64)
        seen = []

        def score(code):
            seen.append(code.untyped_storage().nbytes())
            return code[:, 0, 0]

        finder = SVMDirection(score, samples=50_000, ratio=0.02, batch=500)
        ends = finder.scored_ends(linear, score)
        assert max(seen) <= 500 * 64 * 4  # one w per code: W+ is a view
        assert ends.low.untyped_storage().nbytes() <= 1000 * 64 * 4


class TestSolver:
    @pytest.mark.parametrize("noise", [0.0, 0.3])
    def test_is_the_plane_of_svc(self, angle, noise):
        from sklearn.svm import SVC

        rng = torch.Generator().manual_seed(0)
        d = planted(64)
        codes = torch.randn(4000, 64, generator=rng, dtype=torch.float64) + 0.5
        value = codes @ d.double() + noise * torch.randn(4000, generator=rng, dtype=torch.float64)
        codes = codes[value.argsort()]
        low, high = codes[:150], codes[-150:]
        normal, offset = separate(low, high, rows=3)
        flat = np.tile(torch.cat([low, high]).numpy(), 3)  # W+ itself
        reference = SVC(kernel="linear", C=1.0, tol=1e-5).fit(flat, np.repeat([0, 1], 150))
        assert angle(normal.expand(3, -1), torch.tensor(reference.coef_)) < 1
        middle = -float(reference.intercept_[0]) / float(np.linalg.norm(reference.coef_))
        assert offset * math.sqrt(3) == pytest.approx(middle, abs=0.05)

    @pytest.mark.parametrize("rows", [1, 9])
    def test_classes_that_overlap_are_weighed_as_flattened_codes(self, rows):
        """C beside |w|² depends on the length of the codes: L equal rows are √L as long as one."""
        rng = torch.Generator().manual_seed(0)
        spread = torch.tensor([3.0, 1.0, 0.3, 0.1, 0.03], dtype=torch.float64)
        low, high = (torch.randn(60, 5, generator=rng, dtype=torch.float64) * spread for _ in range(2))
        high = high + spread.flip(0) / 3
        normal, offset = separate(low, high, rows=rows, regularisation=0.02)
        from sklearn.svm import SVC

        flat = np.tile(torch.cat([low, high]).numpy(), rows)
        reference = SVC(kernel="linear", C=0.02, tol=1e-8).fit(flat, np.repeat([0, 1], 60))
        weight = torch.tensor(reference.coef_[0, :5])
        assert math.degrees(math.acos(min(1.0, float(weight @ normal / weight.norm())))) < 0.5
        middle = -float(reference.intercept_[0]) / float(np.linalg.norm(reference.coef_))
        assert offset * math.sqrt(rows) == pytest.approx(middle, abs=0.02)

    def test_classes_that_overlap(self):
        """Subgradients of the hinge: at the optimum w is a combination of the codes with weights in [0, C]."""
        rng = torch.Generator().manual_seed(0)
        low, high = torch.randn(300, 8, generator=rng), torch.randn(300, 8, generator=rng) + 0.3
        normal, offset = separate(low, high)
        from sklearn.svm import SVC

        codes = torch.cat([low, high]).double().numpy()
        reference = SVC(kernel="linear", C=1.0, tol=1e-6).fit(codes, np.repeat([0, 1], 300))
        weight = torch.tensor(reference.coef_[0])
        assert math.degrees(math.acos(min(1.0, float(weight @ normal / weight.norm())))) < 0.5
        assert offset == pytest.approx(-float(reference.intercept_[0] / weight.norm()), abs=0.02)

    def test_the_same_codes_at_both_ends(self):
        with pytest.raises(InputError, match="no plane between the ends: their codes are the same"):
            separate(torch.ones(20, 3), torch.ones(20, 3))

    def test_gives_up_with_a_word(self, monkeypatch):
        monkeypatch.setattr("faceuv.models.directions.linear_svm._STEPS_PER_WIDTH", 1)
        rng = torch.Generator().manual_seed(0)
        with pytest.raises(FaceUVError, match="did not converge; a smaller regularisation"):
            separate(torch.randn(50, 4, generator=rng), torch.randn(50, 4, generator=rng))


class TestSeeds:
    def test_same_seed_same_direction(self, linear):
        first, again, other = (
            SVMDirection(along(planted()), samples=2000, seed=seed).find(linear)[0] for seed in (3, 3, 4)
        )
        assert torch.equal(first.vector, again.vector)
        assert (first.scale, first.accuracy, first.seed) == (again.scale, again.accuracy, 3)
        assert not torch.equal(first.vector, other.vector)

    def test_whatever_the_batch_and_the_global_state(self, linear, angle):
        vectors = []
        for batch in (128, 1024):
            torch.manual_seed(batch)
            vectors.append(SVMDirection(along(planted()), samples=2048, batch=batch).find(linear)[0].vector)
        assert angle(*vectors) < 0.01


class TestNamedScores:
    @pytest.fixture(scope="class")
    @staticmethod
    def faces():
        return ProceduralGenerator(size=32)

    @staticmethod
    def true_rotation(faces):
        """The head's turn without the cost of a picture."""

        def mapper(code):
            turn = torch.stack(faces.studio.population.head_turn(faces.scene(code).numbers["pose"]), 1)
            return Coefficients.zeros(len(code)).replace(rotation=turn)

        return mapper

    def test_yaw_of_the_procedural_generator(self, faces):
        mapper = self.true_rotation(faces)
        finder = DIRECTION_FINDERS.build(dict(type="svm", score="yaw", samples=20_000, ratio=0.05))
        (found,) = finder.find(faces, mapper)
        assert (found.name, found.method) == ("yaw", "svm")
        assert found.accuracy > 0.97
        code = faces.sample_codes(3, generator=torch.Generator().manual_seed(99))
        steps = torch.linspace(-3, 3, 7) * found.scale
        turned = [named_score(mapper(found.move(c[None], steps)), "yaw") for c in code]
        assert all(bool((yaw.diff() > 0).all()) for yaw in turned)
        # and in the pictures' own truth, not only in the score
        ends = faces.truth(found.move(code[:1], steps[[0, -1]])).coefficients
        assert math.degrees(float(named_score(ends, "yaw").diff())) > 15

    def test_every_name(self):
        data = torch.zeros(2, 257)
        data[:, 224:227] = torch.tensor([1.0, 2.0, 3.0])
        data[:, 83] = 4
        coefficients = Coefficients(data)
        for name, value in {"pitch": 1, "yaw": 2, "roll": 3, "expression:3": 4, "rotation:1": 2}.items():
            assert named_score(coefficients, name).tolist() == [value, value]

    @pytest.mark.parametrize(("name", "toward"), [("light_right", (1.0, 0, 0)), ("light_above", (0, 1.0, 0))])
    def test_light_comes_from_there(self, name, toward):
        from faceuv.geometry import directional_light

        light = directional_light(torch.tensor([toward, tuple(-x for x in toward)]), torch.ones(2, 3))
        score = named_score(Coefficients.zeros(2).replace(lighting=light), name)
        assert score[0] > 0.1 and score[1] < -0.1

    @pytest.mark.parametrize("name", ["jaw", "expression", "expression:x", ":3"])
    def test_unknown(self, name):
        with pytest.raises(InputError, match="no score is called .* known: pitch, yaw, roll"):
            SVMDirection(name)

    def test_column_that_does_not_exist(self):
        with pytest.raises(InputError, match="expression has the columns 0 … 63"):
            named_score(Coefficients.zeros(1), "expression:64")

    def test_needs_a_mapper(self, linear):
        with pytest.raises(InputError, match="'yaw' is a coefficient: .* needs a mapper"):
            SVMDirection("yaw", samples=1000).find(linear)

    def test_mapper_of_something_else(self, linear):
        with pytest.raises(InputError, match="must give Coefficients, got Tensor"):
            SVMDirection("yaw", samples=1000).find(linear, lambda code: code)


class TestBadInput:
    @pytest.mark.parametrize("ratio", [0.0, 0.6, -1, math.nan])
    def test_ratio(self, ratio):
        with pytest.raises(InputError, match="ratio must lie in"):
            SVMDirection(ratio=ratio)

    def test_too_few(self):
        with pytest.raises(InputError, match="leaves 2 codes at each end; .* draw 500 samples or more"):
            SVMDirection(samples=100, ratio=0.02)

    def test_regularisation(self):
        with pytest.raises(InputError, match="regularisation must be positive"):
            SVMDirection(regularisation=0.0)

    def test_score_that_is_none(self):
        with pytest.raises(InputError, match="name of a coefficient or a function"):
            SVMDirection(score=3)  # type: ignore[arg-type]

    def test_constant_score(self, linear):
        with pytest.raises(InputError, match="does not separate the ends"):
            SVMDirection(lambda code: torch.zeros(len(code)), samples=1000).find(linear)

    def test_no_score_is_finite(self, linear):
        with pytest.raises(InputError, match="only 0 of 1000 codes have a finite score, and 40 are needed"):
            SVMDirection(lambda code: torch.full((len(code),), math.nan), samples=1000).find(linear)

    def test_shape_of_scores(self, linear):
        with pytest.raises(InputError, match=r"one number per code, shape \(1000,\), got \(1000, 1\)"):
            SVMDirection(lambda code: code[:, 0, :1], samples=1000).find(linear)

    @pytest.mark.parametrize("layers", [[], [4], [-5], [True], [0.5]])
    def test_layers(self, linear, layers):
        with pytest.raises(InputError, match="rows 0 … 3 of a code"):
            SVMDirection(along(planted()), samples=1000, layers=layers).find(linear)


def test_saved_and_read_back(linear, tmp_path):
    (found,) = SVMDirection(along(planted()), samples=1000, name="yaw").find(linear)
    read = Direction.load(found.save(tmp_path / "yaw.safetensors"), linear)
    assert torch.equal(read.vector, found.vector)
    assert (read.scale, read.accuracy, read.metadata) == (found.scale, found.accuracy, found.metadata)


def test_codes_that_judge_the_plane_have_not_made_it():
    finder = SVMDirection(along(planted()), samples=200, ratio=0.5)
    low, high = torch.arange(100.0)[:, None], torch.arange(100.0, 200.0)[:, None]
    train, held_out = finder._split(Ends(low, high, 0))
    for whole, made, judged in zip((low, high), train, held_out):
        assert (len(made), len(judged)) == (70, 30)
        assert sorted(torch.cat([made, judged]).flatten().tolist()) == whole.flatten().tolist()
