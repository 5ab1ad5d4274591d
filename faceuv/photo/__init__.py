"""From a photograph to a textured, rigged head: faces found, a head fitted, its texture taken from the picture."""

from faceuv.photo.finding import Found, find_faces
from faceuv.photo.making import PhotoHead, PhotoHeads, best_head, head
from faceuv.photo.page import head_page
from faceuv.photo.projection import Projected, project_picture
from faceuv.photo.reading import View
from faceuv.photo.shots import Shot
from faceuv.photo.texture import HeadTexture, head_texture

__all__ = [
    "Found",
    "HeadTexture",
    "PhotoHead",
    "PhotoHeads",
    "Projected",
    "Shot",
    "View",
    "best_head",
    "find_faces",
    "head",
    "head_page",
    "head_texture",
    "project_picture",
]
