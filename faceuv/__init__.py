"""faceuv: from stylecodes to textured, displaced 3D faces that can be posed. Every part can be replaced by name.

>>> import faceuv
>>> face = faceuv.Face.random(seed=7)              # doctest: +SKIP
>>> face.render(256, yaw_deg=30)                   # doctest: +SKIP
>>> face.save("face.glb")                          # doctest: +SKIP
>>> face = faceuv.load("quickstart").sample(seed=7)   # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import Any

from faceuv.home import have_a_home
from faceuv.version import __version__

have_a_home()  # the only effect of the import, and only where there is no home folder

# name → module; imported on first use, so that `import faceuv` loads neither torch nor MMEngine.
_LAZY = {
    "Face": "faceuv.face",
    "head": "faceuv.photo",
    "FaceGenerator": "faceuv.models.base.face_generator",
    "load": "faceuv.models.base.face_generator",
    "list_models": "faceuv.models.base.face_generator",
    "Coefficients": "faceuv.structures",
    "CoefficientLayout": "faceuv.structures",
    "UVMaps": "faceuv.structures",
    "Mesh": "faceuv.structures",
    "Camera": "faceuv.structures",
    "Render": "faceuv.structures",
    "RENDERERS": "faceuv.registry",
    "FACE_MODELS": "faceuv.registry",
    "DIRECTION_FINDERS": "faceuv.registry",
    "LOSSES": "faceuv.registry",
    "GENERATORS": "faceuv.registry",
    "FACE_GENERATORS": "faceuv.registry",
    "LANDMARK_DETECTORS": "faceuv.registry",
    "STAGES": "faceuv.registry",
    "SUBJECTS": "faceuv.registry",
    "MODELS": "faceuv.registry",
    "METRICS": "faceuv.registry",
    "DATASETS": "faceuv.registry",
    "HOOKS": "faceuv.registry",
}

__all__ = ["__version__", *_LAZY]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'faceuv' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return sorted(__all__)
