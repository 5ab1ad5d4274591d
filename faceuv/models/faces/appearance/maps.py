"""A person's diffuse map and relief on a head: smooth colours, fine detail, hair roots, eyes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from faceuv.checks import check_shape, whole_number
from faceuv.errors import InputError
from faceuv.models.faces.appearance.basis import MARK
from faceuv.models.faces.appearance.detail import DetailMaps, skin_detail
from faceuv.models.faces.appearance.eyes import EyeColour, eye_texture, named_eye_colour, own_eye_colour
from faceuv.models.faces.appearance.frame import MM_PER_DM
from faceuv.models.faces.appearance.modes import NAMES, Person
from faceuv.models.faces.appearance.paint import (
    beard_mask,
    brow_mask,
    hair_colour,
    lash_mask,
    mouth_colour,
    over_skin,
    scalp_mask,
    skin,
    tone_slopes,
)
from faceuv.models.faces.appearance.strands import brow_strands
from faceuv.models.faces.appearance.texels import SMOOTH_SIZE, Texels
from faceuv.models.faces.arrays import PARTS
from faceuv.models.faces.base import FaceModel
from faceuv.structures import UVMaps

_LARGEST = 8192
_MOUTH = torch.tensor([PARTS.index(name) for name in ("inner_mouth", "gums", "tongue", "teeth")])
_STREAMS = 3  # seeds of skin, brows, eyes


@dataclass(frozen=True, eq=False)
class Look:
    """One person's maps over the chart: ``diffuse (3, T, T)`` in [0, 1] and the ``detail`` that is part of it."""

    diffuse: Tensor
    detail: DetailMaps


def has_appearance(model: FaceModel) -> bool:
    """Whether the albedo of a face model is that of :func:`~faceuv.models.faces.appearance.albedo_arrays`, so that its
    coefficients can be drawn in detail."""
    return model.metadata.get("albedo") == MARK and model.mode_names["albedo"] == list(NAMES)


def diffuse_map(
    model: FaceModel,
    albedo: Tensor,
    seed: int,
    size: int = 2048,
    *,
    age: float = 30.0,
    freckles: float | None = None,
    eye_colour: str | EyeColour | None = None,
) -> Tensor:
    """The diffuse map ``(3, size, size)`` in [0, 1] of a person with the coefficients ``albedo (A,)`` or ``(1, A)``.

    Args:
        seed: of the detail: pores, freckles, hairs, veins.
        age: years.
        freckles: 0 … 1; None leaves it to the seed and the skin.
        eye_colour: a name of ``EYE_COLOURS`` or a colour; None is that of the coefficients.
    """
    return look(model, albedo, seed, size, age=age, freckles=freckles, eye_colour=eye_colour).diffuse


@torch.no_grad()
def look(
    model: FaceModel,
    albedo: Tensor,
    seed: int,
    size: int = 2048,
    *,
    age: float = 30.0,
    freckles: float | None = None,
    eye_colour: str | EyeColour | None = None,
    detail: DetailMaps | None = None,
) -> Look:
    """:func:`diffuse_map` together with the detail that was drawn. ``detail`` is that of an earlier look with the same
    seed, size, age and freckles, which is then not drawn again."""
    if not has_appearance(model):
        raise InputError(
            "detail is drawn on heads whose albedo modes are those of faceuv.models.faces.appearance; this"
            f" {model.kind} brings its own: use face.diffuse() or Studio"
        )
    size = whole_number("the size of a diffuse map", size, low=16, high=_LARGEST)
    values = albedo.detach().cpu().float()
    values = values[0] if values.ndim == 2 and len(values) == 1 else values
    check_shape("albedo coefficients of one person", values, (len(NAMES),))
    colour = named_eye_colour(eye_colour) if isinstance(eye_colour, str) else eye_colour
    person = Person(values)
    if detail is None:
        own = _own_freckles(person, seed) if freckles is None else freckles
        detail = skin_detail(model, seed * _STREAMS, size, age=age, freckles=own)
    return Look(_diffuse(model, person, seed, size, detail, colour), detail)


def _diffuse(
    model: FaceModel, person: Person, seed: int, size: int, detail: DetailMaps, colour: EyeColour | None
) -> Tensor:
    texels = Texels.of(model, size)
    smooth = texels if size <= SMOOTH_SIZE else Texels.of(model, SMOOTH_SIZE)
    points = smooth.points
    assert points is not None  # maps of this size have them

    def fine(values: Tensor) -> Tensor:
        image = smooth.image(values)
        if smooth.size == size:
            return image
        return F.interpolate(image[None], size=(size, size), mode="bilinear", align_corners=False)[0]

    ground = skin(points, person)
    bare = [brow_mask(points, person), beard_mask(points, person), scalp_mask(points, person)]
    image, bare_brows, bare_beard, bare_scalp, lashes = fine(
        torch.cat([ground.T, torch.stack([*bare, lash_mask(points, person)])])
    ).split([3, 1, 1, 1, 1])
    image *= detail.multiplier(*tone_slopes(person))
    # Hair: as the smooth painting has it, but with its coverage made of hairs and roots.
    generator = torch.Generator().manual_seed(seed * _STREAMS + 1)
    coverage, shade = torch.zeros(2, size * size).unbind(0)
    near = texels.rows[texels.brows]
    coverage[near], shade[near] = brow_strands(texels.canonical[texels.brows], person, generator)
    coverage, shade = coverage.view(size, size), shade.view(size, size)
    uneven = 1 + 0.22 * detail.pigment.clamp(-1, 1)
    roots = detail.follicles
    # a density above one half leaves room for the dots to reach 1
    brows = (0.34 * bare_brows[0] * uneven + 0.92 * coverage).clamp(0, 0.96)
    beard = (bare_beard[0] * (0.62 + 0.9 * roots)).clamp(0, 0.95)
    scalp = (bare_scalp[0] * (0.80 + 0.45 * roots)).clamp(0, 0.95)
    flat = torch.stack(over_skin(list(image), hair_colour(person), brows, beard, scalp, lashes[0], 0.16 * shade)).view(
        3, -1
    )
    rows = torch.isin(texels.part, _MOUTH).nonzero()[:, 0]
    mouth = mouth_colour(texels.part[rows], texels.canonical[rows, 2], person)
    flat[:, texels.rows[rows]] = mouth.T
    generator = torch.Generator().manual_seed(seed * _STREAMS + 2)
    for rows, distance, angle, shadow in texels.eyes.values():
        drawn = eye_texture(distance, angle, colour or own_eye_colour(person), person, generator)
        flat[:, texels.rows[rows]] = (drawn * shadow[:, None]).T
    gaps, source = texels.gaps
    flat.index_copy_(1, gaps, flat.index_select(1, source))  # gutters repeat what is next to them
    return flat.view(3, size, size).clamp_(0, 1)


def _own_freckles(person: Person, seed: int) -> float:
    """Many fair skins have some, dark ones hardly any."""
    generator = torch.Generator().manual_seed(seed * _STREAMS)
    luck = float(torch.rand(1, generator=generator))
    fair = float(torch.sigmoid(-1.6 * (person["melanin"] + 0.2)) * torch.sigmoid(0.8 * (person["hair_red"] + 0.5)))
    return min(1.0, fair * max(0.0, (luck - 0.45) / 0.55) ** 1.3 * 1.4)


def displacement_map(model: FaceModel, detail: DetailMaps) -> Tensor:
    """``(3, T, T)`` decimetres, object space: the relief of ``detail`` along the normals of the mean head."""
    texels = Texels.of(model, detail.height.shape[-1])
    normals = texels.normals_image()
    return normals * (detail.height / MM_PER_DM)


def appearance_maps(
    model: FaceModel,
    albedo: Tensor,
    seed: int,
    size: int = 2048,
    *,
    age: float = 30.0,
    freckles: float | None = None,
    eye_colour: str | EyeColour | None = None,
    relief: bool = True,
) -> UVMaps:
    """What :class:`~faceuv.face.Face` takes: the map of :func:`diffuse_map`, the roughness and, with ``relief``, the
    displacement of pores, lines and folds, batch 1, on the device of the model."""
    made = look(model, albedo, seed, size, age=age, freckles=freckles, eye_colour=eye_colour)
    moved = displacement_map(model, made.detail)[None].to(model.mean) if relief else None
    rough = made.detail.roughness[None, None].to(model.mean)
    return UVMaps(made.diffuse[None].to(model.mean), moved, rough)


def likely_age(seed: int) -> float:
    """Years, 20 to 65, of a person of whom nothing else says how old."""
    generator = torch.Generator().manual_seed(seed * _STREAMS + 2)
    return 20.0 + 45.0 * float(torch.rand(1, generator=generator))
