"""Evaluation: distances between distributions of images, in feature spaces that are named with every number."""

from faceuv.evaluation.features import DiscriminatorFeatures
from faceuv.evaluation.frechet import FrechetDistance, frechet_distance

__all__ = ["DiscriminatorFeatures", "FrechetDistance", "frechet_distance"]
