"""How truly faces are turned: asked angles against those that a network reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.evaluation.reconstruction import ENDINGS
from faceuv.files.locate import locate
from faceuv.models.readers.regressor import CoefficientRegressor, load_regressor
from faceuv.registry import METRICS

DEGREES = 180 / math.pi


def angle_errors_deg(read: Tensor, wanted: Tensor) -> Tensor:
    """|read − wanted| of angles in radians, any shape, in degrees, the shorter way round."""
    check_shape("wanted angles", wanted, tuple(read.shape))
    away = (read - wanted) * DEGREES
    return (torch.remainder(away + 180, 360) - 180).abs()


def turning_errors(read: Tensor, wanted: Tensor) -> dict[str, float]:
    """How truly N faces were turned to K angles, ``read (N, K)`` and ``wanted (N, K)`` or ``(K,)`` in radians.

    ============ ==================================================================================
    ``deg``      mean error in degrees
    ``deg_p95``  its 95th percentile
    ``deg_at_a`` mean error at one wanted angle, where all faces were turned to the same
    ``slope``    degrees read per degree wanted: below 1, faces turn too little; needs two angles
    ============ ==================================================================================
    """
    check_shape("angles read", read, ("N", "K"))
    wide = wanted.expand(len(read), -1) if wanted.ndim == 1 else wanted
    errors = angle_errors_deg(read, wide)
    found = {"deg": float(errors.mean()), "deg_p95": float(errors.flatten().quantile(0.95))}
    if bool((wide == wide[0]).all()):
        found |= {f"deg_at_{angle:+.0f}": float(e) for angle, e in zip((wide[0] * DEGREES).tolist(), errors.mean(0))}
    centred = wide - wide.mean()
    if bool((centred != 0).any()):
        found["slope"] = float((centred * read).sum() / centred.square().sum())
    return found


@METRICS.register_module()
class YawErrors(BaseMetric):
    """Errors of turned codes in degrees, from what the training of a yaw stepper gives.

    ==================== ==========================================================================================
    ``yaw_deg``          mean of |yaw read by the mapper − wanted| over codes and angles; ``_p95`` its 95th percentile
    ``yaw_deg_at_<a>``   the same at one wanted angle, degrees
    ``seen_deg``         the same by a regressor on pictures, where there is one; ``_at_<a>`` and ``seen_slope``,
                         degrees seen per degree wanted
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
        found: dict[str, float] = {}
        for label, side in (("yaw", "read"), ("seen", "seen")):
            if side in all_of:
                turned = turning_errors(all_of[side], all_of["wanted"])
                if side == "read":  # it is trained to follow the mapper: the slope says nothing that the errors do not
                    turned.pop("slope", None)
                found |= {f"{label}_{name}": value for name, value in turned.items()}
        found["symmetric_deg"] = float(angle_errors_deg(all_of["mirrored"], -all_of["own"]).mean())
        found["return_sigma"] = float(all_of["return"].mean())
        found["step_sigma_p99"] = float(all_of["steps"].abs().flatten().quantile(0.99))
        return {**found, "samples": float(len(results))}


@METRICS.register_module()
class PoseErrors(BaseMetric):
    """How truly renders show the yaw that was asked for, in degrees, as a regressor reads it off the pictures.

    Samples are ``dict(fake (3, H, W), yaw ())`` as methods give them, of other views ``fake_symmetric``,
    ``yaw_symmetric``, and the same with ``_random_yaw``; yaws in radians. Logged are ``pose_deg``, ``pose_deg_p95`` and
    ``pose_slope``, see :func:`turning_errors`, with the view's ending.

    Args:
        regressor: a :class:`~faceuv.models.readers.CoefficientRegressor`, or its file: one that was not trained
            with what it measures.
    """

    default_prefix = ""

    def __init__(
        self,
        regressor: CoefficientRegressor | str | Path = "zoo:regressor/weights.safetensors",
        *,
        collect_device: str = "gpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        network = load_regressor(locate(regressor)) if isinstance(regressor, (str, Path)) else regressor
        self.regressor = network.eval()

    @torch.no_grad()
    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Tensor]]) -> None:
        """The yaw that is read and the one that was asked for, of each sample's views."""
        endings = [ending for ending in ENDINGS if {f"fake{ending}", f"yaw{ending}"} <= set(data_samples[0])]
        if "" not in endings:
            raise InputError(
                f"PoseErrors reads samples dict(fake (3, H, W), yaw ()) of the model's forward; they have"
                f" {', '.join(sorted(data_samples[0]))}"
            )
        rows: list[dict[str, tuple[float, float]]] = [{} for _ in data_samples]
        for ending in endings:
            images = torch.stack([sample[f"fake{ending}"] for sample in data_samples]).float()
            read = self.regressor.to(images.device)(images).rotation[:, 1].tolist()
            for row, sample, angle in zip(rows, data_samples, read):
                row[ending] = (angle, float(sample[f"yaw{ending}"]))
        self.results += rows

    def compute_metrics(self, results: list[dict[str, tuple[float, float]]]) -> dict[str, float]:
        """The figures over all samples."""
        if not results:
            raise InputError("PoseErrors got no samples; the data are empty")
        found: dict[str, float] = {}
        for ending in results[0]:
            read, wanted = torch.tensor([row[ending] for row in results]).unbind(1)
            errors = turning_errors(read[:, None], wanted[:, None])
            found |= {f"pose_{name}{ending}": errors[name] for name in ("deg", "deg_p95", "slope") if name in errors}
        return {**found, "pose_samples": float(len(results))}
