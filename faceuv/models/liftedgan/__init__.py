"""LiftedGAN (Shi, Aggarwal, Jain, CVPR 2021): a frozen StyleGAN2 is lifted to depth, albedo, light and view.

Reading order: ``objective`` (the terms, and what a step computes for them), ``scene`` (a code taken apart and drawn),
``geometry`` (depth → mesh, equation 1), ``networks`` (tables 3 and 4), ``method`` (the training), ``generator`` (faces
from codes). README.md beside this file has the diagram.
"""

from typing import TYPE_CHECKING

from faceuv.lazy import lazily
from faceuv.models.liftedgan.distance import DiscriminatorMaps, ImageDistance, VGGMaps
from faceuv.models.liftedgan.generator import ComposedView, LiftedGANGenerator
from faceuv.models.liftedgan.geometry import DepthSpace
from faceuv.models.liftedgan.networks import LiftingNetworks
from faceuv.models.liftedgan.objective import Perturbation, WarmUp
from faceuv.models.liftedgan.parameters import ViewRange, raw_light
from faceuv.models.liftedgan.release import load_networks, read_release
from faceuv.models.liftedgan.samples import SampleNumbers
from faceuv.models.liftedgan.scene import Lifted, draw, lift
from faceuv.models.liftedgan.terms import AlbedoRank, CodePrior, IdentityDistance, LiftedImages, SquaredDifference

if TYPE_CHECKING:
    from faceuv.models.liftedgan.method import LiftedGAN

__all__ = [
    "AlbedoRank",
    "CodePrior",
    "ComposedView",
    "DepthSpace",
    "DiscriminatorMaps",
    "IdentityDistance",
    "ImageDistance",
    "Lifted",
    "LiftedGAN",
    "LiftedGANGenerator",
    "LiftedImages",
    "LiftingNetworks",
    "Perturbation",
    "SampleNumbers",
    "SquaredDifference",
    "VGGMaps",
    "ViewRange",
    "WarmUp",
    "draw",
    "lift",
    "load_networks",
    "raw_light",
    "read_release",
]

__getattr__ = lazily(__name__, {"LiftedGAN": "faceuv.models.liftedgan.method"})
