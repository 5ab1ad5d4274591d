"""The directions in which people's colours differ: names of the albedo coefficients, each a standard normal number."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import torch
from torch import Tensor

from faceuv.errors import InputError, did_you_mean

_PATCHES = 6  # of melanin and of blood, each symmetric and not
NAMES: tuple[str, ...] = (
    # skin as a whole
    "melanin", "blood", "carotene", "pallor", "sallowness",
    # blood by zone
    "cheek_redness", "nose_redness", "ear_redness", "chin_redness", "forehead_redness", "neck_redness",
    "nasolabial_redness", "lid_redness", "under_eye_blood",
    # melanin by zone
    "under_eye_melanin", "lid_melanin", "forehead_melanin", "temple_melanin", "jaw_melanin", "perioral_melanin",
    "neck_melanin", "tan", "nostril_shadow", "lid_crease",
    # lips
    "lip_blood", "lip_melanin", "lower_lip", "lip_rim", "lip_line",
    # hair and where it grows
    "hair_lightness", "hair_red", "hair_grey", "brow_density", "brow_thickness", "brow_height", "brow_arch",
    "lashes", "beard", "moustache", "goatee", "whiskers", "scalp_hair",
    # eyes and mouth
    "iris_lightness", "iris_blue", "iris_ring", "sclera_yellow", "sclera_red", "teeth_yellow", "teeth_dark",
    "gum_red", "gum_melanin", "tongue_red",
    # slow unevenness
    *(f"{what}_{kind}_{k}" for what in ("melanin", "blood") for kind in ("patch", "uneven") for k in range(_PATCHES)),
)  # fmt: skip
PATCHES = tuple(name for name in NAMES if "_patch_" in name or "_uneven_" in name)
_INDEX = {name: k for k, name in enumerate(NAMES)}
_PATCH_COLUMNS = [_INDEX[name] for name in PATCHES]
_FAR = 3.2


@dataclass(frozen=True)
class Person:
    """One row of albedo coefficients, read by name. Far out, where nobody is, the numbers are held back smoothly."""

    values: Tensor  # (A,)

    def __getitem__(self, name: str) -> Tensor:
        return self._held_back[_INDEX[name]]

    @functools.cached_property
    def _held_back(self) -> tuple[Tensor, ...]:
        return (_FAR * torch.tanh(self.values / _FAR)).unbind()

    def patches(self) -> Tensor:
        """The coefficients of :data:`PATCHES`."""
        return self.values[_PATCH_COLUMNS]


@dataclass(frozen=True)
class NotedPerson(Person):
    """A person that notes the names of the numbers that are read."""

    names: set[str] = field(default_factory=set)

    def __getitem__(self, name: str) -> Tensor:
        self.names.add(name)
        return super().__getitem__(name)

    def patches(self) -> Tensor:
        self.names.update(PATCHES)
        return super().patches()


def mode_index(name: str) -> int:
    """The column of a mode; an unknown name is an error with the nearest one."""
    if name not in _INDEX:
        raise InputError(f"no colour of a face is called {name!r}{did_you_mean(name, NAMES)}; see appearance.NAMES")
    return _INDEX[name]
