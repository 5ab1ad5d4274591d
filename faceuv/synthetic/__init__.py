"""Synthetic faces: scenes drawn by seed with exact truth, and generators with exact truth for every code."""

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
