"""Images of the state of the training."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from faceuv.export.surfaces import GREY, LAMP, displacement_colours
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.models.faces.several_views import turned
from faceuv.models.stylefaceuv.teacher_views import TeacherViews
from faceuv.models.stylefaceuv.uv_generator import UVGenerator
from faceuv.models.stylefaceuv.views import render_views
from faceuv.structures import Coefficients, UVMaps

TURNED = math.radians(45)


def view_sheet(networks: TeacherViews, renderer: FaceRenderer, generator: UVGenerator, code: Tensor) -> Tensor:
    """Per face a strip ``(B, 3, S, 6·S)``: the teacher's image, the render over it, the teacher's symmetric view and
    the render over that, the render turned to 45°, and the shape in grey. Coefficients are the mapper's."""
    teacher, mapper = networks.teacher.network, networks.mapper.network
    size = teacher.size
    maps = generator(code)
    own = mapper(code)
    seen = [teacher.synthesis(code).clamp(0, 1)]
    strips = [seen[0], render_views(renderer, own, maps, size).over(seen[0])]
    if networks.stepper is not None:
        mirrored = networks.stepper.network.move(code, -own.rotation[:, 1])
        other = teacher.synthesis(mirrored).clamp(0, 1)
        strips += [other, render_views(renderer, mapper(mirrored), maps, size).over(other)]
    strips.append(render_views(renderer, turned(own, TURNED), maps, size).image)
    strips.append(grey_shape(renderer, own, maps, size))
    return torch.cat(strips, 3).clamp(0, 1)


def map_sheet(generator: UVGenerator, code: Tensor) -> Tensor:
    """Per face ``(B, 3, H, W)`` or twice as wide: the diffuse map, and the displacement, grey for none."""
    maps = generator(code)
    found = [] if maps.diffuse is None else [maps.diffuse]
    if maps.displacement is not None:
        found.append(displacement_colours(maps.displacement, generator.displacement_scale))
    return torch.cat(found, 3).clamp(0, 1)


def grey_shape(renderer: FaceRenderer, coefficients: Coefficients, maps: UVMaps | None, size: int) -> Tensor:
    """The displaced surface of B faces in grey, under one lamp, over black ``(B, 3, S, S)``."""
    plain = coefficients.data.new_full((1, 3, 2, 2), GREY)
    bare = UVMaps(diffuse=plain, displacement=None if maps is None else maps.displacement)
    lamp = coefficients.data.new_tensor(LAMP).expand(1, 3, 9)
    image: Tensor = renderer(coefficients, bare, size=size, lighting=lamp).image
    return image.clamp(0, 1)
