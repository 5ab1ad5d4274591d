from __future__ import annotations

import pytest
import torch

from faceuv.errors import AssetError, InputError, UnknownName
from faceuv.evaluation import DiscriminatorFeatures, FrechetDistance, RegressorFeatures
from faceuv.files import zoo
from faceuv.files.artefacts import sha256_of
from faceuv.files.networks import save_network
from faceuv.registry import MODELS

NETWORK = {"type": "StyleGAN2Discriminator", "size": 16, "channel_base": 128, "channel_max": 16}


@pytest.fixture
def teacher(tmp_path, monkeypatch):
    """A zoo with one entry: a discriminator, half precision as the shipped ones."""
    torch.manual_seed(5)
    network = MODELS.build(NETWORK)
    (tmp_path / "teacher_16").mkdir()
    (tmp_path / "teacher_16" / "card.md").write_text("# A teacher", encoding="utf-8")
    monkeypatch.setattr(zoo, "FOLDER", tmp_path)
    return save_network(tmp_path / "teacher_16" / "discriminator.safetensors", network, dtype=torch.float16)


class TestRandomWeights:
    def test_the_seed_is_the_space(self):
        image = torch.rand(2, 3, 16, 16)
        first, again, other = (DiscriminatorFeatures(NETWORK, seed=s) for s in (1, 1, 2))
        assert torch.equal(first(image), again(image))
        assert not torch.equal(first(image), other(image))
        assert first.space == again.space == "random_discriminator_seed1"
        assert other.space == "random_discriminator_seed2"

    def test_the_global_generator_is_left_alone(self):
        before = torch.get_rng_state()
        DiscriminatorFeatures(NETWORK)
        assert torch.equal(before, torch.get_rng_state())

    def test_an_image_does_not_see_its_batch(self):
        features = DiscriminatorFeatures(NETWORK)
        images = torch.rand(4, 3, 16, 16)
        torch.testing.assert_close(features(images)[1:2], features(images[1:2]))


class TestTrainedWeights:
    def test_of_the_zoo_and_of_a_file(self, teacher):
        image = torch.rand(2, 3, 16, 16)
        named, read = DiscriminatorFeatures(zoo="teacher_16"), DiscriminatorFeatures(weights=str(teacher))
        assert torch.equal(named(image), read(image))
        assert named.space == "teacher_16_discriminator"
        assert read.space == f"discriminator_{sha256_of(teacher)[:8]}"
        assert not any(parameter.requires_grad for parameter in named.parameters())

    def test_name_the_metric(self, teacher):
        metric = FrechetDistance({"type": "DiscriminatorFeatures", "zoo": "teacher_16"})
        assert metric.name("frechet", "fid") == "frechet_teacher_16_discriminator"

    def test_an_entry_that_is_not_there(self, teacher):
        with pytest.raises(UnknownName, match=r"no entry 'teacher_61'; it has: teacher_16. Did you mean 'teacher_16'"):
            DiscriminatorFeatures(zoo="teacher_61")
        teacher.rename(teacher.with_name("generator.safetensors"))
        with pytest.raises(AssetError, match=r"no file 'discriminator.safetensors'; it has: generator.safetensors"):
            DiscriminatorFeatures(zoo="teacher_16")

    def test_a_file_that_is_not_there(self, tmp_path):
        with pytest.raises(AssetError, match="nowhere.safetensors does not exist"):
            DiscriminatorFeatures(weights=tmp_path / "nowhere.safetensors")


class TestBadInput:
    @pytest.mark.parametrize("sources", [{}, {"network": NETWORK, "zoo": "teacher_64"}])
    def test_one_source_of_weights(self, sources):
        with pytest.raises(TypeError, match="network=.*, weights=PATH or zoo=ENTRY, one of the three"):
            DiscriminatorFeatures(**sources)

    def test_images_of_another_size(self):
        with pytest.raises(InputError, match=r"images must have shape \(B, 3, 16, 16\)"):
            DiscriminatorFeatures(NETWORK)(torch.rand(2, 3, 32, 32))


class TestTheRegressorsSpace:
    def test_its_name_is_that_of_its_weights(self):
        features = RegressorFeatures()
        digest = sha256_of(zoo.path("regressor", "weights.safetensors"))
        assert features.space == f"regressor_{digest[:8]}"
        assert (
            FrechetDistance({"type": "RegressorFeatures"}).name("frechet", "fid") == f"frechet_regressor_{digest[:8]}"
        )
        assert not any(parameter.requires_grad for parameter in features.parameters())

    def test_an_image_sees_neither_its_batch_nor_the_training_mode(self):
        images = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        features = RegressorFeatures()
        expected = features(images)
        assert expected.shape == (4, 2 * 24 + 2 * 48 + 2 * 96 + 192)
        torch.testing.assert_close(features.train()(images[1:2]), expected[1:2])
        with pytest.raises(InputError, match="images must have shape"):
            features(images[0])

    def test_faces_are_nearer_to_faces_than_to_blurred_ones(self):
        from faceuv.evaluation import frechet_distance
        from faceuv.synthetic import SyntheticFaces

        faces = SyntheticFaces(size=64, samples=1, together=4)
        first, second = faces.batch(range(24))["image"], faces.batch(range(24, 48))["image"]
        features = RegressorFeatures()
        blurred = torch.nn.functional.interpolate(torch.nn.functional.avg_pool2d(second, 4), scale_factor=4)
        near, far = (frechet_distance(features(first), features(x)) for x in (second, blurred))
        assert near < 0.7 * far
