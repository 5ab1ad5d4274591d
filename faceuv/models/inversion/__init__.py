"""Inversion in UV space: picture → code, coefficients and local detail, after E3DGE (Lan et al., CVPR 2023)."""

from faceuv.models.inversion.detail import DetailPainter, DetailShares
from faceuv.models.inversion.encoder import Encoded, PyramidEncoder, load_encoder
from faceuv.models.inversion.encoding import CodeEncoding
from faceuv.models.inversion.growth import PoseGrowth
from faceuv.models.inversion.pivotal import PivotalTuning
from faceuv.models.inversion.projection import Projection, WPlusProjection, WProjection
from faceuv.models.inversion.world import GeneratorWorld, Scene

__all__ = [
    "CodeEncoding",
    "DetailPainter",
    "DetailShares",
    "Encoded",
    "GeneratorWorld",
    "PivotalTuning",
    "PoseGrowth",
    "Projection",
    "PyramidEncoder",
    "Scene",
    "WPlusProjection",
    "WProjection",
    "load_encoder",
]
