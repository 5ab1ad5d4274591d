"""Synthetic faces: scenes drawn by seed with exact truth, and generators with exact truth for every code."""

from typing import TYPE_CHECKING

from faceuv.lazy import lazily

if TYPE_CHECKING:
    from faceuv.synthetic.cats import CatHeads, CatTruth
    from faceuv.synthetic.dataset import SyntheticFaces
    from faceuv.synthetic.generator import ProceduralGenerator, Truth
    from faceuv.synthetic.mixed import MixedFaces
    from faceuv.synthetic.scene import Scene
    from faceuv.synthetic.seeds import FACTORS, SceneSeeds
    from faceuv.synthetic.studio import SceneRender, Studio
    from faceuv.synthetic.truth import FIELDS

__all__ = [
    "FACTORS",
    "FIELDS",
    "CatHeads",
    "CatTruth",
    "MixedFaces",
    "ProceduralGenerator",
    "Scene",
    "SceneRender",
    "SceneSeeds",
    "Studio",
    "SyntheticFaces",
    "Truth",
]

__getattr__ = lazily(
    __name__,
    {
        "CatHeads": "faceuv.synthetic.cats",
        "CatTruth": "faceuv.synthetic.cats",
        "FACTORS": "faceuv.synthetic.seeds",
        "FIELDS": "faceuv.synthetic.truth",
        "MixedFaces": "faceuv.synthetic.mixed",
        "ProceduralGenerator": "faceuv.synthetic.generator",
        "Scene": "faceuv.synthetic.scene",
        "SceneRender": "faceuv.synthetic.studio",
        "SceneSeeds": "faceuv.synthetic.seeds",
        "Studio": "faceuv.synthetic.studio",
        "SyntheticFaces": "faceuv.synthetic.dataset",
        "Truth": "faceuv.synthetic.generator",
    },
)
