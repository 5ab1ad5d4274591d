"""Face models (the procedural one that the library carries; BFM 2009, FLAME and ICT-FaceKit read from the files a user
holds), how they are drawn, and where their landmarks are."""

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.bfm2009 import BFM2009
from faceuv.models.faces.face_renderer import FaceRenderer
from faceuv.models.faces.flame import FLAME
from faceuv.models.faces.ict import ICTFaceKit
from faceuv.models.faces.landmark_truth import LandmarkTruth, interocular_distance
from faceuv.models.faces.makehuman import MakeHuman
from faceuv.models.faces.procedural import ProceduralFace

__all__ = [
    "BFM2009",
    "FLAME",
    "FaceModel",
    "FaceRenderer",
    "ICTFaceKit",
    "LandmarkTruth",
    "MakeHuman",
    "ProceduralFace",
    "interocular_distance",
]
