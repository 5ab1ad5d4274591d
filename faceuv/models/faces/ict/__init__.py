"""ICT-FaceKit Light: read from the published OBJ files, converted to one safetensors file."""

from faceuv.models.faces.ict.folder import LAYOUT, Layout, Published, read_folder
from faceuv.models.faces.ict.model import ICTFaceKit

__all__ = ["LAYOUT", "ICTFaceKit", "Layout", "Published", "read_folder"]
