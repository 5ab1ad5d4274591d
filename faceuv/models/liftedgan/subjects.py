"""LiftedGAN in a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.files.locate import locate
from faceuv.geometry.rotations import euler_to_matrix, rotate
from faceuv.models.base.options import as_options
from faceuv.models.base.subject import Setting, Subject, SubjectView, Targets
from faceuv.models.liftedgan.claims import CLAIMS
from faceuv.models.liftedgan.geometry import DepthSpace
from faceuv.models.liftedgan.parameters import ViewRange
from faceuv.models.liftedgan.release import load_networks
from faceuv.models.liftedgan.scene import (
    Lifted,
    at_rotation,
    check_fits,
    draw_mesh,
    joined,
    lift,
    lit,
    moved_mesh,
    space_renderer,
)
from faceuv.registry import SUBJECTS
from faceuv.renderers.interpolation import interpolate, spread, unit
from faceuv.structures import Mesh, Render


@SUBJECTS.register_module(name="lifted")
class LiftedSubject(Subject):
    """The lifted mesh of a code with its background, turned if asked: ``dict(type="lifted", path="{lift}/…")``.

    Args:
        path: file of the networks; ``zoo:…`` is one of the zoo's.
        space, views: those of the training.
    """

    about = "depth, albedo and light of a code, drawn with its own background"
    capabilities = frozenset(("surface",))
    turns_itself = True
    claims = CLAIMS

    def __init__(
        self,
        setting: Setting,
        name: str,
        path: str | Path,
        *,
        space: dict[str, Any] | DepthSpace | None = None,
        views: dict[str, Any] | ViewRange | None = None,
    ) -> None:
        super().__init__(setting, name)
        self.path = locate(path)
        self.space, self.views_range = as_options(DepthSpace, space, "space"), as_options(ViewRange, views, "views")
        self.networks = load_networks(self.path).to(setting.device)
        check_fits(self.networks, setting.teacher, str(self.path))
        self.renderer = space_renderer("torch", self.space)

    @torch.no_grad()
    def show(self, codes: Tensor, targets: Targets) -> SubjectView:
        """One lifted mesh per face for all its views; without a yaw, in the view that D_V reads.

        No mask: it knows foreground and background, hair is foreground.
        """
        lifted = lift(self.setting.teacher, self.networks, self.setting.broadcast(codes), self.space)
        lifted = joined(*[lifted] * (len(targets.images) // len(codes)))
        if targets.yaw is not None:
            rotation, _ = self.views_range.pose(lifted.view)
            rotation = torch.stack([rotation[:, 0], targets.yaw.to(rotation), rotation[:, 2]], 1)
            lifted = at_rotation(lifted, rotation, self.space, self.views_range)
        render = rendered(self.renderer, lifted, self.space, self.views_range, self.setting.size)
        return SubjectView(render.image.clamp(0, 1), None, render=render)


def rendered(renderer: Any, lifted: Lifted, space: DepthSpace, views: ViewRange, size: int) -> Render:
    """Lifted codes as a :class:`~faceuv.structures.Render`, background and all."""
    mesh: Mesh = moved_mesh(lifted, space, views)
    normals = rotate(lifted.normals, euler_to_matrix(views.pose(lifted.view)[0]))
    drawn = draw_mesh(renderer, mesh, lit(lifted), size)
    seen = renderer.look(mesh, height=size, width=size).at
    normal = spread(unit(interpolate(normals, seen)), seen).permute(0, 3, 1, 2)
    assert mesh.uv is not None  # of the grid
    uv = spread(interpolate(mesh.uv, seen), seen).permute(0, 3, 1, 2)
    return Render(drawn.image, drawn.mask, drawn.depth, normal, uv, drawn.face_id)
