"""Synthetic faces of several head models in one dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from faceuv.errors import InputError
from faceuv.registry import DATASETS
from faceuv.synthetic.dataset import SyntheticFaces
from faceuv.synthetic.seeds import combine, uniforms
from faceuv.synthetic.truth import FIELDS

_OF_A_MODEL = ("coefficients", "uv", "diffuse", "displacement", "linear_diffuse", "visibility")
_CHOICE = 0x6D69  # stream of the numbers that choose a population


@DATASETS.register_module()
class MixedFaces(Dataset[dict[str, Tensor]]):
    """Faces of several populations, each with its own head model or world; item i is always the same picture.

    What detectors learn from: pictures with landmarks and masks, whatever the topology beneath. Truth in the chart or
    the coefficients of one model is refused, as its meaning would change from item to item::

        dataset = dict(
            type="MixedFaces",
            populations=[
                dict(share=2, face_model="MakeHuman"),
                dict(share=2, face_model="ICTFaceKit"),
                dict(share=1, world="full"),
            ],
            size=128,
            truth=("landmarks",),
        )

    Args:
        populations: settings of :class:`SyntheticFaces`, each with the ``share`` of items that it draws; equal where
            absent.
        length, seed, truth: as in :class:`SyntheticFaces`.
        **common: settings that all populations share, such as ``size``.
    """

    def __init__(
        self,
        populations: Sequence[Mapping[str, Any]],
        length: int = 100_000,
        *,
        seed: int = 0,
        truth: Sequence[str] = (),
        **common: Any,
    ) -> None:
        if isinstance(populations, Mapping) or not populations:
            raise InputError("populations must be a list of settings of SyntheticFaces, [dict(face_model=…), …]")
        if refused := [name for name in truth if name in _OF_A_MODEL]:
            shared = ", ".join(name for name in FIELDS if name not in _OF_A_MODEL)
            raise InputError(f"populations of several head models share no truth {refused}; they share {shared}")
        shares = [dict(one).get("share", 1) for one in populations]
        if not all(isinstance(share, (int, float)) and share >= 0 for share in shares) or sum(shares) <= 0:
            raise InputError(f"the shares of populations must be numbers ≥ 0, some above 0, got {shares}")
        settings = [{name: value for name, value in dict(one).items() if name != "share"} for one in populations]
        self.faces = [SyntheticFaces(length, seed=seed, truth=truth, **{**common, **one}) for one in settings]
        sizes = sorted({faces.studio.size for faces in self.faces})
        if len(sizes) > 1:
            raise InputError(f"populations must draw pictures of one size, got {sizes}")
        self.length, self.seed = length, seed
        self._edges = torch.tensor(shares, dtype=torch.float64).cumsum(0) / sum(shares)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        if index < 0:
            index += self.length
        return {name: value[0] for name, value in self.batch([index]).items()}

    def population_of(self, indices: Sequence[int] | Tensor) -> Tensor:
        """Which population draws each item ``(B,)``."""
        index = torch.as_tensor(indices, dtype=torch.int64)
        chance = uniforms(combine(torch.tensor([self.seed]), index), (1,), _CHOICE)[:, 0].double()
        return (chance[:, None] >= self._edges[:-1]).sum(1)

    def batch(self, indices: Sequence[int] | Tensor) -> dict[str, Tensor]:
        """Several items at once, each tensor with a leading axis: the same bits as one by one."""
        return self._gathered(indices, SyntheticFaces.batch)

    def facts(self, indices: Sequence[int] | Tensor) -> dict[str, Tensor]:
        """``latent (B, Z)`` and ``landmarks (B, 68, 2)`` of items without drawing them."""
        found = self._gathered(indices, SyntheticFaces.facts, without=("coefficients",))
        return {name: found[name] for name in ("latent", "landmarks")}

    def stream(self, batch_size: int, start: int = 0) -> Iterator[dict[str, Tensor]]:
        """Batches without end, from item ``start`` on."""
        while True:
            yield self.batch(range(start, start + batch_size))
            start += batch_size

    def _gathered(self, indices: Sequence[int] | Tensor, ask: Any, without: Sequence[str] = ()) -> dict[str, Tensor]:
        index = torch.as_tensor(indices, dtype=torch.int64)
        chosen = self.population_of(index)
        rows, parts = [], []
        for number, faces in enumerate(self.faces):
            own = (chosen == number).nonzero()[:, 0]
            if len(own):
                rows.append(own)
                parts.append({k: v for k, v in ask(faces, index[own]).items() if k not in without})
        order = torch.cat(rows).argsort()
        return {name: torch.cat([part[name] for part in parts])[order.to(parts[0][name].device)] for name in parts[0]}
