"""Face models: the procedural one that the library carries, and BFM 2009 read from the files a user holds."""

from faceuv.models.faces.base import FaceModel

__all__ = ["FaceModel"]
