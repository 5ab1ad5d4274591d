"""The method in a report, and the two networks that a report asks its teacher's codes by."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from faceuv.files.locate import locate
from faceuv.files.networks import load_network
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.generator import check_same_codes
from faceuv.models.base.subject import Setting, Subject, SubjectView, Targets
from faceuv.registry import MODELS, SUBJECTS
from faceuv.renderers import draw_surface
from faceuv.renderers.compositing import composite
from faceuv.structures import CoefficientLayout, Coefficients
from faceuv_plugin_sample.relief.network import ReliefNetwork
from faceuv_plugin_sample.relief.sheet import sheet
from faceuv_plugin_sample.relief.teacher import EggGenerator


@MODELS.register_module()
class EggReader(nn.Module):
    """A code mapper: an egg is the mean face, seen from the front."""

    num_layers, code_dim, layout = EggGenerator.num_layers, EggGenerator.code_dim, CoefficientLayout()

    def forward(self, code: Tensor) -> Coefficients:
        """``(B, L, D)`` → zeros ``(B, 257)``."""
        return Coefficients.zeros(len(code), self.layout, device=code.device, dtype=code.dtype)

    def yaw(self, code: Tensor) -> Tensor:
        """``(B,)`` radians."""
        return code.new_zeros(len(code))


@MODELS.register_module()
class EggTurner(nn.Module):
    """A code editor for the yaw: the teacher's eggs never turn, so that the code stays."""

    num_layers, code_dim = EggGenerator.num_layers, EggGenerator.code_dim

    def move(self, code: Tensor, target: Tensor | float) -> Tensor:
        """The same codes ``(B, L, D)``."""
        return broadcast_code(code, self.num_layers, self.code_dim).clone()


@SUBJECTS.register_module(name="sample_relief")
class ReliefSubject(Subject):
    """The sheet of a code, turned, over the teacher's picture: ``dict(type="sample_relief", path="{relief}/…")``."""

    about = "depth and colour of a sheet, without a face model"
    capabilities = frozenset(("surface",))

    def __init__(self, setting: Setting, name: str, path: str | Path) -> None:
        super().__init__(setting, name)
        self.path = locate(path)
        self.relief = check_same_codes(load_network(self.path, ReliefNetwork), setting.teacher).to(setting.device)

    @torch.no_grad()
    def show(self, codes: Tensor, targets: Targets) -> SubjectView:
        """One sheet per face for all its views."""
        views = len(targets.images) // len(codes)
        surface = sheet(*self.relief(codes.repeat(views, 1, 1))).replace(rotation=targets.coefficients.rotation)
        drawn = draw_surface(self.setting.renderer.renderer, surface, size=self.setting.size)
        image = composite(drawn.image, drawn.mask, targets.images).clamp(0, 1)
        return SubjectView(image, drawn.mask, render=drawn)
