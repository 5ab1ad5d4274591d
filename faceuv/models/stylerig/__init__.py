"""StyleRig (Tewari et al., CVPR 2020): pose, expression and light of a frozen generator's faces, by the coefficients of
a face model. Learned from the generator's own pictures.

Reading order: ``method`` (the losses, the training step), ``rignet`` (the network), ``rig`` (what is done with it),
``self_supervised`` (the mapper, trained by rendering), ``generator`` (faces from codes). README.md beside this file has
the diagram.
"""

from typing import TYPE_CHECKING

from faceuv.lazy import lazily
from faceuv.models.stylerig.exact import ExactMapper
from faceuv.models.stylerig.generator import StyleRigGenerator
from faceuv.models.stylerig.groups import CONTROLS
from faceuv.models.stylerig.rig import Rig, RigTurner
from faceuv.models.stylerig.rignet import RigNet, load_rignet

if TYPE_CHECKING:
    from faceuv.models.stylerig.method import StyleRig
    from faceuv.models.stylerig.self_supervised import SelfSupervisedMapping

__all__ = [
    "CONTROLS",
    "ExactMapper",
    "Rig",
    "RigNet",
    "RigTurner",
    "SelfSupervisedMapping",
    "StyleRig",
    "StyleRigGenerator",
    "load_rignet",
]

__getattr__ = lazily(
    __name__,
    {
        "SelfSupervisedMapping": "faceuv.models.stylerig.self_supervised",
        "StyleRig": "faceuv.models.stylerig.method",
    },
)
