"""What hair on one face model needs and all people share, in the user's cache: under the contents of the model and of
the code that grows hair."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib import resources

from torch import Tensor

from faceuv.errors import AssetError
from faceuv.files.artefacts import load_tensors, save_tensors
from faceuv.files.cache import add_arrays, cache_dir, source_hash, warn
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.procedural.build import recipe_fingerprint

_GEOMETRY = ("mean", "faces", "weld", "part", "joint_weights")


def stored(
    model: FaceModel, name: str, make: Callable[[], dict[str, Tensor]], sound: Callable[[dict[str, Tensor]], bool]
) -> dict[str, Tensor]:
    """The tensors that ``make`` gives, from the cache where an earlier process made them; what is not ``sound`` is made
    again. A cache that fails is a warning."""
    path = cache_dir() / "hair" / f"{name}_{fingerprint(model)}.safetensors"
    if path.is_file():
        try:
            found, _ = load_tensors(path, kind=f"hair {name}")
            if not sound(found):
                raise AssetError("its arrays do not fit together")
            return found
        except (AssetError, KeyError) as error:
            warn(f"the cached hair {path} is damaged and will be grown again: {error}")
    made = make()
    try:
        save_tensors(path, made, {"kind": f"hair {name}"})
    except (AssetError, OSError) as error:
        warn(f"the hair is grown but could not be cached, so the next start is slow again: {error}")
    return made


def fingerprint(model: FaceModel) -> str:
    """A hash of the code that grows hair and of the mean surface with its parts."""
    digest = hashlib.sha256(f"{_recipe()} {recipe_fingerprint()} {model.mean.dtype}".encode())
    add_arrays(digest, {name: getattr(model, name) for name in _GEOMETRY})
    digest.update(repr((list(model.metadata.get("parts", ())), "rows" in model.metadata)).encode())
    return digest.hexdigest()[:24]


@cache
def _recipe() -> str:
    """A hash of the source of hair."""
    cap = (resources.files("faceuv.models.faces") / "cap.py").read_bytes()
    return source_hash("faceuv.models.faces.hair") + hashlib.sha256(cap).hexdigest()[:16]
