"""Which hair somebody may have: styles by gender, age and ancestry."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from faceuv.models.faces.hair.styles import STYLES

BALD = "bald"

# How often adults of 30 wear a style: women, men; and what it is times for wholly African ancestry.
_HABITS: dict[str, tuple[float, float, float]] = {
    "buzz": (0.1, 1.2, 2.5),
    "crew": (0.1, 2.0, 0.2),
    "crop": (0.3, 2.0, 0.1),
    "short": (0.4, 3.0, 0.05),
    "parted": (0.1, 2.0, 0.05),
    "swept": (0.1, 1.3, 0.1),
    "receding": (0.0, 0.5, 0.8),
    "balding": (0.0, 0.3, 0.8),
    "pixie": (1.2, 0.3, 0.2),
    "medium": (2.0, 0.2, 0.2),
    "bob": (2.0, 0.0, 0.3),
    "fringe": (1.6, 0.0, 0.2),
    "long": (2.8, 0.1, 0.3),
    "wavy": (3.0, 0.1, 0.4),
    "curls": (0.6, 0.2, 5.0),
    "ponytail": (2.2, 0.05, 0.8),
    "bun": (1.4, 0.1, 1.2),
    "coils": (0.0, 0.0, 0.0),
    "afro": (0.0, 0.0, 0.0),
    "pageboy": (0.0, 0.0, 0.0),
    BALD: (0.0, 0.3, 1.5),
}
_AFRICAN = {"coils": (1.2, 3.5), "afro": (3.0, 1.2)}  # of wholly African ancestry: women, men
_OFTEN_OLD = ("pixie", "bob", "medium", "bun", "short", "receding", "balding", BALD)
_HAIR_LOSS = {"receding": (26.0, 5.0), "balding": (38.0, 6.0), BALD: (30.0, 3.0)}  # from these years on, times at 70


def chosen_style(draw: float, traits: Mapping[str, float] | None) -> str:
    """A style's name, or :data:`BALD`, for a uniform ``draw`` in [0, 1).

    ``traits`` are those of :meth:`FaceModel.likely_traits`: ``age`` in years, ``gender`` 0 (female) … 1 and the share
    ``african``. None: every style is as likely.
    """
    if traits is None:
        return list(STYLES)[int(draw * len(STYLES))]
    weights = np.array([_likely(name, traits) for name in _HABITS])
    place = int(np.searchsorted(np.cumsum(weights) / weights.sum(), draw, side="right"))
    return list(_HABITS)[min(place, len(_HABITS) - 1)]


def _likely(name: str, traits: Mapping[str, float]) -> float:
    women, men, factor = _HABITS[name]
    african = float(np.clip(traits["african"], 0, 1))
    male = float(np.clip((traits["gender"] - 0.35) / 0.3, 0, 1))
    likely = (1 - male) * women + male * men
    likely *= (1 - african) + african * factor
    for_women, for_men = _AFRICAN.get(name, (0.0, 0.0))
    likely += np.clip(2 * african - 0.5, 0, 1) * ((1 - male) * for_women + male * for_men)
    age = traits["age"]
    if name in _HAIR_LOSS:
        start, most = _HAIR_LOSS[name]
        return float(likely * most * np.clip((age - start) / (70 - start), 0, 1.2))
    old = float(np.clip((age - 50) / 20, 0, 1))
    return float(likely * ((1 + old) if name in _OFTEN_OLD else (1 - 0.85 * old * (1 - male))))
