"""The terms of LiftedGAN's objective, each a registered loss with its weight in the config; see ``objective``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.losses.base import entry
from faceuv.models.base.fixed import Fixed
from faceuv.models.liftedgan.geometry import blurred
from faceuv.registry import LOSSES, MODELS

PAIRS = ("rec", "flip", "perturb_shape", "perturb_code")
Pair = Literal["rec", "flip", "perturb_shape", "perturb_code"]


@LOSSES.register_module()
class LiftedImages(nn.Module):
    """The mean distance d of one pair of images: ``dict(type="LiftedImages", pair="rec", weight=5.0)``.

    Args:
        pair: ``"rec"``: render and the teacher's image; ``"flip"``: the render of mirrored depth and albedo and the
            same image; ``"perturb_shape"``: the render in the re-estimated view and light, and the teacher's image of
            the composed code, which gets no gradient; ``"perturb_code"``: the teacher's image of the composed code, and
            the render in the wanted view and light, which gets no gradient.
    """

    def __init__(self, pair: Pair) -> None:
        super().__init__()
        if pair not in PAIRS:
            raise InputError(f"LiftedImages compares the pairs {', '.join(PAIRS)}, got {pair!r}")
        self.pair = pair

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return entry(pred, self.pair, self, "pred").mean()


@LOSSES.register_module()
class SquaredDifference(nn.Module):
    """Mean square of ``pred[of] − target[of]``, ``(B, C)``: ``dict(type="SquaredDifference", of="view", columns=3)``.

    Args:
        columns: how many columns count, from the left; all by default.
    """

    def __init__(self, of: str, columns: int | None = None) -> None:
        super().__init__()
        self.of, self.columns = of, columns

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        found, wanted = entry(pred, self.of, self, "pred"), entry(target, self.of, self, "target")
        check_shape(f"target[{self.of!r}]", wanted, tuple(found.shape))
        return (found - wanted)[:, : self.columns].square().mean()


@LOSSES.register_module()
class CodePrior(nn.Module):
    """−log p(w') of a Gaussian without its constant, per component: mean (w' − μ)² / 2σ², of ``pred["code"] (B, D)``
    with ``target["mean"] (D,)`` and ``target["deviation"]``, one σ for all components."""

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        code, mean = entry(pred, "code", self, "pred"), entry(target, "mean", self, "target")
        deviation = entry(target, "deviation", self, "target")
        return (code - mean).square().mean() * (0.5 / deviation.square())


@LOSSES.register_module()
class IdentityDistance(nn.Module):
    """Squared distance of the unit embeddings of ``pred["image"]`` and ``target["image"] (B, 3, S, S)``, the mean over
    images whose ``pred["yaw"] (B,)``, radians, is small enough; 0 if there is none.

    Args:
        features: config of an embedder ``images (B, 3, S, S) → (B, C)``, which is frozen; images in which it finds no
            face, whose rows are NaN, do not count.
        max_yaw_deg: the limit of |yaw|: embedders are not invariant to pose.
    """

    def __init__(self, features: Mapping[str, Any] | str = "RegressorIdentity", max_yaw_deg: float = 25.0) -> None:
        super().__init__()
        self.features: Any = Fixed(MODELS.build(features))
        self.max_yaw = math.radians(max_yaw_deg)

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        image, yaw = entry(pred, "image", self, "pred"), entry(pred, "yaw", self, "pred")
        neutral = entry(target, "image", self, "target")
        near = yaw.abs() < self.max_yaw
        if not bool(near.any()):
            return image.sum() * 0
        first, second = self.features(torch.cat([image[near], neutral[near]])).chunk(2)
        known = torch.isfinite(first).all(1) & torch.isfinite(second).all(1)
        if not bool(known.any()):
            return image.sum() * 0
        return (F.normalize(first[known], dim=1) - F.normalize(second[known], dim=1)).square().sum(1).mean()


@LOSSES.register_module()
class AlbedoRank(nn.Module):
    """Nuclear norm of the batch's filtered albedos (equation 7): ``pred["albedo"] (B, 3, S, S)`` in grey, high
    frequencies only, where ``pred["foreground"] (B, S, S)``, pooled, one row per image. It asks for few details, and
    for the same ones in all images.

    Rows of rank zero (a constant albedo) have the gradient zero.

    Args:
        kind: ``"gaussian"``: the albedo minus its blur, as in the release; ``"laplacian"``, as in the paper.
        pool: side of the squares whose means are taken.
    """

    def __init__(self, kind: Literal["gaussian", "laplacian"] = "gaussian", pool: int = 4) -> None:
        super().__init__()
        if kind not in ("gaussian", "laplacian"):
            raise InputError(f"AlbedoRank.kind must be 'gaussian' or 'laplacian', got {kind!r}")
        if isinstance(pool, bool) or not isinstance(pool, int) or pool < 1:
            raise InputError(f"AlbedoRank.pool is a whole number of pixels ≥ 1, got {pool!r}")
        self.kind, self.pool = kind, pool

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        albedo = entry(pred, "albedo", self, "pred")
        sizes = check_shape("pred['albedo']", albedo, ("B", 3, "S", "S"))
        inside = entry(pred, "foreground", self, "pred").detach()
        check_shape("pred['foreground']", inside, (sizes["B"], sizes["S"], sizes["S"]))
        grey = albedo.mean(1)
        rest = grey - blurred(grey) if self.kind == "gaussian" else _laplacian(grey)
        rows = F.avg_pool2d((rest * inside)[:, None], self.pool).flatten(1)
        values = torch.linalg.svdvals(rows.float())
        # rounded at 0, where the slope of a singular value is not defined
        return ((values.square() + 1e-8).sqrt() - 1e-4).sum()


def _laplacian(maps: Tensor) -> Tensor:
    """``(B, S, S)`` minus the mean of four neighbours."""
    wide = F.pad(maps[:, None], (1, 1, 1, 1), mode="reflect")[:, 0]
    around = wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1] + wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:]
    return maps - around / 4
