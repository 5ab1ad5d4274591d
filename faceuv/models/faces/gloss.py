"""Gleams in pictures of heads with our skin: oil on skin, water on lips and teeth, the lamp in the eyes.

The light of a scene is spherical harmonics, which have no highlights: the gleam is that of one soft lamp where most of
its light comes from. Fitting and training draw without it; :meth:`faceuv.Face.render` adds it.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from faceuv.geometry import sample_map
from faceuv.geometry.projection import project
from faceuv.models.faces.appearance import has_appearance
from faceuv.models.faces.appearance.curves import smoothstep
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.hair.lights import light_on, main_light, unit
from faceuv.renderers.surface import world_mesh
from faceuv.structures import Camera, Render, Surface

_F0 = 0.028  # of light falls back from the surface of skin, seen straight
_OILY, _MATTE = 0.30, 0.62  # roughness of the film of oil, against that of the skin below it
_FILM = 0.13  # share of the film in the gleam
_WET = {"teeth": 40.0, "gums": 30.0, "tongue": 22.0, "inner_mouth": 18.0}  # exponent of the gleam
_WET_GLEAM = 0.20
_LAMP = (0.9925, 0.9955)  # cosines between which the image of the lamp in an eye fades in: a disc of some 6°
_CORNEA = 0.76  # radius of the iris over that of the cornea before it, which is round whatever the mesh
_IRIS = 0.059  # dm, radius
_FRONT = 0.97  # cosine of the angle off the middle of the eye
_EYE_GLEAM, _WHITE_GLEAM = 2.0, 0.6


def glossy(model: FaceModel | None) -> bool:
    """Whether pictures of this face model have gleams: whole heads whose skin is ours."""
    return model is not None and model.part is not None and model.joint_weights is not None and has_appearance(model)


@torch.no_grad()
def with_gloss(
    drawn: Render, surface: Surface, model: FaceModel, camera: Camera, roughness: Tensor | None = None
) -> Render:
    """``drawn`` (batch 1) of ``surface`` by ``camera`` with gleams.

    ``roughness (1, 1, h, w)`` is that of the skin over the chart, the same everywhere if absent.
    """
    if surface.lighting is None or model.part is None:
        return drawn
    flat = drawn.face_id[0].flatten()
    seen = (flat >= 0).nonzero()[:, 0]
    if not len(seen):
        return drawn
    normal = drawn.normal[0].flatten(1).T[seen]
    part = model.part[flat[seen]]
    lamp = main_light(surface.lighting)
    image = torch.zeros(1, dtype=torch.int64, device=lamp.device)
    power = ((light_on(lamp, image, surface.lighting) - light_on(-lamp, image, surface.lighting)) / 2).clamp_min(0)
    half = unit(lamp + lamp.new_tensor([[0.0, 0.0, 1.0]]), 1)
    facing = (normal * lamp).sum(1).clamp(0, 1).sqrt()  # no gleam in the shade
    gleam = torch.zeros_like(facing)

    def rows(*names: str) -> Tensor:
        known = [k for k, name in enumerate(model.part_names) if name in names]
        return torch.isin(part, part.new_tensor(known)).nonzero()[:, 0]

    own = rows("skin")
    rough = normal.new_full((len(own),), 0.55)
    if roughness is not None:
        uv = drawn.uv[0].flatten(1).T[seen[own]]
        rough = sample_map(roughness.to(normal), uv)[0, :, 0]
    gleam[own] = _skin(normal[own], half, rough)
    for name, exponent in _WET.items():
        own = rows(name)
        gleam[own] = _WET_GLEAM * (normal[own] * half).sum(1).clamp_min(0) ** exponent
    for side in ("left", "right"):
        iris, white = rows(f"iris_{side}"), rows(f"sclera_{side}")
        if len(iris):
            cornea = _cornea(seen[iris], surface, model, side, camera, *drawn.image.shape[-2:])
            gleam[iris], facing[iris] = _EYE_GLEAM * _lamp(cornea, half), 1.0
        gleam[white] = _WHITE_GLEAM * _lamp(normal[white], half)
    added = torch.zeros_like(drawn.image[0].flatten(1))
    added[:, seen] = (gleam * facing * drawn.mask[0].flatten()[seen])[None] * power[0][:, None]
    return replace(drawn, image=drawn.image + added.view_as(drawn.image[0])[None])


def _skin(normal: Tensor, half: Tensor, rough: Tensor) -> Tensor:
    """The gleam ``(N,)`` of skin over a film of oil (Blinn–Phong with Schlick's Fresnel), relative to the light."""
    across = (normal * half).sum(1).clamp_min(0)
    grazing = (1 - normal[:, 2].clamp(0, 1)) ** 5
    fresnel = _F0 + (0.35 - _F0) * grazing * 0.5

    def lobe(roughness: Tensor) -> Tensor:
        exponent = 2 / roughness.clamp(0.15, 1) ** 4 - 2
        return (exponent + 8) / 8 * across ** exponent.clamp(1, 400)

    return fresnel * ((1 - _FILM) * lobe(rough) + _FILM * lobe(rough * (_OILY / _MATTE)))


def _lamp(normal: Tensor, half: Tensor) -> Tensor:
    return smoothstep(*_LAMP, (normal * half).sum(1))


def _cornea(
    pixels: Tensor, surface: Surface, model: FaceModel, side: str, camera: Camera, height: int, width: int
) -> Tensor:
    """Normals ``(N, 3)`` of the round cornea before an iris, seen at ``pixels (N,)`` by flat index."""
    joint = model.metadata["joints"].index(f"eye_{side}")
    # the front of the iris: some models have a whole ball there
    ahead = model.mean - model.joints(model.mean[None])[0, joint]
    front = model.vertices_of(f"iris_{side}") & (unit(ahead, 1)[:, 2] > _FRONT)
    vertices = world_mesh(surface).vertices[:1]
    centre, middle = model.joints(vertices)[0, joint], vertices[0, front].mean(0)
    gaze = unit((middle - centre)[None], 1)[0]
    beside = middle + _IRIS * middle.new_tensor([1.0, 0.0, 0.0])
    seen = project(torch.stack([middle, beside])[None], camera, height, width)[0]
    reach = (seen[1, 0] - seen[0, 0]).abs().clamp_min(1e-6)
    x = (pixels % width + 0.5 - seen[0, 0]) / reach
    y = (seen[0, 1] - torch.div(pixels, width, rounding_mode="floor") - 0.5) / reach
    across = gaze[:2] + _CORNEA * torch.stack([x, y], 1)
    return torch.cat([across, (1 - across.square().sum(1, keepdim=True)).clamp_min(0).sqrt()], 1)
