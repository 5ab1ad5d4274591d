"""Skin, hair roots, eyes and mouths for heads that bring no colours: a linear albedo, and maps with fine detail."""

from faceuv.models.faces.appearance.basis import MARK, albedo_arrays
from faceuv.models.faces.appearance.detail import DetailMaps, skin_detail
from faceuv.models.faces.appearance.eyes import EYE_COLOURS, EyeColour
from faceuv.models.faces.appearance.maps import (
    Look,
    appearance_maps,
    diffuse_map,
    displacement_map,
    has_appearance,
    likely_age,
    look,
)
from faceuv.models.faces.appearance.modes import NAMES, mode_index

__all__ = [
    "EYE_COLOURS",
    "MARK",
    "NAMES",
    "DetailMaps",
    "EyeColour",
    "Look",
    "albedo_arrays",
    "appearance_maps",
    "diffuse_map",
    "displacement_map",
    "has_appearance",
    "likely_age",
    "look",
    "mode_index",
    "skin_detail",
]
