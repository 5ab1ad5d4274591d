"""StyleFaceUV in a report: the method, the linear face without maps, and the 2D rotation that it is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.errors import InputError
from faceuv.files.locate import locate
from faceuv.models.base.subject import Setting, Subject, SubjectView, Targets
from faceuv.models.stylefaceuv.claims import CLAIMS
from faceuv.models.stylefaceuv.uv_generator import UVGenerator, load_uv_generator
from faceuv.registry import SUBJECTS


@SUBJECTS.register_module(name="uv")
class UVSubject(Subject):
    """Maps of a UV generator on the mapper's face, drawn over the teacher's image: ``dict(type="uv", path="{uv}/…")``.

    One pair of maps per face is drawn from every side.

    Args:
        path: file of the UV generator; ``zoo:…`` is one of the zoo's.
        generator: the UV generator itself, in place of a file.
    """

    about = "maps of the UV generator on the mapper's face, over the teacher's picture"
    capabilities = frozenset(("coefficients", "maps", "surface"))
    claims = CLAIMS
    needs = ("mapper",)

    def __init__(
        self,
        setting: Setting,
        name: str,
        path: str | Path | None = None,
        *,
        generator: UVGenerator | None = None,
    ) -> None:
        super().__init__(setting, name)
        if (path is None) == (generator is None):
            raise InputError(f"the subject {name!r} of type 'uv' needs a path, the file of a UV generator")
        if path is not None:
            self.path = locate(path)
            generator = load_uv_generator(self.path)
        assert generator is not None  # one of the two was given
        teacher = setting.teacher
        if (generator.num_layers, generator.code_dim) != (teacher.num_layers, teacher.code_dim):
            raise InputError(
                f"the UV generator of {name!r} reads codes with L = {generator.num_layers}, D = {generator.code_dim};"
                f" the teacher's have L = {teacher.num_layers}, D = {teacher.code_dim}: it belongs to another teacher"
            )
        self.generator = generator.to(setting.device)

    @staticmethod
    def check_config(settings: Mapping[str, Any]) -> None:
        """What can be known to be wrong before anything runs."""
        if not isinstance(settings.get("path"), str):
            raise InputError(
                "a subject of type 'uv' needs path, the file of a UV generator: dict(type='uv',"
                " path='{uv}/uv_generator.safetensors')"
            )

    @torch.no_grad()
    def show(self, codes: Tensor, targets: Targets) -> SubjectView:
        """One pair of maps per face for all its views."""
        return self.setting.draw_over(targets, self.generator(codes))


@SUBJECTS.register_module(name="linear")
class LinearSubject(Subject):
    """The mapper alone: its mesh with the linear albedo, drawn over the teacher's image: ``dict(type="linear")``."""

    about = "the mapper's mesh and linear albedo, no maps"
    capabilities = frozenset(("coefficients", "surface"))
    needs = ("mapper",)

    @torch.no_grad()
    def show(self, codes: Tensor, targets: Targets) -> SubjectView:
        """The linear face."""
        return self.setting.draw_over(targets)


@SUBJECTS.register_module(name="turned")
class TurnedSubject(Subject):
    """Rotation in 2D, as InterFaceGAN does it: the teacher's image of the moved code: ``dict(type="turned")``.

    The coefficients are those that the mapper reads off the moved code: they say where the image shows which texel.
    """

    about = "the teacher's picture of the code moved along the yaw direction"
    capabilities = frozenset(("coefficients",))
    needs = ("mapper",)
    shows_teacher = True

    def show(self, codes: Tensor, targets: Targets) -> SubjectView:
        """The image."""
        return SubjectView(targets.images, coefficients=targets.read)
