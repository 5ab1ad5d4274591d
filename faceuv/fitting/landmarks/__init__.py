"""Detectors of the 68 landmarks that a fit starts from."""

from faceuv.fitting.landmarks.base import LandmarkDetector, Landmarks
from faceuv.fitting.landmarks.face_alignment import FaceAlignmentLandmarks
from faceuv.fitting.landmarks.precomputed import PrecomputedLandmarks, save_landmarks
from faceuv.fitting.landmarks.synthetic import SyntheticLandmarks

__all__ = [
    "FaceAlignmentLandmarks",
    "LandmarkDetector",
    "Landmarks",
    "PrecomputedLandmarks",
    "SyntheticLandmarks",
    "save_landmarks",
]
