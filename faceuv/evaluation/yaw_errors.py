"""How truly a stepper turns faces."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from faceuv.errors import InputError
from faceuv.registry import METRICS


@METRICS.register_module()
class YawErrors(BaseMetric):
    """Errors of turned codes in degrees, from what :class:`~faceuv.models.methods.yaw_stepping.YawStepping` gives.

    ==================== ==========================================================================================
    ``yaw_deg``          mean of |yaw read by F3D − wanted| over codes and wanted angles; ``_p95`` its 95th percentile
    ``yaw_deg_at_<a>``   the same at one wanted angle, degrees
    ``seen_deg``         with judges: the same by the regressor, on pictures; ``_at_<a>`` and ``seen_slope``, degrees
                         seen per degree wanted
    ``symmetric_deg``    mean of |yaw of the symmetric view + own yaw|
    ``return_sigma``     how far the symmetric view of the symmetric view is from where it began, σ of the direction
    ``step_sigma_p99``   99th percentile of the steps' lengths, σ; beyond 3 or 4 a code is unlike any of the generator's
    ==================== ==========================================================================================
    """

    default_prefix = None

    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Tensor]]) -> None:
        """Keep the samples."""
        self.results += [
            {name: value.detach().float().cpu() for name, value in sample.items()} for sample in data_samples
        ]

    def compute_metrics(self, results: list[dict[str, Tensor]]) -> dict[str, float]:
        """The table above."""
        if not results:
            raise InputError("YawErrors got no samples; the validation data are empty")
        all_of = {name: torch.stack([row[name] for row in results]) for name in results[0]}
        wanted, angles = all_of["wanted"], all_of["wanted"][0] * (180 / math.pi)
        found: dict[str, float] = {}
        for label, side in (("yaw", "read"), ("seen", "seen")):
            if side not in all_of:
                continue
            errors = (all_of[side] - wanted).abs() * (180 / math.pi)
            found[f"{label}_deg"] = float(errors.mean())
            found[f"{label}_deg_p95"] = float(errors.flatten().quantile(0.95))
            for k, angle in enumerate(angles.tolist()):
                found[f"{label}_deg_at_{angle:+.0f}"] = float(errors[:, k].mean())
            if side == "seen":
                centred = wanted - wanted.mean()
                found["seen_slope"] = float((centred * all_of[side]).sum() / centred.square().sum())
        symmetric = (all_of["mirrored"] + all_of["own"]).abs() * (180 / math.pi)
        found["symmetric_deg"] = float(symmetric.mean())
        found["return_sigma"] = float(all_of["return"].mean())
        found["step_sigma_p99"] = float(all_of["steps"].abs().flatten().quantile(0.99))
        return {**found, "samples": float(len(results))}
