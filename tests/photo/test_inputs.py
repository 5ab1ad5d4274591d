"""What users bring: grey, turned, large, small and cut photographs, several faces, none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from faceuv.data.images import read_picture
from faceuv.errors import InputError
from faceuv.photo import PhotoHead, making

SIZE = 192


@pytest.fixture(scope="module")
def portrait(portraits) -> torch.Tensor:
    return portraits[0]


@pytest.fixture(scope="module")
def levels(portrait) -> np.ndarray:
    return (portrait.permute(1, 2, 0) * 255).round().byte().numpy()


@pytest.fixture(scope="module")
def plain(portrait, maker) -> PhotoHead:
    return _only(maker.of(portrait, "plain.png"))


def _only(made: list[PhotoHead | str]) -> PhotoHead:
    (one,) = made
    assert isinstance(one, PhotoHead), one
    return one


def _apart(first: PhotoHead, second: PhotoHead) -> tuple[float, float]:
    """Mean distance of the vertices in dm, and of the maps' colours."""
    assert first.face.coefficients is not None and second.face.coefficients is not None
    model = first.face.face_model
    assert model is not None
    shapes = [model.mesh(one.face.coefficients).vertices for one in (first, second)]
    gap = float((shapes[0] - shapes[1]).norm(dim=2).mean())
    return gap, float((first.face.maps.diffuse - second.face.maps.diffuse).abs().mean())


@pytest.mark.parametrize("kind", ["cmyk", "turned", "large"])
def test_the_same_photograph_in_another_file_gives_the_same_head(
    tmp_path, monkeypatch, levels, plain, maker, kind
) -> None:
    path, picture = tmp_path / f"{kind}.jpg", Image.fromarray(levels)
    if kind == "cmyk":
        picture.convert("CMYK").save(path, quality=95)
    elif kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6
        picture.transpose(Image.Transpose.ROTATE_90).save(path, quality=95, exif=exif)
    else:
        monkeypatch.setattr(making, "ENOUGH_PIXELS", SIZE * SIZE)
        picture.resize((4 * SIZE, 4 * SIZE), Image.Resampling.BICUBIC).save(path, quality=95)
    read = read_picture(path, enough=making.ENOUGH_PIXELS)
    assert read.shape == (3, SIZE, SIZE)
    shape, colours = _apart(_only(maker.of(read, path.name)), plain)
    assert shape < 0.03 and colours < 0.03


def test_the_python_call_reads_a_large_file_at_a_smaller_size(tmp_path, monkeypatch, levels, maker) -> None:
    sizes = []
    monkeypatch.setattr(making, "ENOUGH_PIXELS", SIZE * SIZE)
    monkeypatch.setattr(making, "find_faces", lambda finder, picture, most: sizes.append(picture.shape))
    Image.fromarray(levels).resize((3 * SIZE, 3 * SIZE)).save(tmp_path / "large.png")
    with pytest.raises(InputError, match="no face was found"):
        making.head(tmp_path / "large.png", face_model=maker.face_model)
    assert sizes == [(3, SIZE, SIZE)]


def test_a_grey_photograph_of_16_bits_gives_the_same_shape_in_grey_and_says_so(tmp_path, levels, plain, maker) -> None:
    Image.fromarray((levels.astype(np.float32).mean(2) * 257).round().astype(np.uint16)).save(tmp_path / "grey.png")
    grey = _only(maker.of(read_picture(tmp_path / "grey.png"), "grey.png"))
    assert _apart(grey, plain)[0] < 0.08
    assert "no colours" in grey.doubt and "no colours" not in plain.doubt


def test_a_doubtful_find_in_a_grey_picture_is_no_face(plain, maker) -> None:
    found = replace(plain.shots[0], confidence=0.1)
    assert isinstance(maker._head([found], "face 1 of 1"), PhotoHead)  # its colours are those of a face
    said = maker._head([replace(found, square=found.square.mean(0).expand(3, -1, -1))], "face 1 of 1")
    assert "plain.png: face 1 of 1 at" in said and "is hardly a face (confidence 0.10)" in said


def test_half_a_face_at_the_edge_is_doubtful_and_completed_from_the_other_half(portrait, plain, maker) -> None:
    half = _only(maker.of(portrait[:, :, : SIZE // 2 + 8].contiguous(), "half.png"))
    assert "outside the frame" in half.doubt
    assert half.confidence < 0.5 * plain.confidence and half.texture.share < 0.8 * plain.texture.share
    assert _apart(half, plain)[1] < 0.12  # the mirrored side, not the border of the picture


def test_a_face_of_forty_pixels_is_found_and_said_to_be_small(portrait, maker) -> None:
    picture = torch.full((3, 120, 120), 0.6)
    picture[:, 30:94, 30:94] = F.interpolate(portrait[None], size=(64, 64), mode="area")[0]  # the face is 40 of them
    assert "the face is small" in _only(maker.of(picture, "far.png")).doubt


def test_several_faces_go_from_large_to_small_each_at_its_place(portraits, maker) -> None:
    picture = torch.full((3, 200, 350), 0.6)
    picture[:, 4 : 4 + SIZE, 155 : 155 + SIZE] = portraits[0]
    picture[:, 60:180, 20:140] = F.interpolate(portraits[1:], size=(120, 120), mode="area")[0]
    made = maker.of(picture, "two.png")
    facts = [one.face.metadata["photo"] for one in made if isinstance(one, PhotoHead)]
    assert [fact["face"] for fact in facts] == [1, 2] and facts[0]["eye_distance"] > facts[1]["eye_distance"]
    assert [float(one.found.points[:, 0].mean()) > 150 for one in made] == [True, False]
