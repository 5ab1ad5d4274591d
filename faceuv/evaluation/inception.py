"""The feature space of the FID: Inception v3 as its authors froze it in 2015, from a file of the user."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import check_floating, check_shape
from faceuv.errors import AssetError, InputError, MissingDependency
from faceuv.evaluation.feature_metric import INCEPTION
from faceuv.files.artefacts import load_state_dict, sha256_of
from faceuv.files.assets import ASSETS, Missing, find_asset, locate_asset
from faceuv.files.paths import user_path
from faceuv.registry import MODELS

OFFICIAL = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""SHA-256 of the published weights, whose file name has its beginning."""
_OFFLINE = 'features=dict(type="DiscriminatorFeatures", …) is a feature space without downloads (not an FID)'


@MODELS.register_module()
class InceptionFeatures(nn.Module):
    """The space of FID and KID, Inception v3's pooled features: image ``(B, 3, H, W)`` in [0, 1] → ``(B, 2048)``.

    Images may have any size. torch-fidelity (``pip install "faceuv[fid]"``) computes the features, of images rounded to
    8 bits, as FIDs are defined.

    Args:
        weights: the file ``weights-inception-2015-12-05-6726825d.pth``; by default it is looked for in
            ``$FACEUV_ASSETS`` and in the user's data folder. Nothing is ever downloaded.
        sha256: of the file. Any other than the published one makes another feature space, named after it, whose
            distances are not called FID.
    """

    def __init__(self, weights: str | Path | None = None, *, sha256: str = OFFICIAL) -> None:
        super().__init__()
        extractor = _extractor()
        path = user_path(weights) if weights is not None else find_asset("inception")
        state = read_weights(path, sha256)
        # torch-fidelity unpickles what it is given without restriction: it gets a copy made of our tensors.
        copy = io.BytesIO()
        torch.save(state, copy)
        copy.seek(0)
        try:
            self.network = extractor("inception-v3-compat", ["2048"], feature_extractor_weights_path=copy)
        except RuntimeError as error:  # of load_state_dict: the keys or shapes that do not fit
            reason = " ".join(str(error).split())[:300]
            raise AssetError(f"{path} does not hold the FID's Inception network: {reason}") from error
        self.network.requires_grad_(False)
        self.space = INCEPTION if sha256.lower() == OFFICIAL else f"inception_{sha256.lower()[:8]}"

    @classmethod
    def missing_assets(cls, weights: str | Path | None = None, sha256: str = OFFICIAL) -> list[Missing]:
        """The network's weights, if they are not where they would be looked for."""
        return [] if weights is not None or locate_asset("inception") else [Missing.asset("inception")]

    def forward(self, image: Tensor) -> Tensor:
        check_shape("images", image, ("B", 3, "H", "W"))
        check_floating("images", image)
        bytes_ = (image.clamp(0, 1) * 255).round().to(torch.uint8)
        with torch.autocast(image.device.type, enabled=False):
            features: Tensor = self.network(bytes_)[0]
        return features


def read_weights(path: Path, sha256: str) -> dict[str, Tensor]:
    """The state dict in a file whose SHA-256 is checked first; read without running code."""
    asset = ASSETS["inception"]
    if len(sha256) != 64 or not set(sha256.lower()) <= set("0123456789abcdef"):
        raise InputError(f"sha256 must be 64 hexadecimal digits, got {sha256!r}")
    if not path.is_file():
        raise AssetError(f"{path} does not exist; expected {asset.filename}: {asset.where}. Without it, {_OFFLINE}")
    found = sha256_of(path)
    if found != sha256.lower():
        raise AssetError(
            f"{path} has SHA-256 {found[:12]}…, expected {sha256[:12].lower()}…: it is truncated (it has"
            f" {path.stat().st_size:,} bytes, the published file 95,628,359) or another file; get it: {asset.where}"
        )
    return load_state_dict(path, expected=asset.filename)


def _extractor() -> Any:
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise MissingDependency(
            f'InceptionFeatures needs torch-fidelity ({error}): pip install "faceuv[fid]". Without it, {_OFFLINE}'
        ) from error
    return FeatureExtractorInceptionV3
