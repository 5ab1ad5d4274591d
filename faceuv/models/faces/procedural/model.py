"""The face model that the library carries: made by formula on first use, then read from the user's cache."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from rich.console import Console
from torch import Tensor

from faceuv.errors import InputError
from faceuv.files.cache import cache_dir
from faceuv.models.faces.base import FaceModel
from faceuv.models.faces.cached import Built, read_cached, write_cached
from faceuv.models.faces.contour import contour_lines
from faceuv.models.faces.procedural.build import build, recipe_fingerprint
from faceuv.models.faces.procedural.grid import Grid
from faceuv.registry import FACE_MODELS


@FACE_MODELS.register_module()
class ProceduralFace(FaceModel):
    """A 3D morphable face made by formula: 80 identity, 64 expression, 80 albedo modes; no data needed.

    Left and right in mode names are the subject's, as in ARKit: ``smile_left`` is on the viewer's right.
    The first construction at a resolution takes some seconds; later ones read the cache.

    Args:
        rows, columns: resolution of the chart; ``columns`` is odd. V = rows · columns.
        cache: keep the result in the user's cache folder (``FACEUV_CACHE``, else ``$XDG_CACHE_HOME/faceuv``, else
            ``~/.cache/faceuv``).
        verbose: say on standard error what is being built.
        contour: with lines along which jaw landmarks slide to the silhouette of a turned head, as on annotated
            pictures. Off by default: the zoo's networks learned landmarks that are points of the head.
    """

    kind: ClassVar[str] = "procedural face model"

    def __init__(
        self, rows: int = 201, columns: int = 161, *, cache: bool = True, verbose: bool = True, contour: bool = False
    ) -> None:
        Grid(rows, columns)  # a bad resolution is an error before anything is read or written
        path = cache_dir() / "procedural_face" / f"{rows}x{columns}_{recipe_fingerprint()}.safetensors"
        built = read_cached(path) if cache else None
        fresh = built is None
        if built is None:
            built = _build(rows, columns, verbose)
        super().__init__(built.arrays, names=built.names, metadata=built.metadata)
        if fresh and cache:
            write_cached(self, path)
        if contour:
            self.contour = self._contour()

    def _contour(self) -> Tensor:
        lines = contour_lines(*(getattr(self, name).numpy() for name in ("mean", "skin_mask", "landmarks", "mirror")))
        return torch.from_numpy(lines)

    def config(self) -> dict[str, Any]:
        """The config that builds this model again: its type and resolution."""
        return {**super().config(), "rows": self.metadata["rows"], "columns": self.metadata["columns"]}

    @property
    def full_expression(self) -> dict[str, float]:
        """Named movement → the coefficient of the full movement (a shut eye, a wide open jaw)."""
        return self.metadata["full_expression"]

    def identity_coefficients(self, **traits: float) -> Tensor:
        """Coefficients ``(1, I)`` of a head by its measures, in deviations: ``(jaw_width=2, tip_depth=-1)``."""
        coefficients = self.mean.new_zeros(1, self.layout.identity)
        known = self.metadata["traits"]
        for name, amount in traits.items():
            if name not in known:
                raise InputError(f"no measure is called {name!r}; known: {', '.join(known)}")
            coefficients += float(amount) * coefficients.new_tensor(known[name])
        return coefficients


def _build(rows: int, columns: int, verbose: bool) -> Built:
    if not verbose:
        return build(rows, columns)
    console = Console(stderr=True)
    with console.status("procedural face: starting") as status:
        return build(rows, columns, lambda step: status.update(f"procedural face ({rows} × {columns}): {step}"))
