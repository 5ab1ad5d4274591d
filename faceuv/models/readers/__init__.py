"""Readers: networks that read images, and their training. Landmarks, and the coefficients of a face model."""

from typing import TYPE_CHECKING

from faceuv.files.networks import save_network
from faceuv.lazy import lazily
from faceuv.models.readers.landmark_network import LandmarkNetwork
from faceuv.models.readers.maps import RegressorMaps
from faceuv.models.readers.regressor import CoefficientRegressor, load_regressor

if TYPE_CHECKING:
    from faceuv.models.readers.landmark_training import LandmarkRegression
    from faceuv.models.readers.regressor_training import CoefficientRegression

__all__ = [
    "CoefficientRegression",
    "CoefficientRegressor",
    "LandmarkNetwork",
    "LandmarkRegression",
    "RegressorMaps",
    "load_regressor",
    "save_network",
]

__getattr__ = lazily(
    __name__,
    {
        "CoefficientRegression": "faceuv.models.readers.regressor_training",
        "LandmarkRegression": "faceuv.models.readers.landmark_training",
    },
)
