"""Landmark detectors, by name: what finds the 68 points that a fit starts from."""

from faceuv.fitting.landmarks.base import LandmarkDetector, Landmarks
from faceuv.fitting.landmarks.drawing import draw_points
from faceuv.fitting.landmarks.face_alignment import FaceAlignmentLandmarks
from faceuv.fitting.landmarks.precomputed import PrecomputedLandmarks, save_landmarks
from faceuv.fitting.landmarks.synthetic import SyntheticLandmarks
from faceuv.fitting.landmarks.truth import LandmarkTruth, interocular_distance

__all__ = [
    "FaceAlignmentLandmarks",
    "LandmarkDetector",
    "LandmarkTruth",
    "Landmarks",
    "PrecomputedLandmarks",
    "SyntheticLandmarks",
    "draw_points",
    "interocular_distance",
    "save_landmarks",
]
