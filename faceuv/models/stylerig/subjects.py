"""StyleRig in a report: the teacher's picture, turned by the rig."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from faceuv.files.locate import locate
from faceuv.models.base.generator import check_same_codes
from faceuv.models.base.subject import Setting, Subject, SubjectView, Targets
from faceuv.models.stylefaceuv.mappers import load_mapper
from faceuv.models.stylerig.rig import Rig, RigTurner
from faceuv.models.stylerig.rignet import load_rignet
from faceuv.registry import SUBJECTS
from faceuv.structures import Coefficients


@SUBJECTS.register_module(name="rig")
class RigSubject(Subject):
    """The teacher's picture of the code that StyleRig turned: ``dict(type="rig", path="{rig}/rignet.safetensors",
    mapper="{dfr}/mapper.safetensors")``. Beside it, ``turned`` is the picture that F_yaw turned.

    The coefficients are those that the rig's mapper reads off the moved code, where its layout is the setting's.

    Args:
        path: file of RigNet.
        mapper: file of the mapper that it was trained with.
    """

    about = "the teacher's picture of the code that the rig turned"
    capabilities = frozenset(("coefficients",))
    needs = ("mapper",)
    turns_itself = True
    shows_teacher = True

    def __init__(self, setting: Setting, name: str, path: str | Path, mapper: str | Path) -> None:
        super().__init__(setting, name)
        self.path = locate(path)
        network = check_same_codes(load_rignet(self.path), setting.teacher)
        self.rig = Rig(network, load_mapper(locate(mapper), setting.teacher)).to(setting.device)
        self.rig.mapper.check_layout(setting.faces.face_model.layout)
        self.turner = RigTurner(self.rig)

    @torch.no_grad()
    def show(self, codes: Tensor, targets: Targets) -> SubjectView:
        """The pictures; the original pose is the teacher's own."""
        if targets.yaw is None:
            moved = codes
        else:
            views = len(targets.images) // len(codes)
            moved = self.turner.move(codes.repeat(views, 1, 1), targets.yaw)
        seen: Coefficients = self.rig.mapper(moved)
        return SubjectView(self.setting.pictures(moved), coefficients=seen)
