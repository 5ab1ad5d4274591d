"""From pictures to coefficients: landmark detectors, the fitter, and other sources of coefficients."""

from faceuv.fitting.fit import Fit
from faceuv.fitting.fitter import Fitter
from faceuv.fitting.gradient import AdamStep
from faceuv.fitting.landmarks import LandmarkDetector, Landmarks
from faceuv.fitting.schedules import SCHEDULES
from faceuv.fitting.sources import CoefficientSource, Estimates
from faceuv.fitting.steps import FitStep, LandmarkStep, SurfaceStep

__all__ = [
    "SCHEDULES",
    "AdamStep",
    "CoefficientSource",
    "Estimates",
    "Fit",
    "FitStep",
    "Fitter",
    "LandmarkDetector",
    "LandmarkStep",
    "Landmarks",
    "SurfaceStep",
]
