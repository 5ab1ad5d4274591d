"""Means of errors that a method measures by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from faceuv.errors import InputError
from faceuv.registry import METRICS


@METRICS.register_module()
class MeanErrors(BaseMetric):
    """The mean of every number of samples ``dict(name → ())``, as methods give them: ``dict(type="MeanErrors")``. NaN
    is left out; a name that is NaN everywhere stays NaN."""

    default_prefix = ""

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Tensor]]) -> None:
        """Keep the samples."""
        self.results += [{name: float(value) for name, value in sample.items()} for sample in data_samples]

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """Name → mean, and ``samples``."""
        if not results:
            raise InputError("MeanErrors got no samples; the validation data are empty")
        names = dict.fromkeys(name for row in results for name in row)
        found = {name: torch.tensor([row.get(name, torch.nan) for row in results]) for name in names}
        return {**{name: float(values.nanmean()) for name, values in found.items()}, "samples": float(len(results))}
