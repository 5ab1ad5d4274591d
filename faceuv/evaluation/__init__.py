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
from faceuv.evaluation.inception import InceptionFeatures
from faceuv.evaluation.kernel import KernelDistance, kernel_distance
from faceuv.evaluation.landmark_errors import LandmarkErrors, landmark_errors, summarise_landmarks, summarise_scores
from faceuv.evaluation.yaw_errors import YawErrors

__all__ = [
    "CoefficientErrors",
    "DiscriminatorFeatures",
    "FrechetDistance",
    "InceptionFeatures",
    "KernelDistance",
    "LandmarkErrors",
    "YawErrors",
    "coefficient_errors",
    "face_weight",
    "frechet_distance",
    "kernel_distance",
    "landmark_errors",
    "mean_face",
    "summarise",
    "summarise_landmarks",
    "summarise_scores",
]
