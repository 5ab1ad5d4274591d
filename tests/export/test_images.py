"""PNG files and contact sheets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from faceuv.errors import InputError
from faceuv.export import contact_sheet, save_png
from faceuv.export.images import to_bytes

RED, GREEN = (torch.zeros(3, 8, 10).index_fill(0, torch.tensor(k), 1.0) for k in (0, 1))


def test_png_round_trip_is_exact_on_8_bit_values(tmp_path: Path) -> None:
    levels = torch.arange(256.0).reshape(1, 16, 16).expand(3, -1, -1) / 255
    path = save_png(tmp_path / "new" / "ramp.png", levels)
    np.testing.assert_array_equal(np.asarray(Image.open(path))[..., 0].ravel(), np.arange(256))


def test_png_is_deterministic(tmp_path: Path) -> None:
    image = torch.rand(3, 20, 30, generator=torch.Generator().manual_seed(0))
    assert save_png(tmp_path / "a.png", image).read_bytes() == save_png(tmp_path / "b.png", image).read_bytes()


def test_to_bytes_rounds_and_clamps() -> None:
    image = torch.tensor([-0.2, 0.4999 / 255, 0.5001 / 255, 1.7]).expand(3, 1, 4)
    assert to_bytes(image)[0, :, 0].tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (torch.zeros(8, 8, 3), r"must have shape \(3, H, W\), got \(8, 8, 3\)"),
        (torch.zeros(3, 8, 8, dtype=torch.uint8), "must be floating point, got torch.uint8"),
        (torch.full((3, 2, 2), float("inf")), "holds NaN or infinity"),
    ],
)
def test_bad_images_are_named(image: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        to_bytes(image)


def test_sheet_places_images_row_by_row() -> None:
    sheet = contact_sheet([RED, GREEN, GREEN], columns=2, margin=2, background=(0, 0, 1))
    assert sheet.shape == (3, 2 + 2 * 10, 2 + 2 * 12)
    assert torch.equal(sheet[:, 2:10, 2:12], RED)
    assert torch.equal(sheet[:, 2:10, 14:24], GREEN)
    assert torch.equal(sheet[:, 12:20, 2:12], GREEN)
    blue = torch.tensor([0.0, 0.0, 1.0])
    assert torch.equal(sheet[:, 0, 0], blue)
    assert torch.equal(sheet[:, 15, 20], blue)  # the empty cell


def test_sheet_is_roughly_square_by_default() -> None:
    assert contact_sheet([RED] * 7, margin=0).shape == (3, 24, 30)


@pytest.mark.parametrize("background", [(1.0, 1.0, 1.0), (0.0, 0.0, 0.0)])
def test_labels_are_legible_and_leave_the_pictures_alone(background: tuple[float, float, float]) -> None:
    grey = torch.full((3, 64, 64), 0.5)
    sheet = contact_sheet([grey, grey], labels=["+30°", "a label far too long for it"], margin=3, background=background)
    caption = sheet.shape[1] - 2 * 3 - 64
    assert 10 < caption < 24
    assert torch.allclose(sheet[:, 3:67, 3:67], grey, atol=1 / 255)
    text = sheet[:, 67:-3, 3:67]
    assert (text - torch.tensor(background).view(3, 1, 1)).abs().max() > 0.7
    gap = sheet[:, :, 67:70]  # shortened labels stay within their cell
    assert torch.equal(gap, torch.tensor(background).view(3, 1, 1).expand_as(gap))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"images": []}, "at least one image"),
        ({"images": [RED, RED[:, :4]]}, "image 1 is 4 × 10, image 0 8 × 10"),
        ({"images": [RED], "labels": ["a", "b"]}, "1 images, 2 labels"),
        ({"images": [RED], "columns": 0}, "columns=0"),
        ({"images": [RED], "margin": -1}, "margin=-1"),
    ],
)
def test_bad_sheets_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        contact_sheet(**arguments)
