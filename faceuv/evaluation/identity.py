"""Identity similarity: cosines of a network's features of two images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from torch import Tensor, nn

from faceuv.checks import check_finite, check_shape
from faceuv.errors import InputError
from faceuv.evaluation.masked import mean_of_known
from faceuv.evaluation.reconstruction import view_endings
from faceuv.files.locate import locate
from faceuv.models.base.fixed import Fixed
from faceuv.models.readers.regressor import CoefficientRegressor, load_regressor
from faceuv.registry import METRICS, MODELS


class IdentityFeatures(Protocol):
    """Identity features: ``features(images (B, 3, H, W) in [0, 1], landmarks (B, 68, 2) or None) → (B, C)``.

    ``name`` names the network in results; ``needs_landmarks`` whether pictures are aligned by their landmarks
    (pixels of the picture, x right, y down, pixel centres at half integers).
    """

    name: str
    needs_landmarks: bool

    def __call__(self, images: Tensor, landmarks: Tensor | None = None) -> Tensor: ...


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """``(B,)`` in [−1, 1]: cosines of features ``(B, C)``. 1: the same to the network; 0: nothing in common."""
    sizes = check_shape("the first features", first, ("B", "C"))
    check_shape("the second features", second, (sizes["B"], sizes["C"]))
    return F.cosine_similarity(first, second, dim=1)


def distance(first: Tensor, second: Tensor) -> Tensor:
    """``(B,)``: lengths of the differences of features ``(B, C)``; dlib's network was trained by them."""
    sizes = check_shape("the first features", first, ("B", "C"))
    check_shape("the second features", second, (sizes["B"], sizes["C"]))
    return torch.linalg.vector_norm(first - second, dim=1)


def identity_similarity(
    features: IdentityFeatures,
    first: Tensor,
    second: Tensor,
    *,
    first_landmarks: Tensor | None = None,
    second_landmarks: Tensor | None = None,
) -> Tensor:
    """``(B,)``: :func:`similarity` of pictures ``(B, 3, H, W)`` in [0, 1], with landmarks ``(B, 68, 2)`` if needed.

    To compare many pictures with one, compute ``features(image, landmarks)`` of it once and use :func:`similarity`.
    """
    return similarity(features(first, first_landmarks), features(second, second_landmarks))


@MODELS.register_module()
class RegressorIdentity(nn.Module):
    """The identity that our regressor reads off a picture: its shape coefficients, in standard deviations of the
    population. It needs no download, and is not ArcFace: it knows the shapes of the linear model and nothing else.

    Images ``(B, 3, S, S)`` in [0, 1] → ``(B, 80)``; pictures are read in the full frame, landmarks are not needed.

    Args:
        regressor: a :class:`~faceuv.models.readers.CoefficientRegressor`, or its file.
    """

    name = "regressor_identity"
    needs_landmarks = False

    def __init__(self, regressor: CoefficientRegressor | str | Path = "zoo:regressor/weights.safetensors") -> None:
        super().__init__()
        network = load_regressor(locate(regressor)) if isinstance(regressor, (str, Path)) else regressor
        self.regressor: Fixed[CoefficientRegressor] = Fixed(network)

    def forward(self, images: Tensor, landmarks: Tensor | None = None) -> Tensor:
        check_finite("images", images)
        network = self.regressor.network
        return network.scores(images)[:, network.layout.slice("identity")]


@METRICS.register_module()
class IdentitySimilarity(BaseMetric):
    """How alike the person of the render and of the picture are to a network: the mean cosine of its features.

    Samples are ``dict(real (3, H, W), fake (3, H, W), mask)`` as methods give them, with
    ``landmarks (68, 2)`` of the render where the network aligns faces, and the same of other views. Logged are
    ``<name>``, the render against the teacher's picture from the same side, ``<name>_symmetric`` and so on likewise,
    and ``<name>_across_symmetric``: the render from that side against the one from the original side. ``<name>`` is
    ``regressor_identity`` or ``arcface_…``.

    Args:
        features: config of the network: ``dict(type="RegressorIdentity")``, ``dict(type="ArcFaceIdentity", …)``.
    """

    default_prefix = ""  # the names tell enough

    def __init__(
        self,
        features: Mapping[str, Any] | str | IdentityFeatures = "RegressorIdentity",
        *,
        collect_device: str = "gpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.features: Any = MODELS.build(features)
        if not isinstance(getattr(self.features, "name", None), str):
            raise InputError(
                f"{type(self.features).__name__} has no attribute 'name': give it one, with which results are named"
            )

    @torch.no_grad()
    def process(self, data_batch: Any, data_samples: Sequence[Mapping[str, Tensor]]) -> None:
        """The cosines of each sample."""
        name = self.features.name
        seen: dict[str, Tensor] = {}
        found: dict[str, Tensor] = {}
        for ending in view_endings(data_samples, type(self).__name__):
            landmarks = self._landmarks(data_samples, ending)
            for side in ("real", "fake"):
                images = torch.stack([sample[f"{side}{ending}"] for sample in data_samples]).float()
                network = self.features.to(images.device) if isinstance(self.features, nn.Module) else self.features
                seen[f"{side}{ending}"] = network(images, landmarks)
            found[f"{name}{ending}"] = similarity(seen[f"real{ending}"], seen[f"fake{ending}"])
            if ending:
                found[f"{name}_across{ending}"] = similarity(seen["fake"], seen[f"fake{ending}"])
        self.results += [{key: float(value[k]) for key, value in found.items()} for k in range(len(data_samples))]

    def _landmarks(self, data_samples: Sequence[Mapping[str, Tensor]], ending: str) -> Tensor | None:
        key = f"landmarks{ending}"
        if not getattr(self.features, "needs_landmarks", False) or key not in data_samples[0]:
            return None
        return torch.stack([sample[key] for sample in data_samples]).float()

    def compute_metrics(self, results: list[dict[str, float]]) -> dict[str, float]:
        """The means, and how many images they rest on."""
        if not results:
            raise InputError("IdentitySimilarity got no samples; the data are empty")
        table = {name: torch.tensor([row[name] for row in results]) for name in results[0]}
        return {**mean_of_known(table), f"{self.features.name}_samples": float(len(results))}
