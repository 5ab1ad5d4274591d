"""Evaluation: errors of coefficients against the truth; distances between distributions of images, in feature spaces
that are named with every number."""

from faceuv.evaluation.coefficient_errors import (
    CoefficientErrors,
    coefficient_errors,
    face_weight,
    mean_face,
    summarise,
)
from faceuv.evaluation.features import DiscriminatorFeatures
from faceuv.evaluation.frechet import FrechetDistance, frechet_distance

__all__ = [
    "CoefficientErrors",
    "DiscriminatorFeatures",
    "FrechetDistance",
    "coefficient_errors",
    "face_weight",
    "frechet_distance",
    "mean_face",
    "summarise",
]
