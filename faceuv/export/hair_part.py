"""Hair as a part of a mesh file: alpha-masked cards with a material of their own, carried by the head joint.

The material is masked, not blended: engines sort blended triangles per object, so cards of one mesh would hide each
other in the wrong order from some side. Masked cards write depth, cast shadows and are smoothed by alpha-to-coverage.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from faceuv.export.parts import Material, Part
from faceuv.export.rig import Skeleton
from faceuv.models.faces.hair import HairMesh, strand_picture

HAIR = "hair"
CUTOFF = 0.35  # of opacity: mip-maps thin strands out, and a lower cut keeps them from afar
_HEAD = "head"
_SPECULAR = 0.25  # of a smooth surface: strands scatter light along themselves, and a full gleam looks like metal
_WIDER = 1.35  # cards of a level against those of the one before, which had twice as many


@dataclass(frozen=True, eq=False)
class WornHair:
    """Cards of hair and their colour, display-referred RGB."""

    mesh: HairMesh
    colour: tuple[float, float, float]

    def thinned(self, level: int) -> WornHair:
        """The outer 1/2, 1/4, … of the cards, wider: what coarser levels of a head wear."""
        hair = self.mesh
        order = np.argsort(-hair.level, kind="stable")
        keep = np.zeros(len(order), bool)
        keep[order[: max(len(order) >> level, 1)]] = True
        faces = hair.faces[keep[hair.card]]
        rows = np.unique(faces)
        local = np.zeros(len(hair.vertices), np.int64)
        local[rows] = np.arange(len(rows))
        pairs = hair.vertices[rows].reshape(-1, 2, 3)
        middle = pairs.mean(1, keepdims=True)
        wider = (middle + (pairs - middle) * _WIDER**level).reshape(-1, 3).astype(np.float32)
        renumbered = np.cumsum(keep) - 1
        thinner = HairMesh(
            wider, hair.normals[rows], hair.tangents[rows], local[faces], hair.uv[rows], hair.shade[rows],
            renumbered[hair.card[keep[hair.card]]], hair.level[keep],
        )  # fmt: skip
        return replace(self, mesh=thinner)

    def part(self, count: int, name: str, linear: np.ndarray, shade: np.ndarray) -> Part:
        """The part over ``count`` vertices of a head and those of the hair behind them."""
        red, green, blue = linear.tolist()
        material = Material(
            f"{name}_{HAIR}", roughness=0.75, specular=_SPECULAR, colour=(red, green, blue, 1.0), alpha="mask",
            cutoff=CUTOFF, double_sided=True, textured=False, picture=strand_picture(),
        )  # fmt: skip
        uv = np.concatenate([np.zeros((count, 2), np.float32), self.mesh.uv])
        colours = np.ones((len(uv), 4), np.float32)
        colours[count:, :3] = shade
        return Part(HAIR, self.mesh.faces + count, material, uv=uv, colours=colours, layer=True)


def hair_weights(skeleton: Skeleton, count: int) -> np.ndarray:
    """Skin weights ``(count, J)`` of hair: the head carries it."""
    weights = np.zeros((count, len(skeleton.joints)), np.float32)
    weights[:, skeleton.index(_HEAD)] = 1
    return weights
