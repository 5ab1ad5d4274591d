"""``Face``: one face that can be rendered, posed, relit, given another expression, and saved.

>>> from faceuv import Face
>>> face = Face.random(seed=7).with_expression(smile=0.8)
>>> image = face.render(256, yaw_deg=30, light="left")        # (3, 256, 256) in [0, 1]
>>> face.save("face.glb")                                     # doctest: +SKIP
"""

from faceuv.face.face import Face
from faceuv.face.pictured import BACKGROUND, NOTEBOOK_TEXTURE
from faceuv.face.transferred import TEXTURE_SIZE, to_face_model
from faceuv.models.faces.building import (
    DEFAULT_FACE_MODEL,
    DEFAULT_RENDERER,
    Config,
    build_face_model,
    build_renderer,
    stored_face_model,
)

__all__ = [
    "BACKGROUND",
    "DEFAULT_FACE_MODEL",
    "DEFAULT_RENDERER",
    "NOTEBOOK_TEXTURE",
    "TEXTURE_SIZE",
    "Config",
    "Face",
    "build_face_model",
    "build_renderer",
    "stored_face_model",
    "to_face_model",
]
