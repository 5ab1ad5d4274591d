"""Evaluation: renders against pictures and against the truth, identity, consistency between views, turning, errors of
coefficients and landmarks; distances between distributions of images, in feature spaces that are named with every
number."""

from faceuv.evaluation.arcface import ArcFaceIdentity
from faceuv.evaluation.coefficient_errors import (
    CoefficientErrors,
    coefficient_errors,
    face_weight,
    mean_face,
    summarise,
)
from faceuv.evaluation.consistency import TexelView, texel_difference, texel_view, unproject, view_difference
from faceuv.evaluation.dlib_identity import DlibIdentity
from faceuv.evaluation.features import DiscriminatorFeatures, RegressorFeatures
from faceuv.evaluation.frechet import FrechetDistance, feature_moments, frechet_distance, frechet_distance_of
from faceuv.evaluation.hidden_views import HiddenViews, seen_and_unseen
from faceuv.evaluation.identity import (
    IdentityFeatures,
    IdentitySimilarity,
    RegressorIdentity,
    distance,
    identity_similarity,
    similarity,
)
from faceuv.evaluation.inception import InceptionFeatures
from faceuv.evaluation.kernel import KernelDistance, kernel_distance, kernel_distance_of
from faceuv.evaluation.landmark_errors import LandmarkErrors, landmark_errors, summarise_landmarks, summarise_scores
from faceuv.evaluation.mean_errors import MeanErrors
from faceuv.evaluation.reconstruction import (
    Reconstruction,
    masked_l1,
    masked_psnr,
    masked_ssim,
    reconstruction_errors,
)
from faceuv.evaluation.truth_errors import (
    albedo_error,
    depth_error,
    depth_error_mm,
    normal_error_deg,
    unseen_pixels,
    unseen_texels,
)
from faceuv.evaluation.yaw_errors import PoseErrors, YawErrors, angle_errors_deg, turning_errors

__all__ = [
    "ArcFaceIdentity",
    "CoefficientErrors",
    "DiscriminatorFeatures",
    "DlibIdentity",
    "FrechetDistance",
    "HiddenViews",
    "IdentityFeatures",
    "IdentitySimilarity",
    "InceptionFeatures",
    "KernelDistance",
    "LandmarkErrors",
    "MeanErrors",
    "PoseErrors",
    "Reconstruction",
    "RegressorFeatures",
    "RegressorIdentity",
    "TexelView",
    "YawErrors",
    "albedo_error",
    "angle_errors_deg",
    "coefficient_errors",
    "depth_error",
    "depth_error_mm",
    "distance",
    "face_weight",
    "feature_moments",
    "frechet_distance",
    "frechet_distance_of",
    "identity_similarity",
    "kernel_distance",
    "kernel_distance_of",
    "landmark_errors",
    "masked_l1",
    "masked_psnr",
    "masked_ssim",
    "mean_face",
    "normal_error_deg",
    "reconstruction_errors",
    "seen_and_unseen",
    "similarity",
    "summarise",
    "summarise_landmarks",
    "summarise_scores",
    "texel_difference",
    "texel_view",
    "turning_errors",
    "unproject",
    "unseen_pixels",
    "unseen_texels",
    "view_difference",
]
