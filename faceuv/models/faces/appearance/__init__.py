"""Skin, hair roots, eyes and mouths for heads that bring no colours: a linear albedo, and maps with fine detail."""

from faceuv.models.faces.appearance.basis import MARK, albedo_arrays
from faceuv.models.faces.appearance.modes import NAMES, mode_index

__all__ = ["MARK", "NAMES", "albedo_arrays", "mode_index"]
