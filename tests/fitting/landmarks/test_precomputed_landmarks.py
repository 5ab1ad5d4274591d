"""Landmarks from files: every form, rescaled, never unpickled; what is missing is a row that says so."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from faceuv.errors import AssetError, InputError
from faceuv.fitting.landmarks import Landmarks, save_landmarks
from faceuv.registry import LANDMARK_DETECTORS

POINTS = torch.rand(3, 68, 2, generator=torch.Generator().manual_seed(0)) * 60 + 2


def detector(path):
    return LANDMARK_DETECTORS.build(dict(type="PrecomputedLandmarks", path=str(path)))


def images(count: int, height: int = 64, width: int = 80) -> torch.Tensor:
    return torch.zeros(count, 3, height, width)


@pytest.fixture(params=[".json", ".npz", ".safetensors"])
def file(request, tmp_path):
    marks = Landmarks(POINTS, torch.tensor([True, True, False]), torch.tensor([0.9, 1.0, 0.2]))
    path = tmp_path / f"marks{request.param}"
    return save_landmarks(path, ["a.png", "faces/b.png", "c.png"], marks, [(80, 64)] * 3)


class TestFiles:
    def test_comes_back(self, file):
        found = detector(file).detect(images(3), ["a.png", "faces/b.png", "c.png"])
        assert found.found.tolist() == [True, True, False]
        torch.testing.assert_close(found.points[:2], POINTS[:2], atol=1e-3, rtol=0)
        assert found.reasons[:2] == ("", "") and found.reasons[2]

    def test_is_rescaled_to_the_picture(self, file):
        found = detector(file).detect(images(1, 32, 40), ["a.png"])
        torch.testing.assert_close(found.points[0], POINTS[0] / 2, atol=1e-3, rtol=0)

    def test_another_picture_of_that_name_is_refused(self, file):
        found = detector(file).detect(images(1, 64, 64), ["a.png"])
        assert not found.found[0] and "80 × 64" in found.reasons[0] and "64 × 64" in found.reasons[0]

    def test_missing_names_are_rows(self, file):
        found = detector(file).detect(images(2), ["nowhere.png", "a.png"])
        assert found.found.tolist() == [False, True]
        assert found.reasons[0] == f"{file.name} has no landmarks of 'nowhere.png'"

    def test_folders_do_not_matter_where_the_file_is_one(self, file):
        found = detector(file).detect(images(2), ["/elsewhere/a.png", "b.png"])
        assert found.found.tolist() == [True, True]

    def test_names_are_needed(self, file):
        with pytest.raises(InputError, match="pass names"):
            detector(file).detect(images(1))

    def test_nan_pictures_have_none(self, file):
        picture = images(1)
        picture[0, 0, 0, 0] = float("nan")
        assert "NaN" in detector(file).detect(picture, ["a.png"]).reasons[0]


class TestForms:
    def test_json_of_points_alone_is_in_the_pictures_pixels(self, tmp_path):
        path = tmp_path / "a.json"
        path.write_text(json.dumps({"a.png": POINTS[0].tolist()}), encoding="utf-8")
        for side in (64, 128):
            found = detector(path).detect(images(1, side, side), ["a.png"])
            torch.testing.assert_close(found.points[0], POINTS[0])

    def test_files_of_one_name_in_two_folders_need_their_folders(self, tmp_path):
        path = tmp_path / "a.json"
        path.write_text(json.dumps({f"{k}/a.png": POINTS[k].tolist() for k in (0, 1)}), encoding="utf-8")
        found = detector(path).detect(images(2), ["a.png", "1/a.png"])
        assert found.found.tolist() == [False, True]
        torch.testing.assert_close(found.points[1], POINTS[1])

    def test_nan_points_are_no_points(self, tmp_path):
        path = tmp_path / "a.npz"
        points = POINTS[:1].numpy().copy()
        points[0, 3] = np.nan
        np.savez(path, names=np.array(["a"]), points=points)
        found = detector(path).detect(images(1), ["a"])
        assert not found.found[0] and "NaN" in found.reasons[0] and torch.isfinite(found.points).all()


class TestBadFiles:
    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("a.json", b"{", "is not JSON"),
            ("a.json", b"[1]", "must be an object, picture name → landmarks, found list"),
            ("a.json", b'{"x.png": [[1, 2]]}', r"'x.png' must have 68 points \(x, y\), found shape \(1, 2\)"),
            ("a.json", b'{"x.png": "no"}', "are not numbers"),
            ("a.npz", b"PK damaged", "not a readable .npz"),
            ("a.safetensors", b"damaged", "not a readable safetensors"),
            ("a.txt", b"", "landmarks are read from .json, .npz, .safetensors"),
        ],
    )
    def test_messages(self, tmp_path, name, content, message):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(AssetError, match=message):
            detector(tmp_path / name)

    def test_pickled_arrays_are_not_unpickled(self, tmp_path):
        path = tmp_path / "a.npz"
        np.savez(path, names=np.array(["a"], dtype=object), points=POINTS[:1].numpy())
        with pytest.raises(AssetError, match="plain arrays"):
            detector(path)

    def test_sizes_must_be_sizes(self, tmp_path):
        path = tmp_path / "a.json"
        path.write_text(json.dumps({"a": {"size": [0, 4], "points": POINTS[0].tolist()}}), encoding="utf-8")
        with pytest.raises(AssetError, match=r"must be \[width, height\]"):
            detector(path)

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(AssetError, match="does not exist"):
            detector(tmp_path / "none.json")

    def test_names_are_written_once(self, tmp_path):
        marks = Landmarks(POINTS[:2], torch.ones(2, dtype=torch.bool), torch.ones(2))
        with pytest.raises(InputError, match="one name"):
            save_landmarks(tmp_path / "a.json", ["a", "a"], marks, [(8, 8)] * 2)
        with pytest.raises(InputError, match="written as"):
            save_landmarks(tmp_path / "a.txt", ["a", "b"], marks, [(8, 8)] * 2)
        with pytest.raises(InputError, match="expected 2 names and sizes, got 1 and 2"):
            save_landmarks(tmp_path / "a.json", ["a"], marks, [(8, 8)] * 2)
