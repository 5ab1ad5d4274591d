from __future__ import annotations

import pytest
import torch
from torch import nn

from faceuv.errors import InputError
from faceuv.evaluation import IdentitySimilarity, RegressorIdentity, identity_similarity, similarity
from faceuv.files import zoo
from faceuv.models.readers.regressor import CoefficientRegressor
from faceuv.models.stylegan2 import load_generator
from faceuv.synthetic.seeds import FACTORS


class Colour(nn.Module):
    """The mean colour, centred: grey is nobody."""

    name = "colour"
    needs_landmarks = False

    def forward(self, images, landmarks=None):
        return images.mean((2, 3)) - 0.5


def flat(*colours):
    return torch.tensor(colours)[:, :, None, None].expand(-1, -1, 8, 8)


RED, GREEN, CYAN = (1.0, 0.5, 0.5), (0.5, 1.0, 0.5), (0.0, 0.5, 0.5)


def test_cosines():
    found = identity_similarity(Colour(), flat(RED, RED, RED), flat(RED, GREEN, CYAN))
    assert found == pytest.approx([1, 0, -1], abs=1e-6)


def test_features_of_two_kinds():
    with pytest.raises(InputError, match=r"second features must have shape \(2, 3\)"):
        similarity(torch.zeros(2, 3), torch.zeros(2, 4))


@pytest.fixture(scope="module")
def regressor():
    torch.manual_seed(0)
    network = CoefficientRegressor(size=16, stem=4, channels=(8,), depths=(1,), hidden=(4, 8))
    nn.init.normal_(network.head[-1].weight)
    network.set_statistics(torch.randn(50, 257) * 3 + 5)  # neither counts: identity is in standard deviations
    return network.eval()


class TestRegressorIdentity:
    def test_reads_the_standardised_identity_alone(self, regressor):
        images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        found = RegressorIdentity(regressor)(images)
        coefficients = regressor(images)
        wanted = (coefficients.identity - regressor.mean[:80]) / regressor.deviation[:80]
        assert found.shape == (3, 80)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)

    def test_needs_no_landmarks_and_says_whose_judgement_it_is(self, regressor):
        judge = RegressorIdentity(regressor)
        assert (judge.name, judge.needs_landmarks) == ("regressor_identity", False)
        assert not list(judge.parameters())  # a checkpoint of a method that holds it stays small

    def test_pictures_that_diverged(self, regressor):
        images = torch.rand(2, 3, 16, 16)
        images[1] = torch.nan
        with pytest.raises(InputError, match=r"row\(s\) \[1\]"):
            RegressorIdentity(regressor)(images)


def test_the_zoos_regressor_knows_a_person_from_the_other_side():
    """Of the zoo's teacher, whose latents are scenes: the sign of one number is the side that a face looks to."""
    teacher = load_generator(zoo.path("teacher_64", "generator.safetensors"))
    z = teacher.sample_latents(16, generator=torch.Generator().manual_seed(5))
    before = list(FACTORS).index("pose")
    yaw = sum(list(FACTORS.values())[:before])  # the first of the numbers of a pose
    mirrored = z.clone()
    mirrored[:, yaw] *= -1
    judge = RegressorIdentity()
    with torch.no_grad():
        pictures = [teacher.synthesis(teacher.mapping(side)).clamp(0, 1) for side in (z, mirrored)]
        turned = [judge.regressor.network(picture).rotation[:, 1] for picture in pictures]
        assert float((turned[0] + turned[1]).abs().mean()) < 0.3 * float((turned[0] - turned[1]).abs().mean())
        first, second = (judge(picture) for picture in pictures)
    own = similarity(first, second).mean()
    others = torch.stack([similarity(first, second.roll(k, 0)).mean() for k in range(1, 16)]).mean()
    assert own > others + 0.2


def samples(rows, views=("",)):
    found = []
    for colours in rows:
        row = {}
        for view, (real, fake) in zip(views, colours):
            row |= {f"real{view}": flat(real)[0], f"fake{view}": flat(fake)[0], f"mask{view}": torch.ones(1, 8, 8)}
        found.append(row)
    return found


class TestMetric:
    def test_means_of_every_view(self):
        metric = IdentitySimilarity(Colour())
        views = ("", "_symmetric")
        metric.process({}, samples([((RED, RED), (RED, CYAN)), ((RED, GREEN), (GREEN, GREEN))], views))
        found = metric.evaluate(2)
        assert found["colour"] == pytest.approx(0.5)
        assert found["colour_symmetric"] == pytest.approx(0.0, abs=1e-6)
        assert found["colour_across_symmetric"] == pytest.approx(0.0, abs=1e-6)  # −1 and 1
        assert found["colour_samples"] == 2

    def test_landmarks_go_to_whom_they_belong(self):
        class Landmarked(Colour):
            needs_landmarks = True

            def forward(self, images, landmarks=None):
                return landmarks.flatten(1)

        rows = samples([((RED, GREEN), (RED, GREEN))], ("", "_symmetric"))
        rows[0]["landmarks"], rows[0]["landmarks_symmetric"] = torch.ones(68, 2), -torch.ones(68, 2)
        metric = IdentitySimilarity(Landmarked())
        metric.process({}, rows)
        found = metric.evaluate(1)
        assert (found["colour"], found["colour_symmetric"]) == pytest.approx((1, 1))
        assert found["colour_across_symmetric"] == pytest.approx(-1)

    def test_a_judge_without_a_name(self):
        with pytest.raises(InputError, match="Identity has no attribute 'name'"):
            IdentitySimilarity(nn.Identity())

    def test_samples_of_another_kind(self):
        with pytest.raises(InputError, match="IdentitySimilarity reads samples"):
            IdentitySimilarity(Colour()).process({}, [{"fake": flat(RED)[0]}])

    def test_nothing_to_measure(self):
        with pytest.raises(InputError, match="no samples"):
            IdentitySimilarity(Colour()).compute_metrics([])
