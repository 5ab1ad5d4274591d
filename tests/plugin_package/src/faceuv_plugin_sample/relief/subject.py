"""The method in a report: no network reads coefficients off its codes, and none turns them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from faceuv.files.locate import locate
from faceuv.files.networks import load_network
from faceuv.models.base.generator import check_same_codes
from faceuv.models.base.subject import Setting, Subject, SubjectView, Targets
from faceuv.models.faces.control import turned
from faceuv.registry import RENDERERS, SUBJECTS
from faceuv.renderers import draw_surface
from faceuv.renderers.compositing import composite
from faceuv_plugin_sample.relief.network import ReliefNetwork
from faceuv_plugin_sample.relief.sheet import sheet


@SUBJECTS.register_module(name="sample_relief")
class ReliefSubject(Subject):
    """The sheet of a code over the teacher's picture, turned if asked: ``dict(type="sample_relief",
    path="{relief}/…")``."""

    about = "depth and colour of a sheet, without a face model"
    capabilities = frozenset(("surface",))
    turns_itself = True

    def __init__(self, setting: Setting, name: str, path: str | Path) -> None:
        super().__init__(setting, name)
        self.path = locate(path)
        self.relief = check_same_codes(load_network(self.path, ReliefNetwork), setting.teacher).to(setting.device)
        self.renderer = RENDERERS.build("torch")

    @torch.no_grad()
    def show(self, codes: Tensor, targets: Targets) -> SubjectView:
        """One sheet per face for all its views."""
        views = len(targets.images) // len(codes)
        surface = sheet(*self.relief(codes.repeat(views, 1, 1)))
        if targets.yaw is not None:
            surface = surface.replace(rotation=turned(surface.rotation, yaw_deg=targets.yaw.rad2deg()))
        drawn = draw_surface(self.renderer, surface, size=self.setting.size)
        image = composite(drawn.image, drawn.mask, targets.images).clamp(0, 1)
        return SubjectView(image, drawn.mask, render=drawn)
