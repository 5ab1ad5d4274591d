"""Hair on a face: chosen by name or seed, its roots on the skin, and how files keep it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from faceuv.checks import whole_number
from faceuv.errors import AssetError, InputError
from faceuv.models.faces.appearance import has_appearance
from faceuv.models.faces.appearance.modes import Person
from faceuv.models.faces.appearance.paint import hair_colour
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.hair.cards import Hair, root_map, with_roots
from faceuv.models.faces.hair.choice import BALD, chosen_style
from faceuv.models.faces.hair.skull import Skull
from faceuv.structures import Coefficients, Surface

_COMMON = ("black", "dark brown", "brown", "chestnut", "dark blond", "blond", "auburn", "grey")
_DENSE = 0.8  # of the cover with roots: away from the hairline


def wears_hair(model: FaceModel | None, coefficients: Coefficients | None) -> bool:
    """Whether a person has hair that nobody asked for: where the face model says who would wear what."""
    return model is not None and coefficients is not None and model.likely_traits(coefficients) is not None


def drawn_hair(
    model: FaceModel,
    coefficients: Coefficients,
    style: str | None,
    *,
    colour: str | Sequence[float] | None,
    seed: int,
    density: float,
    pictured: Tensor | None = None,
) -> Hair | None:
    """The hair of one person; what is None is chosen by the seed among what people of this age, gender and ancestry
    wear, where the face model knows them; the colour is that of the brows, where the albedo coefficients say it, or of
    the hair on the diffuse map ``pictured (1, 3, H, W)``."""
    seed = whole_number("a seed of hair", seed)
    rng = np.random.default_rng(seed)
    draw, drawn_colour = rng.random(), _COMMON[rng.integers(len(_COMMON))]
    if style is None:
        style = chosen_style(draw, model.likely_traits(coefficients))
    if style == BALD:
        return None
    shade: str | Sequence[float] = drawn_colour
    if pictured is not None:
        shade = pictured_colour(model, pictured)
    elif has_appearance(model):
        own = hair_colour(Person(coefficients.albedo[0].detach().cpu().float()))
        shade = tuple(round(value, 4) for value in own.clamp(0, 1).tolist())
    hair = Hair(style, shade if colour is None else colour, seed, density)
    Skull.of(model)  # an open face says so here
    return hair


def pictured_colour(model: FaceModel, diffuse: Tensor) -> tuple[float, ...]:
    """The mean RGB of a diffuse map ``(1, 3, H, W)`` of a generator, whose pictures show hair, where hair grows."""
    cover = root_map(model, Hair("short"), (diffuse.shape[2], diffuse.shape[3])).to(diffuse)
    inner = (cover > _DENSE).to(diffuse)
    mean = (diffuse * inner).sum((0, 2, 3)) / inner.sum().clamp_min(1)
    return tuple(round(value, 4) for value in mean.clamp(0, 1).tolist())


def worn_roots(surface: Surface, model: FaceModel, hair: Hair) -> Surface:
    """The surface with the roots of its hair on the diffuse map or the vertex colours."""
    if surface.diffuse is not None:
        return surface.replace(diffuse=rooted(surface.diffuse, model, hair))
    assert surface.vertex_colours is not None  # of a face model's surface without a map
    cover = root_map(model, hair, None)[None, None, :, None]
    colours = surface.vertex_colours.transpose(1, 2)[..., None]
    return surface.replace(vertex_colours=with_roots(colours, cover, hair.rgb)[..., 0].transpose(1, 2))


def rooted(picture: Tensor, model: FaceModel, hair: Hair) -> Tensor:
    """``picture (B, 3, H, W)`` over the chart of the model with the roots of the hair."""
    height, width = picture.shape[-2:]
    return with_roots(picture, root_map(model, hair, (height, width)), hair.rgb)


def stored_hair(path: str | Path, facts: object) -> Hair | None:
    """The hair that a file names."""
    if facts is None:
        return None
    try:
        if not isinstance(facts, Mapping):
            raise InputError(f"expected style, colour, seed and density, got {type(facts).__name__}")
        known: dict[str, Any] = {str(key): value for key, value in facts.items()}
        wrong = sorted(set(known) - {"style", "colour", "seed", "density"})
        if wrong or "style" not in known:
            raise InputError(f"expected style, colour, seed and density, got {', '.join(sorted(known))}")
        return Hair(**known)
    except InputError as error:
        raise AssetError(f"{path}: its hair cannot be grown: {error}; save the face again") from error
