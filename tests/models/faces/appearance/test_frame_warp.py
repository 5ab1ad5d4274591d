"""The warp to canonical coordinates is that of scipy, which takes long to import."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import RBFInterpolator

from faceuv.models.faces.appearance.frame import _warped


def test_it_is_that_of_scipy():
    rng = np.random.default_rng(0)
    knots, moves, at = 40 * rng.normal(size=(66, 3)), 3 * rng.normal(size=(66, 3)), 60 * rng.normal(size=(500, 3))
    expected = RBFInterpolator(knots, moves, kernel="linear", degree=0, smoothing=0.05)(at)
    assert np.abs(_warped(at, knots, moves, smoothing=0.05) - expected).max() < 1e-9
    assert np.abs(_warped(knots, knots, moves, smoothing=0.0) - moves).max() < 1e-9  # without smoothing through all
