"""The fast PNG writer, read back by Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from faceuv.export.png import fast_png


@pytest.mark.parametrize("shape", [(1, 1, 3), (7, 5, 3), (64, 33, 4), (2, 300, 3)])
def test_pictures_come_back(shape):
    levels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    picture = Image.open(io.BytesIO(fast_png(levels)))
    assert picture.mode == ("RGBA" if shape[2] == 4 else "RGB")
    np.testing.assert_array_equal(np.asarray(picture), levels)


def test_grain_costs_no_more_than_pillow():
    levels = (120 + 8 * np.random.default_rng(0).standard_normal((256, 256, 3))).astype(np.uint8)
    theirs = io.BytesIO()
    Image.fromarray(levels).save(theirs, "PNG")
    assert len(fast_png(levels)) < 1.05 * len(theirs.getvalue())
