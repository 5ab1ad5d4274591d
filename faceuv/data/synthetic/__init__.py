"""Synthetic faces: scenes drawn by seed with exact truth, and a generator that is its own truth."""

from faceuv.data.synthetic.dataset import SyntheticFaces
from faceuv.data.synthetic.generator import ProceduralGenerator, Truth
from faceuv.data.synthetic.scene import Scene
from faceuv.data.synthetic.seeds import FACTORS, SceneSeeds
from faceuv.data.synthetic.studio import Studio, Take
from faceuv.data.synthetic.truth import FIELDS

__all__ = [
    "FACTORS",
    "FIELDS",
    "ProceduralGenerator",
    "Scene",
    "SceneSeeds",
    "Studio",
    "SyntheticFaces",
    "Take",
    "Truth",
]
