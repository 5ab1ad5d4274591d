"""The parts of a mesh file and their materials: skin, eyes, teeth, lashes, each a primitive of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from faceuv.errors import InputError

ROUGHNESS = 0.55  # skin under studio light: a soft highlight, no gloss
ALPHA_MODES = ("opaque", "mask", "blend")


@dataclass(frozen=True, eq=False)
class Material:
    """How a part meets light, in the words of glTF's metallic-roughness model; nothing here is a metal.

    name          in the file
    roughness     0 … 1; where the mesh file has a roughness map and ``detail`` is set, the map rules instead
    colour        linear RGB and opacity, multiplied with the texture
    specular      strength of the gleam, 0 … 1
    clearcoat     strength of a clear wet layer above the colour, 0 … 1, and its own ``clearcoat_roughness``
    alpha         ``opaque``, ``mask`` (cut off at the opacity ``cutoff``) or ``blend``
    double_sided  seen from both sides: for open shells and cards only
    textured      shows the mesh file's diffuse map
    detail        shows the mesh file's normal and roughness maps
    picture       (4, H, W) RGBA in [0, 1], a texture of this material alone, laid out by the part's own ``uv``
    """

    name: str
    roughness: float = ROUGHNESS
    colour: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    specular: float = 1.0
    clearcoat: float = 0.0
    clearcoat_roughness: float = 0.05
    alpha: Literal["opaque", "mask", "blend"] = "opaque"
    cutoff: float = 0.5
    double_sided: bool = False
    textured: bool = True
    detail: bool = False
    picture: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.alpha not in ALPHA_MODES:
            raise InputError(f"alpha of the material {self.name!r} must be one of {', '.join(ALPHA_MODES)},"
                             f" got {self.alpha!r}")  # fmt: skip
        for name in ("roughness", "specular", "clearcoat", "clearcoat_roughness", "cutoff"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"{name} of the material {self.name!r} must lie in 0 … 1, got {value!r}")


@dataclass(frozen=True, eq=False)
class Part:
    """A named piece of the surface with its material.

    faces (F, 3)     int64 triangles over the vertices of the mesh file
    polygons (P, 4)  int64, the same surface in quads, −1 as fourth corner of a triangle; None: the triangles
    uv (V, 2)        its own texture coordinates over all vertices, for a material with its own picture
    colours (V, 4)   linear RGB and opacity at the vertices, multiplied with the material's colour
    layer            lies over the opaque surface and is no share of ``MeshFile.faces``
    """

    name: str
    faces: np.ndarray
    material: Material
    polygons: np.ndarray | None = None
    uv: np.ndarray | None = None
    colours: np.ndarray | None = None
    layer: bool = False

    def replace(self, **fields: object) -> Part:
        """The part with some fields replaced."""
        return replace(self, **fields)  # type: ignore[arg-type]


def _pair(stem: str, **settings: object) -> dict[str, dict[str, object]]:
    return {f"{stem}_{side}": settings for side in ("left", "right")}


_WET = {"clearcoat": 1.0, "clearcoat_roughness": 0.03}
_SETTINGS: dict[str, dict[str, object]] = {
    "skin": {"detail": True},
    "neck_cap": {"roughness": 0.8},
    "inner_mouth": {"roughness": 0.4, "clearcoat": 0.3, "clearcoat_roughness": 0.25},
    "gums": {"roughness": 0.35, "clearcoat": 0.6, "clearcoat_roughness": 0.2},
    "tongue": {"roughness": 0.55, "clearcoat": 0.3, "clearcoat_roughness": 0.35},
    "teeth": {"roughness": 0.3, "clearcoat": 0.35, "clearcoat_roughness": 0.15},
    **_pair("sclera", roughness=0.35, **_WET),
    **_pair("iris", roughness=0.45, **_WET),
    # Thin clear shells: what is seen of them is their gleam.
    **_pair("cornea", roughness=0.02, colour=(1.0, 1.0, 1.0, 0.06), alpha="blend", textured=False, **_WET),
    "lacrimal": {"roughness": 0.05, "colour": (1.0, 0.95, 0.93, 0.22), "alpha": "blend", "textured": False, **_WET},
    "eye_blend": {"roughness": 0.3, "colour": (0.75, 0.5, 0.45, 0.3), "alpha": "blend", "textured": False},
    "eye_occlusion": {"roughness": 1.0, "colour": (0.05, 0.02, 0.015, 1.0), "alpha": "blend", "textured": False},
    # Hairs are thinner than a pixel from afar, where a mask would flicker between all and nothing.
    "lashes": {"roughness": 0.6, "alpha": "blend", "double_sided": True, "textured": False},
    "brows": {"roughness": 0.7, "alpha": "blend", "double_sided": True, "textured": False},
}


def part_material(part: str, *, name: str = "face", picture: np.ndarray | None = None) -> Material:
    """The material of a part by its name; parts without one of their own look like skin without detail."""
    return Material(f"{name}_{part}", picture=picture, **_SETTINGS.get(part, {}))  # type: ignore[arg-type]


def shell_material(name: str) -> Material:
    """Of a surface that is open at the back: seen from behind it is a hollow mask and does not vanish."""
    return Material(f"{name}_skin", double_sided=True, detail=True)
