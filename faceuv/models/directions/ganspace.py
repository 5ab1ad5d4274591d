"""GANSpace: principal components of w, or of a layer's activations brought back to w by least squares."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.generator import Generator
from faceuv.models.directions.base import (
    Direction,
    DirectionFinder,
    Mapper,
    check_layers,
    first_sign,
    unit_over_layers,
)
from faceuv.models.directions.sampling import RunningCovariance, check_count, first_names, sample_w, spread
from faceuv.registry import DIRECTION_FINDERS


@DIRECTION_FINDERS.register_module(name="ganspace")
class GANSpaceDirections(DirectionFinder):
    """Principal components of w, or of one layer's activations with regression back to w, as in GANSpace.

    On w the components are those of the full covariance, gathered batch after batch. On activations they come from an
    incremental PCA; a second pass over the same codes fits, by least squares, how w changes with each. Config::

        direction=dict(type='ganspace', components=20, layers=[0, 1, 2, 3])
        direction=dict(type='ganspace', activations='synthesis.layers.2', samples=10_000)

    Args:
        components: how many directions.
        samples: number of codes.
        layers: rows of the code that they move, all if absent.
        activations: name of a module of the generator whose output is analysed, instead of w.
        truncation, batch, seed: of the codes; a batch of activations is at least as large as ``components``.
    """

    def __init__(
        self,
        components: int = 20,
        samples: int = 100_000,
        *,
        layers: Sequence[int] | None = None,
        activations: str | None = None,
        truncation: float = 1.0,
        batch: int = 1024,
        seed: int = 0,
    ) -> None:
        self.components = check_count("components", components, 1)
        self.samples = check_count("samples", samples, 2 * components)
        self.layers = None if layers is None else list(layers)
        self.activations = activations
        self.batch = check_count("batch", batch, 1)
        if activations is not None and not components <= batch <= samples:
            raise InputError(
                f"an incremental PCA needs components ≤ batch ≤ samples, got {components}, {batch} and {samples}"
            )
        self.truncation, self.seed = truncation, seed

    def check(self, generator: Generator) -> None:
        """The generator must have the layers, and as many dimensions as components are wanted."""
        check_layers(self.layers, generator.num_layers)
        if self.activations is not None:
            _Probe(generator, self.activations)
        elif self.components > generator.code_dim:
            raise InputError(f"codes of width {generator.code_dim} have no {self.components} components; ask for fewer")

    def find(self, generator: Generator, mapper: Mapper | None = None) -> list[Direction]:
        """The directions, largest variance first."""
        self.check(generator)
        rows = check_layers(self.layers, generator.num_layers)
        moments = RunningCovariance()
        for w in self._codes(generator):
            moments.add(w.cpu())
        covariance = moments.covariance
        if self.activations is None:
            values, columns = torch.linalg.eigh(covariance)
            values, vectors = values.flip(0)[: self.components], columns.T.flip(0)[: self.components]
            of, total = "w", float(covariance.trace())
        else:
            values, vectors, total = self._from_activations(generator, moments.mean)
            of = f"the activations of {self.activations}"
        lengths = vectors.norm(dim=1)
        if not bool((lengths > 0).all()) or not float(values[-1]) > 1e-12 * float(values[0]):
            raise InputError(f"{of} vary in fewer than {self.components} directions; ask for fewer components")
        found = []
        for k, vector in enumerate(first_sign(vectors)):
            full = unit_over_layers(vector, generator.num_layers, rows)
            metadata: dict[str, Any] = {
                "variance": float(values[k]),
                "share": float(values[k]) / total,
                "samples": self.samples,
                "activations": self.activations,
                "truncation": self.truncation,
            }
            if self.activations is not None:  # GANSpace's own unit: the step in W+ of one σ of the activations
                metadata["activation_step"] = float(lengths[k]) * math.sqrt(float(values[k]) * len(rows))
            found.append(
                Direction(
                    vector=full.float(),
                    name=f"ganspace{k}",
                    meaning=f"principal component {k} of {of}",
                    method="ganspace",
                    scale=spread(full, covariance),
                    seed=self.seed,
                    metadata=metadata,
                )
            )
        return found

    def _codes(self, generator: Generator) -> Iterator[Tensor]:
        return sample_w(generator, self.samples, seed=self.seed, truncation=self.truncation, batch=self.batch)

    def _from_activations(self, generator: Generator, mean: Tensor) -> tuple[Tensor, Tensor, float]:
        """Variances ``(K,)`` of the components, the change of w ``(K, D)`` with each, and the whole variance."""
        from sklearn.decomposition import IncrementalPCA

        assert self.activations is not None
        probe = _Probe(generator, self.activations)
        pca = IncrementalPCA(n_components=self.components)
        held: Tensor | None = None  # the last batch may be short: it joins the one before
        for w in self._codes(generator):
            features = probe(w)
            if held is not None and len(features) == self.batch:
                pca.partial_fit(held.numpy())
                held = features
            else:
                held = features if held is None else torch.cat([held, features])
        assert held is not None
        pca.partial_fit(held.numpy())

        basis = torch.from_numpy(pca.components_).double()
        centre = torch.from_numpy(pca.mean_).double()
        gram = torch.zeros(self.components, self.components, dtype=torch.float64)
        cross = torch.zeros(self.components, generator.code_dim, dtype=torch.float64)
        for w in self._codes(generator):
            coordinates = (probe(w).double() - centre) @ basis.T
            gram += coordinates.T @ coordinates
            cross += coordinates.T @ (w.cpu().double() - mean)
        vectors = torch.linalg.lstsq(gram, cross, driver="gelsd").solution
        return torch.from_numpy(pca.explained_variance_).double(), vectors, float(pca.var_.sum())


class _Reached(Exception):
    """Ends a forward pass after the wanted layer."""


class _Probe:
    """The output of one named module for codes w ``(B, D)``, flattened: ``(B, F)`` on the CPU."""

    def __init__(self, generator: Generator, name: str) -> None:
        modules = dict(generator.named_modules()) if isinstance(generator, nn.Module) else {}
        if name not in modules or not name:
            known = first_names([n for n in modules if n.startswith("synthesis")] or [n for n in modules if n])
            raise InputError(f"the generator has no layer {name!r}; it has {known or 'no named layers at all'}")
        self.generator, self.name, self.module = generator, name, modules[name]

    def __call__(self, w: Tensor) -> Tensor:
        kept: list[Tensor] = []

        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            kept.append(output[0] if isinstance(output, tuple) else output)
            raise _Reached

        handle = self.module.register_forward_hook(keep)
        try:
            with torch.no_grad():
                self.generator.synthesis(broadcast_code(w, self.generator.num_layers, self.generator.code_dim))
        except _Reached:
            pass
        finally:
            handle.remove()
        if not kept or not isinstance(kept[0], Tensor) or len(kept[0]) != len(w):
            came = "nothing" if not kept else getattr(kept[0], "shape", type(kept[0]).__name__)
            raise InputError(f"the layer {self.name!r} must give one tensor row per code while drawing, it gave {came}")
        return kept[0].flatten(1).float().cpu()
