"""The settings of StyleFaceUV in small groups: which views are trained on, and what the discriminator is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from faceuv.errors import InputError

VIEWS = ("original", "symmetric")
Source = Literal["fitted", "predicted"]


@dataclass(frozen=True)
class ViewOptions:
    """The views of a face that the UV generator is trained on, ``views=dict(symmetric_weight=0.75, …)``.

    Args:
        names: ``("original", "symmetric")``, or ``("original",)``.
        symmetric_weight: λ_mv, the weight of the symmetric view in every term, beside 1 for the original.
        coefficients: of the original view: ``"fitted"``, those of the batch, or ``"predicted"``, the mapper's. The
            symmetric view's are always predicted.
        maps: ``"shared"``: both views are drawn with the maps of the original code; ``"own"``: the symmetric view with
            those of its own code, as the paper's text has it.
        clamp: clamp the face's colours to [0, 1] before the losses and the discriminator, as the release does. No
            gradient passes where a colour is clamped.
        remember: keep the views of so many faces in memory, in 8 bits, see
            :class:`~faceuv.models.stylefaceuv.TeacherViews`.
    """

    names: tuple[str, ...] = VIEWS
    symmetric_weight: float = 0.75
    coefficients: Source = "fitted"
    maps: Literal["shared", "own"] = "shared"
    clamp: bool = False
    remember: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        if self.names not in (VIEWS[:1], VIEWS):
            raise InputError(f"views.names must be ('original',) or ('original', 'symmetric'), got {self.names}")
        if not self.symmetric_weight > 0:
            raise InputError(f"expected views.symmetric_weight > 0, got {self.symmetric_weight}")
        if self.coefficients not in ("fitted", "predicted"):
            raise InputError(f"views.coefficients must be 'fitted' or 'predicted', got {self.coefficients!r}")
        if self.maps not in ("shared", "own"):
            raise InputError(f"views.maps must be 'shared' or 'own', got {self.maps!r}")
        if not isinstance(self.remember, int) or self.remember < 0:
            raise InputError(f"views.remember is a number of faces ≥ 0, got {self.remember!r}")

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each view."""
        return (1.0, float(self.symmetric_weight))[: len(self.names)]


@dataclass(frozen=True)
class AdversarialOptions:
    """What the discriminator is shown, and how often it is trained, ``adversarial=dict(sees="pasted", every=5)``.

    Args:
        sees: ``"pasted"``: renders over the teacher's image, and the teacher's image. ``"render"``: renders over black,
            and the teacher's image with its background, as the paper writes it. ``"covered"``: renders over black, and
            the teacher's image multiplied by the render's coverage, as the release does.
        every: iterations per step of the discriminator.
        per_view: score each view in a call of its own, as the release does, so that the minibatch standard deviation
            compares images of one view only.
    """

    sees: Literal["pasted", "render", "covered"] = "pasted"
    every: int = 5
    per_view: bool = False

    def __post_init__(self) -> None:
        if self.sees not in ("pasted", "render", "covered"):
            raise InputError(f"adversarial.sees must be 'pasted', 'render' or 'covered', got {self.sees!r}")
        if isinstance(self.every, bool) or not isinstance(self.every, int) or self.every < 1:
            raise InputError(f"adversarial.every is a whole number of iterations ≥ 1, got {self.every!r}")


_MOVED = {
    "symmetric_weight": ("views", "symmetric_weight"),
    "coefficients": ("views", "coefficients"),
    "maps": ("views", "maps"),
    "remember": ("views", "remember"),
    "mask_override": ("mask", "override"),
    "discriminator_every": ("adversarial", "every"),
    "discriminator_sees": ("adversarial", "sees"),
}
"""Settings of version 0.1 that stood beside each other → the group that holds them now, and their name there."""


def check_layout_of_options(config: Mapping[str, Any]) -> None:
    """Raise for settings as version 0.1 had them; the line says what to write instead."""
    for name, (group, inner) in _MOVED.items():
        if name in config:
            raise InputError(f"{name}={config[name]!r} has moved: write {group}=dict({inner}={config[name]!r})")
    for name, inner in (("views", "names"), ("mask", "rule")):
        value = config.get(name)
        if isinstance(value, (str, list, tuple)):
            raise InputError(f"{name}={value!r} has moved: write {name}=dict({inner}={value!r})")
