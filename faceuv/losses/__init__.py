"""Losses: small modules ``loss(pred: dict, target: dict) → scalar``. Weights of loss terms stand in the config."""

from faceuv.losses.adversarial import DiscriminatorLogistic, GeneratorLogistic
from faceuv.losses.base import entry
from faceuv.losses.code import CodeDistance
from faceuv.losses.coefficients import AlbedoVariance, CoefficientPenalty
from faceuv.losses.distance import MeanDistance
from faceuv.losses.features import FeatureMatching
from faceuv.losses.gradient_penalty import R1Penalty
from faceuv.losses.landmark import LandmarkLoss, landmark_weights
from faceuv.losses.maps import MapPenalty
from faceuv.losses.perceptual import LPIPS, DiscriminatorPerceptual, Perceptual
from faceuv.losses.photometric import PhotometricLoss, rounded_length, saturating
from faceuv.losses.pyramid import PyramidL1
from faceuv.losses.render import RenderLoss
from faceuv.losses.standardised import RawL1, StandardisedL1

__all__ = [
    "LPIPS",
    "AlbedoVariance",
    "CodeDistance",
    "CoefficientPenalty",
    "DiscriminatorLogistic",
    "DiscriminatorPerceptual",
    "FeatureMatching",
    "GeneratorLogistic",
    "LandmarkLoss",
    "MapPenalty",
    "MeanDistance",
    "Perceptual",
    "PhotometricLoss",
    "PyramidL1",
    "R1Penalty",
    "RawL1",
    "RenderLoss",
    "StandardisedL1",
    "entry",
    "landmark_weights",
    "rounded_length",
    "saturating",
]
