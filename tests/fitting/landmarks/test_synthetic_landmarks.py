"""The detector around the small network: frames, mirror images, scores. The network is one that cannot err."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from faceuv.data.cutouts import mirror_points
from faceuv.errors import AssetError, InputError
from faceuv.files.networks import save_network
from faceuv.fitting.landmarks import SyntheticLandmarks
from faceuv.models.readers.landmark_network import LandmarkNetwork

FACE = torch.rand(68, 2, generator=torch.Generator().manual_seed(1)) * 0.4 + 0.3  # places in the picture, in [0, 1]


class Oracle(nn.Module):
    """Reads the place on the picture from its colours (red: across, green: down), and the score from blue.

    Its 68 points are FACE, whatever the frame; a mirrored picture has them with mirrored names.
    """

    size = 32

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean_points", (FACE - 0.5) * 2 * 1.3)
        self.frames: list[torch.Tensor] = []

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        axis = (torch.arange(self.size) + 0.5) * (2 / self.size) - 1
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        inner = slice(self.size // 3, -self.size // 3)  # away from the picture's border, which is continued
        known = torch.stack([x, y, torch.ones_like(x)], 2)[inner, inner].flatten(0, 1)
        points = []
        for colours in image[:, :2, inner, inner].flatten(2).transpose(1, 2):
            affine = torch.linalg.lstsq(known.double(), colours.double()).solution.float()  # (3, 2)
            self.frames.append(affine)
            flipped = bool(torch.linalg.det(affine[:2]) < 0)
            face = mirror_points(FACE[None] * torch.tensor([-1.0, 1.0]))[0] if flipped else FACE
            points.append((face - affine[2]) @ torch.linalg.pinv(affine[:2]))
        return torch.stack(points), 40 * (image[:, 2].mean((1, 2)) - 0.5)

    def features(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self(image)

    def points_of(self, features: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return features[0]

    def logit_of(self, features: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return features[1]


def picture(height: int, width: int, blue: float = 1.0) -> torch.Tensor:
    x, y = (torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height
    colours = [x.expand(height, width), y[:, None].expand(height, width), torch.full((height, width), blue)]
    return torch.stack(colours)[None]


@pytest.fixture
def detector(tmp_path):
    """As it is built from a file, with the network exchanged."""

    def build(**settings) -> SyntheticLandmarks:
        network = LandmarkNetwork(size=32, widths=(8, 8, 8, 8), hidden=8)
        path = save_network(tmp_path / "w.safetensors", network)
        made = SyntheticLandmarks(path, **settings)
        made.network = Oracle()
        return made

    return build


class TestFrames:
    @pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 80), (200, 120)])
    @pytest.mark.parametrize("settings", [dict(looks=1, mirror=False), dict(looks=1), dict(looks=3)])
    def test_points_come_back_to_the_pictures_pixels(self, detector, height, width, settings):
        found = detector(**settings).detect(picture(height, width))
        truth = FACE * torch.tensor([width, height])
        assert found.found.tolist() == [True]
        torch.testing.assert_close(found.points[0], truth, atol=0.02 * min(height, width), rtol=0)
        assert (found.points[0] - truth).norm(dim=1).median() < 0.003 * min(height, width)

    def test_the_second_look_is_as_large_and_upright_as_the_mean_face(self, detector):
        made = detector(looks=2, mirror=False)
        made.detect(picture(64, 64))
        first, second = made.network.frames
        torch.testing.assert_close(first[:2], torch.eye(2) / 2, atol=1e-3, rtol=0)
        # the mean face is 1.3 times as large as this one is in the whole picture
        torch.testing.assert_close(second[:2], torch.eye(2) / 2 / 1.3, atol=5e-3, rtol=0)
        torch.testing.assert_close(second[2], torch.tensor([0.5, 0.5]), atol=5e-3, rtol=0)


class TestScores:
    def test_a_face_or_none(self, detector):
        images = torch.cat([picture(64, 64, 1.0), picture(64, 64, 0.0)])
        found = detector().detect(images)
        assert found.found.tolist() == [True, False]
        assert found.score[0] > 0.99 and found.score[1] < 0.01
        assert found.reasons == ("", "no face was found (score 0.00)")
        assert torch.isfinite(found.points).all()

    def test_the_threshold_and_the_calibration_of_the_file(self, detector):
        images = picture(64, 64, 0.52)  # logit 0.8, score 0.69
        assert detector(threshold=0.6).detect(images).found.tolist() == [True]
        assert detector(threshold=0.8).detect(images).found.tolist() == [False]
        made = detector()
        made.calibration = (1.0, -2.0)
        torch.testing.assert_close(made.detect(images).score, torch.sigmoid(torch.tensor([-1.2])), atol=0.01, rtol=0)


class TestBadPictures:
    def test_nan_spoils_its_own_row_alone(self, detector):
        images = torch.cat([picture(64, 64)] * 3)
        images[1, 0, 5, 5] = float("nan")
        found = detector().detect(images)
        assert found.found.tolist() == [True, False, True] and "NaN" in found.reasons[1]
        assert torch.isfinite(found.points).all() and found.score[1] == 0

    def test_tiny_ones_and_none_at_all(self, detector):
        found = detector().detect(torch.rand(2, 3, 8, 90))
        assert found.reasons == ("90 × 8 pixels are too few: at least 16 are needed either way",) * 2
        assert len(detector().detect(torch.rand(0, 3, 64, 64))) == 0

    def test_double_precision_comes_back(self, detector):
        assert detector().detect(picture(64, 64).double()).points.dtype == torch.float64

    def test_settings_and_files_are_checked(self, detector, tmp_path):
        with pytest.raises(InputError, match="looks ≥ 1"):
            detector(looks=0)
        with pytest.raises(AssetError, match="does not exist"):
            SyntheticLandmarks(tmp_path / "none.safetensors")


def test_the_last_look_can_have_several_sizes(detector):
    made = detector(zooms=(0.7, 1.3), mirror=False)
    found = made.detect(picture(64, 64)).points[0]
    torch.testing.assert_close(found, FACE * 64, atol=0.02 * 64, rtol=0)
    first, small, large = (float(torch.linalg.det(frame[:2]).abs().sqrt()) for frame in made.network.frames)
    assert small / large == pytest.approx(0.7 / 1.3, rel=0.02) and first == pytest.approx(0.5, rel=0.01)
    with pytest.raises(InputError, match="zooms between 0.3 and 3"):
        detector(zooms=())
