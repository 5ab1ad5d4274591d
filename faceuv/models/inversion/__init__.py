"""Inversion in UV space: picture → code, coefficients and local detail, after E3DGE (Lan et al., CVPR 2023)."""

from typing import TYPE_CHECKING

from faceuv.lazy import lazily
from faceuv.models.inversion.coverings import CoveringShares
from faceuv.models.inversion.detail import DetailPainter, DetailShares
from faceuv.models.inversion.encoder import Encoded, PyramidEncoder, load_encoder
from faceuv.models.inversion.generator import InversionGenerator, invert_with
from faceuv.models.inversion.growth import PoseGrowth
from faceuv.models.inversion.inverted import InvertedFace, inverted_faces, load_inverted
from faceuv.models.inversion.learned import EncoderInverter
from faceuv.models.inversion.local import LocalBranch, corrected, edit_mask, load_local
from faceuv.models.inversion.pivotal import PivotalTuning
from faceuv.models.inversion.projection import Projection, WPlusProjection, WProjection

if TYPE_CHECKING:
    from faceuv.models.inversion.detailing import LocalDetailing
    from faceuv.models.inversion.encoding import CodeEncoding
    from faceuv.models.inversion.world import GeneratorWorld, Scene

__all__ = [
    "CodeEncoding",
    "CoveringShares",
    "DetailPainter",
    "DetailShares",
    "Encoded",
    "EncoderInverter",
    "GeneratorWorld",
    "InversionGenerator",
    "InvertedFace",
    "LocalBranch",
    "LocalDetailing",
    "PivotalTuning",
    "PoseGrowth",
    "Projection",
    "PyramidEncoder",
    "Scene",
    "WPlusProjection",
    "WProjection",
    "corrected",
    "edit_mask",
    "invert_with",
    "inverted_faces",
    "load_encoder",
    "load_inverted",
    "load_local",
]

__getattr__ = lazily(
    __name__,
    {
        "CodeEncoding": "faceuv.models.inversion.encoding",
        "GeneratorWorld": "faceuv.models.inversion.world",
        "LocalDetailing": "faceuv.models.inversion.detailing",
        "Scene": "faceuv.models.inversion.world",
    },
)
