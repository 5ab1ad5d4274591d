"""The table of a report's measures: unit, which way is better, what it is, and what a subject's views must carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from faceuv.models.base.subject import CAPABILITIES, Capability, Network

Needs = tuple[frozenset[Capability], ...]
"""Alternatives: one of these sets must be carried; () needs the picture alone."""


@dataclass(frozen=True)
class Meaning:
    """What a number is: its unit, which way is better, one line about it, and what it needs of a subject's views."""

    unit: str
    better: Literal["lower", "higher"]
    about: str
    needs: Needs = ()

    def record(self) -> dict[str, Any]:
        """For JSON."""
        needs = [[name for name in CAPABILITIES if name in alternative] for alternative in self.needs]
        return {"unit": self.unit, "better": self.better, "about": self.about, "needs": needs}


_COLOUR, _COSINE, _DEGREES = "of full scale", "cosine", "degrees"
COEFFICIENTS: Needs = (frozenset(("coefficients",)),)
_SURFACE: Needs = (frozenset(("surface",)),)
_TEXELS: Needs = (frozenset(("coefficients", "surface")),)
_COLOURS: Needs = (frozenset(("maps",)), frozenset(("coefficients", "surface")))

PICTURES = {
    "l1": Meaning(_COLOUR, "lower", "mean absolute colour difference from the teacher's picture, where the face is"),
    "psnr": Meaning("dB", "higher", "peak signal to noise ratio, where the face is"),
    "ssim": Meaning("", "higher", "structural similarity, where the face is"),
}
TURNED = {
    "identity": Meaning(_COSINE, "higher", "features of the turned face and of the teacher's picture"),
    "identity_kept": Meaning(_COSINE, "higher", "features of the turned face and of the subject's own frontal view"),
    "pose_deg": Meaning(_DEGREES, "lower", "|yaw that the regressor reads - yaw asked for|"),
    "texels": Meaning(
        _COLOUR, "lower", "difference of a texel's colour in this view and in the frontal one", COEFFICIENTS
    ),
    "texels_unlit": Meaning(
        _COLOUR, "lower", "difference of a texel's colour over the light on it, likewise", COEFFICIENTS
    ),
}
TRUTH = {
    "picture": Meaning(_COLOUR, "lower", "the pasted picture against the true one, where the face is"),
    "depth": Meaning("", "lower", "LiftedGAN's normalised depth error, 0 to 2", _SURFACE),
    "depth_mm": Meaning("mm", "lower", "depth after its mean is removed", _SURFACE),
    "normal_deg": Meaning(_DEGREES, "lower", "normals in the picture", _SURFACE),
    "normal_seen_deg": Meaning(
        _DEGREES, "lower", "normals per texel, object frame, side that the picture shows", _TEXELS
    ),
    "normal_unseen_deg": Meaning(
        _DEGREES, "lower", "normals per texel, object frame, side that it does not show", _TEXELS
    ),
    "albedo_seen": Meaning(_COLOUR, "lower", "colours per texel, side that the picture shows", _COLOURS),
    "albedo_unseen": Meaning(_COLOUR, "lower", "colours per texel, side that it does not show", _COLOURS),
    "albedo_seen_free": Meaning(
        _COLOUR, "lower", "colours after the best gain per channel, side that the picture shows", _COLOURS
    ),
    "albedo_unseen_free": Meaning(
        _COLOUR, "lower", "colours after the best gain per channel, side that it does not show", _COLOURS
    ),
}
IN_PICTURE = ("picture", "depth", "depth_mm", "normal_deg")
"""Those against the truth that are measured in the picture, where the face is."""
DISTANCES = ("frechet", "kernel", "fid", "kid")
TRUTH_WORDS = {"scene": "the scene of the latent", "fitted": "the linear face fitted to the teacher's picture"}
_VIEWS = {"_symmetric": "symmetric view", "_far": "far turned"}
_WORDS = {"coefficients": "coefficients", "maps": "maps", "surface": "a surface"}
_NETWORKS: dict[Network, str] = {"mapper": "a mapper that reads codes", "stepper": "an editor that turns codes"}
NO_MASK = f"needs a mask, or {_NETWORKS['mapper']}"
"""Why what is measured where the face is, is left out."""


def meaning(name: str) -> Meaning:
    """What the metric ``name`` is; perceptual losses keep the names that the config gave them."""
    for truth, words in TRUTH_WORDS.items():
        if name.startswith(f"{truth}_") and name.removeprefix(f"{truth}_") in TRUTH:
            found = TRUTH[name.removeprefix(f"{truth}_")]
            return replace(found, about=f"{found.about}; truth: {words}")
    for ending, words in _VIEWS.items():
        if name.endswith(ending):
            found = meaning(name.removesuffix(ending))
            return replace(found, about=f"{found.about}; {words}")
    if name.partition("_")[0] in DISTANCES:
        side = "turned to other faces' yaws" if name.endswith("turned") else "in the original pose"
        return Meaning("", "lower", f"distance of the pictures, {side}, from the teacher's pictures")
    known = PICTURES | TURNED
    return known.get(name) or Meaning(
        "", "lower", f"the loss {name!r} against the teacher's picture, where the face is"
    )


def unmet(needs: Needs, carried: Iterable[str]) -> str | None:
    """Why a measure is left out, ``"needs a surface"``; None if what a subject's views carry is enough."""
    carried = frozenset(carried)
    if not needs or any(alternative <= carried for alternative in needs):
        return None
    words = [" and ".join(_WORDS[name] for name in CAPABILITIES if name in alternative) for alternative in needs]
    return f"needs {', or '.join(words)}"


def without(*networks: Network) -> str:
    """Why a measure is left out where the setting lacks these: ``"needs an editor that turns codes"``."""
    return f"needs {' and '.join(_NETWORKS[name] for name in networks)}"


HEADINGS = (
    "Reconstruction of the teacher's pictures",
    "Distances to the teacher's pictures",
    "Turned faces",
    *(f"Against {words}" for words in TRUTH_WORDS.values()),
)
"""The groups of metrics, in the order of a report."""


def heading(name: str) -> str:
    """The group of a metric, one of :data:`HEADINGS`."""
    for truth, words in TRUTH_WORDS.items():
        if name.startswith(f"{truth}_"):
            return f"Against {words}"
    if name.partition("_")[0] in DISTANCES:
        return HEADINGS[1]
    return HEADINGS[2] if name.startswith(tuple(TURNED)) else HEADINGS[0]


def order(names: Sequence[str]) -> list[str]:
    """Metrics by their groups; within one, the symmetric view's after the original's."""
    return sorted(names, key=lambda name: (HEADINGS.index(heading(name)), name.endswith("_symmetric")))
