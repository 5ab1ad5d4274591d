"""Landmark detectors, by name: what finds the 68 points that a fit starts from."""

from faceuv.fitting.landmarks.base import LandmarkDetector, Landmarks

__all__ = ["LandmarkDetector", "Landmarks"]
