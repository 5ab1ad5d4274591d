"""Face models: the procedural one that the library carries, and BFM 2009 read from the files a user holds."""

from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.bfm2009 import BFM2009
from faceuv.models.faces.procedural import ProceduralFace

__all__ = ["BFM2009", "FaceModel", "ProceduralFace"]
