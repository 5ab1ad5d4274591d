"""BFM 2009: read from the files a user holds, converted to one safetensors file."""

from faceuv.models.faces.bfm2009.model import BFM2009
from faceuv.models.faces.bfm2009.sources import BFM_SIZES, BFMSizes

__all__ = ["BFM2009", "BFM_SIZES", "BFMSizes"]
