"""Photographs → the diffuse map of a fitted head: projected, without their light, made one, completed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from faceuv.checks import whole_number
from faceuv.geometry.lighting import ambient_light
from faceuv.geometry.uv import bake
from faceuv.models.faces.appearance import DetailMaps, EyeColour, Look, has_appearance, look, mode_index
from faceuv.models.faces.appearance.strands import BARE_BROWS
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.charts import height_on_chart, inner_face, kept, near_landmarks, on_parts
from faceuv.models.faces.spreading import spread_over
from faceuv.photo.blending import blurred, mirror_grid, sampled, spread
from faceuv.photo.creases import without_creases
from faceuv.photo.evening import evened, without_shade
from faceuv.photo.eyes import mean_colour
from faceuv.photo.fusing import fused
from faceuv.photo.hair import with_hair_of
from faceuv.photo.inside import clearest, with_eyes_and_mouth
from faceuv.photo.light import fit_colours, usual_light
from faceuv.photo.reading import (
    Reading,
    View,
    eye_colours,
    eye_openings,
    read_view,
    skin_samples,
)
from faceuv.renderers.base import Renderer
from faceuv.structures import Coefficients

LARGEST = 2048
_DARK = 0.02  # added before logarithms
_LIMIT = 1.6  # of the logarithm of photograph over model
_SHINE = (0.22, 0.55)  # log brightness over the model at which shine begins, and what is kept of the rest
_FEATURES = (0.07, 0.14)  # dm from the landmarks of brows, eyes, nostrils and lips: they are no shadows; beyond
_SHADOWS = {"nostril_shadow": -1 / 0.15, "lip_line": -4.5, "lid_crease": -2.5}  # at which none are painted
_BROW = (0.10, 0.30)  # dm from the brows' landmarks: inside, outside
_NO_SKIN = (0.20, 0.45)  # log brightness over the model, of brows and lashes
_SCALP = 0.62  # dm above the brows


@dataclass(frozen=True, eq=False)
class HeadTexture:
    """The maps of one head and where they come from.

    diffuse   (3, T, T)  in [0, 1]
    seen      (1, T, T)  weight of the photograph itself
    mirrored  (1, T, T)  weight of its other side; the rest is the model's
    views     of each photograph ``(1, N)``, with the albedo and the light that explain it
    share     of the face's skin between brows and chin that the photographs show
    likely    of each photograph, the share of what it shows there that has the colours of skin
    eyes      the colour of the irises, None where the picture does not show it
    lit       whether the photograph's light is in the map
    height    (1, T, T)  mm, of the creases; None where they stay in the colours
    """

    diffuse: Tensor
    seen: Tensor
    mirrored: Tensor
    views: tuple[Coefficients, ...]
    share: float
    likely: tuple[float, ...]
    eyes: EyeColour | None
    lit: bool
    height: Tensor | None = None

    @property
    def coefficients(self) -> Coefficients:
        """Those of the first photograph."""
        return self.views[0]


@torch.no_grad()
def head_texture(
    model: FaceModel,
    views: Sequence[View],
    renderer: Renderer,
    *,
    size: int = 1024,
    lit: bool = False,
    mirror: bool = True,
    delight: bool = True,
    relief: bool = True,
    seed: int = 0,
) -> HeadTexture:
    """The texture of one person in one or several photographs, the best one first.

    Args:
        size: of the map, at most 2048.
        lit: keep the light of the first photograph in the colours.
        mirror: take what no picture shows from the other side of the face.
        delight: divide the fitted light out; without it only its mean colour is.
        relief: take creases out of the colours, as far as the light of the photograph shows them to be relief.
        seed: of the detail of what neither side shows.
    """
    size = whole_number("the size of a head's texture", size, low=64, high=LARGEST)
    openings = [eye_openings(model, view, renderer) for view in views]
    samples = [skin_samples(model, view, renderer, eyes) for view, eyes in zip(views, openings)]
    colours = fit_colours(samples, lighting=usual_light().to(model.mean))
    fitted = tuple(
        view.coefficients.replace(albedo=found.albedo[None], lighting=found.lighting[None])
        for view, found in zip(views, colours)
    )
    readings = [
        read_view(model, view, found, renderer, size, lit=lit, delight=delight) for view, found in zip(views, colours)
    ]
    inner = inner_face(model, size)
    skin = on_parts(model, size, "skin").to(inner)
    weight = torch.stack([reading.weight for reading in readings]).amax(0)
    eyes = mean_colour([colour for seen, own in zip(openings, fitted) for colour in eye_colours(seen, own.lighting)])
    person = fitted[0].albedo
    brows = False
    if has_appearance(model):
        brows = _seen_at(model, weight, range(17, 27))
        person = with_hair_of(_without_brows(person) if brows else person, *_scalp(model, readings))
        smooth = model.albedo_map(_without_shadows(person), size, size)[0]
        base = _drawn(model, person, seed, size, eyes).to(smooth)
    else:
        base = smooth = model.albedo_map(person, size, size)[0]
    ratios = [_ratio(reading.bare, smooth) for reading in readings]
    if delight and not lit:
        features = near_landmarks(model, size, (*range(17, 27), *range(31, 68)), _FEATURES)
        calm = [
            evened(model, _without_shine(own, r.weight, features), r.weight, features)
            for own, r in zip(ratios, readings)
        ]
        readings = [replace(r, weight=own) for r, (_, own) in zip(readings, calm)]
        ratios = [without_shade(model, own, r.weight, inner, r.doubt) for r, (own, _) in zip(readings, calm)]
        weight = torch.stack([reading.weight for reading in readings]).amax(0)
    if relief and delight and not lit:
        shots = [replace(view, coefficients=own) for view, own in zip(views, fitted)]
        creased = [
            without_creases(model, own, smooth, r.weight, shot, renderer)
            for own, r, shot in zip(ratios, readings, shots)
        ]
        ratios = [torch.cat(both) for both in creased]
    # brows, eyes, nose and mouth are those of the first picture, where it shows them: expressions are never mixed
    rest = 1 - inner * readings[0].weight
    counted = [readings[0].weight, *(r.weight * view.trust * rest for r, view in zip(readings[1:], views[1:]))]
    ratio = fused(ratios, counted)[0]
    other = torch.zeros_like(weight)
    if mirror:
        ratio, other = _with_mirrored(model, ratio, weight, size, matched=delight and not lit)
    ratio, height = ratio[:3], ratio[3:] * (weight + other)
    total = weight + other
    # over the surface, not over the chart: what goes on beyond the seen skin has no seam where the chart has one
    ground = bake(spread_over(model, ratio, total * _as_skin(model, ratio))[None], model.chart(size, size))[0]
    detail = _ratio(base, smooth)
    if brows:
        detail = detail * (1 - near_landmarks(model, size, range(17, 27), _BROW))
    made = (smooth + _DARK) * torch.exp(ground + total * (ratio - ground) + (1 - total) * detail) - _DARK
    seen, bare = clearest(model, readings, [view.trust for view in views])
    made = torch.where(skin > 0, made, with_eyes_and_mouth(model, seen, bare, base)).clamp(0, 1)
    if lit:
        made = (made * readings[0].light).clamp(0, 1)
    face = skin * inner
    anywhere = torch.stack([reading.seen for reading in readings]).amax(0)
    share = float((anywhere.gt(0.1) * face).sum() / face.sum().clamp_min(1e-6))
    likely = tuple(reading.likely for reading in readings)
    return HeadTexture(made, weight, other, fitted, share, likely, eyes, lit, height if bool(height.any()) else None)


def _drawn(model: FaceModel, person: Tensor, seed: int, size: int, eyes: EyeColour | None) -> Tensor:
    """``(3, T, T)``: the skin, hair and eyes of the model, for what no photograph shows. Pores are those of the seed on
    all heads, and drawn once."""

    def drawn(detail: DetailMaps | None) -> Look:
        return look(model, person, seed, size, age=35.0, freckles=0.0, eye_colour=eyes, detail=detail)

    return drawn(kept(model, f"pores {seed}", size, lambda: drawn(None).detail)).diffuse


def _ratio(bare: Tensor, base: Tensor) -> Tensor:
    """Logarithm of photograph over model, limited."""
    return (torch.log(bare + _DARK) - torch.log(base + _DARK)).clamp(-_LIMIT, _LIMIT)


def _as_skin(model: FaceModel, ratio: Tensor) -> Tensor:
    """``(1, T, T)`` in [0, 1]: what may go on over the surface; not brows and lashes, which end beside the lids."""
    near = near_landmarks(model, ratio.shape[-1], (*range(17, 27), *range(36, 48)), _BROW)
    low, high = _NO_SKIN
    return 1 - near * ((ratio.mean(0, keepdim=True).abs() - low) / (high - low)).clamp(0, 1)


def _without_shine(ratio: Tensor, weight: Tensor, features: Tensor) -> Tensor:
    """``ratio (3, T, T)`` with highlights held back: what is brighter than the skin around by more than albedo is. What
    is bright beside a brow or a lip, at ``features (1, T, T)``, is skin."""
    times = max(2, round(ratio.shape[-1] / 64).bit_length())
    bright = ratio.mean(0, keepdim=True)
    above = (bright - blurred(bright, weight, times) - _SHINE[0]).clamp_min(0)
    return ratio - above * (1 - features) * (1 - _SHINE[1])


def _with_mirrored(
    model: FaceModel, ratio: Tensor, weight: Tensor, size: int, *, matched: bool
) -> tuple[Tensor, Tensor]:
    """The ratio completed by that of the mirrored texels, and the weight of the latter. Unless the sides have been
    ``matched`` already, the mean difference between them, where both are seen, is taken off."""
    grid, there = kept(model, "mirror", size, lambda: mirror_grid(model, size))
    flipped, seen = sampled(ratio, grid), sampled(weight, grid) * there
    both = weight * seen
    if not matched and bool(both.sum() > size):
        flipped = flipped + spread(ratio - flipped, both)
    other = seen * (1 - weight)
    total = (weight + other).clamp_min(1e-6)
    return (ratio * weight + flipped * other) / total, other


def _seen_at(model: FaceModel, weight: Tensor, rows: range) -> bool:
    """Whether the photograph shows these landmarks."""
    at = (model.uv[model.landmarks[list(rows)]] * 2 - 1)[None, None]
    return float(torch.nn.functional.grid_sample(weight[None], at.to(weight), align_corners=False).mean()) > 0.3


def _without_brows(albedo: Tensor) -> Tensor:
    """``albedo (1, A)`` without brows of its own: two pairs never lie on one another."""
    person = albedo.clone()
    person[:, mode_index("brow_density")] = BARE_BROWS
    return person


def _without_shadows(albedo: Tensor) -> Tensor:
    """``albedo (1, A)`` without what is painted dark in nostrils, folds of the lids and between the lips. Where a
    photograph shows these places it knows better, and skin that is as bright as skin there is no highlight."""
    person = albedo.clone()
    for name, bare in _SHADOWS.items():
        person[:, mode_index(name)] = bare
    return person


def _scalp(model: FaceModel, readings: Sequence[Reading]) -> tuple[Tensor, Tensor]:
    """Unlit colours ``(N, 3)`` of the pictures where the fitted scalp lies, and the forehead's ``(3,)``."""
    size = readings[0].bare.shape[-1]
    height = height_on_chart(model, size)[0]
    brows = model.mean[model.landmarks[17:27], 1].mean()
    skin = on_parts(model, size, "skin")[0]
    inner = inner_face(model, size)[0] > 0.3
    top, face = [], []
    for reading in readings:
        seen = (reading.seen[0] > 0.05) & skin
        top.append(reading.bare[:, seen & (height > brows + _SCALP)])
        face.append(reading.bare[:, seen & inner])
    forehead = torch.cat(face, 1)
    middle = forehead.median(1).values if forehead.shape[1] else forehead.new_full((3,), 0.5)
    return torch.cat(top, 1).T, middle


def without_light(texture: HeadTexture) -> HeadTexture:
    """The same texture with its coefficients under a light that shows the map as it is, for lit maps."""
    plain = ambient_light(torch.ones(1, 3).to(texture.diffuse))
    return replace(texture, views=tuple(own.replace(lighting=plain) for own in texture.views))
