"""Skin colours from the absorption of melanin and blood: two layers, visible light, a standard observer.

The dermis is a thick scattering layer with blood (Kubelka–Munk); the epidermis above it is a filter with melanin that
light passes twice. The numbers are published tissue optics: absorption of a skin without pigment and of melanosomes
after Jacques, molar extinction of haemoglobin after Prahl, the observer as the sum of Gaussians of Wyman et al. Melanin
lies in grains and blood in vessels, not spread evenly: what they absorb most is flattened (sieve effect), so that dark
skin is a reddish brown, not orange and not olive.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.floating]

WAVELENGTHS = np.arange(400, 701, 10, dtype=np.float64)  # nm

# Molar extinction, cm⁻¹/M, at WAVELENGTHS: with and without oxygen.
_OXYGENATED = np.array(
    [
        266232, 466840, 480360, 246072, 102580, 62816, 44480, 33209, 26629, 23684, 20932, 20035, 24202, 39956, 53236,
        43016, 32613, 44496, 50104, 14400, 3200, 1506, 942, 610, 442, 368, 319, 294, 277, 276, 290,
    ],
    dtype=np.float64,
)  # fmt: skip
_DEOXYGENATED = np.array(
    [
        223296, 303956, 407560, 528600, 413280, 103292, 23388, 16156, 14550, 16684, 20862, 25773, 31589, 39036, 46592,
        53412, 53788, 45072, 37020, 28324, 14677, 9443, 6509, 5149, 4345, 3750, 3226, 2795, 2407, 2052, 1794,
    ],
    dtype=np.float64,
)  # fmt: skip
# Relative power of daylight D65 at WAVELENGTHS.
_DAYLIGHT = np.array(
    [
        82.8, 91.5, 93.4, 86.7, 104.9, 117.0, 117.8, 114.9, 115.9, 108.8, 109.4, 107.8, 104.8, 107.7, 104.4, 104.0,
        100.0, 96.3, 95.8, 88.7, 90.0, 89.6, 87.7, 83.3, 83.7, 80.0, 80.2, 82.3, 78.3, 69.7, 71.6,
    ]
)  # fmt: skip
_WHOLE_BLOOD = math.log(10) * 150.0 / 64_500.0  # molar extinction → cm⁻¹ of blood with 150 g/l haemoglobin
_PATH = 0.028  # cm: what light travels within the epidermis, both ways, scattering included
_SURFACE = 0.024  # of the light is reflected before it enters, and seen from everywhere
_MELANOSOME = 388.0  # cm⁻¹ at 600 nm
_STEEP = 3.63  # exponent of the absorption of melanosomes over wavelength
_GRAIN = 0.0023  # cm, how much light the grains of melanin take before the inside of a grain lies in its own shadow
_YELLOW = 3.46  # cm⁻¹ of carotene at 462 nm
_EXPOSURE = 1.12  # faces are exposed a little brighter than a white sheet would be
_TO_SRGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])

MELANIN_RANGE = (0.004, 0.55)
"""Volume fraction of melanosomes in the epidermis, from the palest skin to beyond the darkest."""
BLOOD_RANGE = (0.001, 0.25)
"""Volume fraction of blood in the dermis, from pallor to vermilion."""
_STEPS = (96, 48)


def reflectance(melanin: Array | float, blood: Array | float, oxygen: float = 0.85, carotene: float = 1.0) -> Array:
    """Diffuse reflectance ``(..., 31)`` of skin at :data:`WAVELENGTHS`.

    Args:
        melanin: volume fraction of melanosomes in the epidermis.
        blood: volume fraction of blood in the dermis.
        oxygen: share of the haemoglobin that carries oxygen.
        carotene: yellow pigment; 1 is usual.
    """
    melanin, blood = np.asarray(melanin)[..., None], np.asarray(blood)[..., None]
    nm = WAVELENGTHS
    bare = 0.244 + 85.3 * np.exp(-(nm - 154.0) / 66.2)
    haemoglobin = oxygen * _OXYGENATED + (1 - oxygen) * _DEOXYGENATED
    yellow = carotene * _YELLOW * np.exp(-(((nm - 462.0) / 34.0) ** 2))
    # In vessels of some width the blood in the middle sees little of the light that is absorbed most.
    bulk = _WHOLE_BLOOD * haemoglobin
    seen = bulk * (1 - np.exp(-bulk * 0.005)) / np.maximum(bulk * 0.005, 1e-9)
    absorbed = blood * seen + (1 - blood) * (bare + yellow)
    scattered = 46.0 * (nm / 500.0) ** -1.35
    ratio = 2 * absorbed / (0.9 * scattered)
    dermis = 1 + ratio - np.sqrt(ratio * ratio + 2 * ratio)
    grain = _sieved(_MELANOSOME * (nm / 600.0) ** -_STEEP) * _MELANOSOME / _sieved(np.float64(_MELANOSOME))
    filtered = np.exp(-_PATH * (melanin * grain + (1 - melanin) * bare * 0.5))
    return _SURFACE + (1 - _SURFACE) * dermis * filtered


def _sieved(absorption: Array | np.float64) -> Array:
    """What grains of a size absorb, per unit of their size."""
    found: Array = (1 - np.exp(-_GRAIN * absorption)) / _GRAIN
    return found


def display_colour(spectra: Array) -> Array:
    """sRGB ``(..., 3)`` in [0, 1] of reflectances ``(..., 31)`` as a camera set to daylight shows them."""
    lit = spectra * _DAYLIGHT
    white = _linear(_DAYLIGHT)
    return encode(_EXPOSURE * _linear(lit) / white)


def _linear(power: Array) -> Array:
    return power @ _observer().T @ _TO_SRGB.T


def _observer() -> Array:
    """``(3, 31)``: x̄, ȳ, z̄."""

    def lobe(height: float, middle: float, below: float, above: float) -> Array:
        width = np.where(middle > WAVELENGTHS, below, above)
        return height * np.exp(-0.5 * ((WAVELENGTHS - middle) / width) ** 2)

    x = lobe(1.056, 599.8, 37.9, 31.0) + lobe(0.362, 442.0, 16.0, 26.7) - lobe(0.065, 501.1, 20.4, 26.2)
    y = lobe(0.821, 568.8, 46.9, 40.5) + lobe(0.286, 530.9, 16.3, 31.1)
    z = lobe(1.217, 437.0, 11.8, 36.0) + lobe(0.681, 459.0, 26.0, 13.8)
    return np.stack([x, y, z])


def encode(linear: Array) -> Array:
    """Linear light → sRGB values, clipped to [0, 1]."""
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


@functools.lru_cache(maxsize=8)
def tone_table(oxygen: float = 0.85, carotene: float = 1.0) -> Tensor:
    """``(3, 96, 48)``: the sRGB of skin over the logarithms of melanin (rows) and blood (columns)."""
    melanin = np.geomspace(*MELANIN_RANGE, _STEPS[0])
    blood = np.geomspace(*BLOOD_RANGE, _STEPS[1])
    colours = display_colour(reflectance(melanin[:, None], blood[None], oxygen, carotene))
    return torch.from_numpy(np.moveaxis(colours, -1, 0).astype(np.float32).copy())


def skin_colour(log_melanin: Tensor, log_blood: Tensor, oxygen: float = 0.85, carotene: float = 1.0) -> Tensor:
    """sRGB ``(N, 3)`` of skin with these natural logarithms ``(N,)`` of melanin and blood; beyond the ranges of the
    table the nearest colour."""
    table = tone_table(round(oxygen, 3), round(carotene, 2))

    def place(value: Tensor, span: tuple[float, float]) -> Tensor:
        low, high = math.log(span[0]), math.log(span[1])
        return ((value - low) / (high - low)).clamp(0, 1) * 2 - 1

    grid = torch.stack([place(log_blood, BLOOD_RANGE), place(log_melanin, MELANIN_RANGE)], -1)
    found = F.grid_sample(table[None].to(grid), grid[None, None], mode="bilinear", align_corners=True)
    return found[0, :, 0].T
