from __future__ import annotations

import sys

import pytest
import torch

from faceuv.errors import AssetError, InputError, MissingDependency
from faceuv.evaluation import FrechetDistance, InceptionFeatures, KernelDistance
from faceuv.evaluation.inception import OFFICIAL, read_weights
from faceuv.files.artefacts import sha256_of
from faceuv.files.assets import ASSETS

REASON = 'needs the extra "fid"'
FILENAME = ASSETS["inception"].filename


def extractor_class():
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3", reason=REASON)
    return module.FeatureExtractorInceptionV3


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory):
    """A file in the published format with random weights (the 95 MB ones may not be had here)."""
    made = extractor_class()
    path = tmp_path_factory.mktemp("inception") / FILENAME
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        patch.setattr(made, "load_state_dict", lambda self, state: None)
        buffer = path.with_suffix(".empty")
        torch.save({}, buffer)
        network = made("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(buffer))
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def features(random_weights):
    return InceptionFeatures(random_weights, sha256=sha256_of(random_weights))


@pytest.fixture
def no_assets(tmp_path, monkeypatch):
    """No asset is found but those put into the folder."""
    monkeypatch.setenv("FACEUV_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "assets"


class TestFeatures:
    def test_are_torch_fidelitys(self, random_weights, features):
        theirs = extractor_class()("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(random_weights))
        pixels = torch.randint(0, 256, (2, 3, 24, 40), dtype=torch.uint8)
        rows = features(pixels.float() / 255)
        assert rows.shape == (2, 2048)
        assert torch.equal(rows, theirs(pixels)[0])
        assert float(rows.std(0).max()) > 0
        assert not any(parameter.requires_grad for parameter in features.parameters())

    def test_see_eight_bits(self, features):
        image = torch.randint(0, 256, (1, 3, 16, 16)) / 255
        assert torch.equal(features(image), features(image + 0.4 / 255))

    def test_other_weights_are_not_called_inception(self, random_weights, no_assets):
        digest = sha256_of(random_weights)
        no_assets.mkdir()
        (no_assets / FILENAME).symlink_to(random_weights)
        metric = FrechetDistance({"type": "InceptionFeatures", "sha256": digest})  # found among the assets
        assert metric.name("frechet", "fid") == f"frechet_inception_{digest[:8]}"

    def test_the_published_weights_give_fid_and_kid(self, random_weights, monkeypatch):
        # As if the random weights were the published ones: nothing here downloads those.
        digest = sha256_of(random_weights)
        monkeypatch.setattr("faceuv.evaluation.inception.OFFICIAL", digest)
        metric = KernelDistance(InceptionFeatures(random_weights, sha256=digest), subsets=2, subset_size=2)
        images = torch.rand(2, 2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        metric.process({}, [{"real": real, "fake": fake} for real, fake in images])
        assert set(metric.evaluate(2)) == {"kid", "kid_std", "kid_samples"}
        assert FrechetDistance(metric.features).name("frechet", "fid") == "fid"


class TestMissing:
    def test_package(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
        with pytest.raises(MissingDependency, match=r'pip install "faceuv\[fid\]".*DiscriminatorFeatures.*not an FID'):
            InceptionFeatures("weights.pth")

    def test_file(self, no_assets):
        extractor_class()
        with pytest.raises(AssetError, match=rf"{FILENAME} .* was not found in .*assets, .*github.com/toshas"):
            InceptionFeatures()
        with pytest.raises(AssetError, match=r"elsewhere.pth does not exist; expected .*DiscriminatorFeatures"):
            InceptionFeatures("elsewhere.pth")


class TestBadFiles:
    def test_a_truncated_download(self, tmp_path):
        path = tmp_path / FILENAME
        path.write_bytes(b"half of it")
        with pytest.raises(AssetError, match=r"SHA-256 .*expected 6726825d0af5….*truncated \(it has 10 bytes"):
            read_weights(path, OFFICIAL)

    def test_the_published_hash_is_that_of_the_files_name(self):
        assert FILENAME.endswith(f"-{OFFICIAL[:8]}.pth")

    def test_a_hash_that_is_none(self, tmp_path):
        with pytest.raises(InputError, match="64 hexadecimal digits, got '6726825d'"):
            read_weights(tmp_path / FILENAME, "6726825d")

    def test_pickled_code_is_not_run(self, tmp_path):
        class Code:
            def __reduce__(self):
                return (open, (str(tmp_path / "was_run"), "w"))

        torch.save({"weight": Code()}, tmp_path / "code.pth")
        with pytest.raises(AssetError, match="may hold code, which is refused"):
            read_weights(tmp_path / "code.pth", sha256_of(tmp_path / "code.pth"))
        assert not (tmp_path / "was_run").exists()

    def test_no_state_dict(self, tmp_path):
        torch.save([torch.zeros(2)], tmp_path / "list.pth")
        with pytest.raises(AssetError, match="holds no state dict of tensors, but a list"):
            read_weights(tmp_path / "list.pth", sha256_of(tmp_path / "list.pth"))

    def test_another_network(self, tmp_path):
        extractor_class()
        torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pth")
        with pytest.raises(AssetError, match=r"does not hold the FID's Inception network: .*[Mm]issing key"):
            InceptionFeatures(tmp_path / "other.pth", sha256=sha256_of(tmp_path / "other.pth"))

    def test_images_in_bytes(self, features):
        with pytest.raises(InputError, match="images must be floating point"):
            features(torch.zeros(1, 3, 8, 8, dtype=torch.uint8))
