"""Hair for any head: styles by name, cards over the skull, their texture, and how pictures show them."""

from faceuv.models.faces.hair.cards import Hair, HairMesh, hair_mesh, root_map, with_roots
from faceuv.models.faces.hair.picture import over_surface
from faceuv.models.faces.hair.strands import LIGHTER, strand_picture
from faceuv.models.faces.hair.styles import COLOURS, STYLES, HairStyle

__all__ = [
    "COLOURS",
    "LIGHTER",
    "STYLES",
    "Hair",
    "HairMesh",
    "HairStyle",
    "hair_mesh",
    "over_surface",
    "root_map",
    "strand_picture",
    "with_roots",
]
