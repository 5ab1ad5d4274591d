"""Perceptual distances: differences of a network's activations on two images."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import AssetError, InputError, MissingDependency
from faceuv.files.artefacts import load_state_dict, sha256_of
from faceuv.files.assets import ASSETS, Missing, asset_folders, locate_asset
from faceuv.files.paths import user_path
from faceuv.losses.base import entry
from faceuv.models.base.fixed import Fixed
from faceuv.models.stylegan2.discriminator import StyleGAN2Discriminator
from faceuv.models.stylegan2.pretrained import named_discriminator, named_facts
from faceuv.registry import LOSSES

PerceptualMask = Literal["weights", "coverage"]
_OFFLINE = 'dict(type="DiscriminatorPerceptual", …) needs no download (and is not LPIPS)'


class Perceptual(nn.Module):
    """What perceptual losses share: ``pred["image"]`` and ``target["image"] (B, 3, H, W)`` in [0, 1], both multiplied
    by the masks that there are, ``pred["mask"]`` and ``target["mask"] (B, 1, H, W)``, which get no gradient.

    Args:
        mask: ``"weights"``: both masks; ``"coverage"``: only ``pred["mask"]``, where the render is.
    """

    def __init__(self, mask: PerceptualMask = "weights") -> None:
        super().__init__()
        if mask not in ("weights", "coverage"):
            raise InputError(f"mask must be 'weights' or 'coverage', got {mask!r}")
        self.mask = mask

    def per_image(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        """``(B,)``."""
        image, truth = entry(pred, "image", self, "pred"), entry(target, "image", self, "target")
        sizes = check_shape("pred['image']", image, ("B", 3, "H", "W"))
        check_shape("target['image']", truth, tuple(image.shape))
        for side, given in (("pred", pred), ("target", target)):
            if given.get("mask") is not None and not (side == "target" and self.mask == "coverage"):
                mask = entry(given, "mask", self, side).detach()
                check_shape(f"{side}['mask']", mask, (sizes["B"], 1, sizes["H"], sizes["W"]))
                image, truth = image * mask, truth * mask
        return self.distance(image, truth)

    @abstractmethod
    def distance(self, image: Tensor, truth: Tensor) -> Tensor:
        """``(B,)`` of two batches of images ``(B, 3, H, W)`` in [0, 1]."""

    def forward(self, pred: Mapping[str, Any], target: Mapping[str, Any]) -> Tensor:
        return self.per_image(pred, target).mean()


def directions(features: Tensor, epsilon: float) -> Tensor:
    """``(B, C, R, R)`` scaled to length 1 over the channels; ``epsilon`` bounds the gradient of zero vectors."""
    return features / (features.square().sum(1, keepdim=True) + epsilon**2).sqrt()


@LOSSES.register_module()
class LPIPS(Perceptual):
    """LPIPS (Zhang et al. 2018) with VGG-16, by the package ``lpips``, on masked images of any size ≥ 16².

    The package contains the weights of the layers. VGG's own weights are a file of torchvision's, which is never
    downloaded here.

    Args:
        weights: the file ``vgg16-397923af.pth``; by default it is looked for among the assets (``$FACEUV_ASSETS``, the
            user's data folder) and where torchvision keeps its downloads.
        sha256: the beginning of the file's SHA-256, at least 8 digits; another network than the published one gives
            distances that are not LPIPS.
        mask: ``"weights"`` or ``"coverage"``, see :class:`Perceptual`.
    """

    def __init__(
        self, weights: str | Path | None = None, *, sha256: str = "397923af", mask: PerceptualMask = "weights"
    ) -> None:
        super().__init__(mask)
        state = read_vgg(find_vgg() if weights is None else user_path(weights), sha256)
        try:
            import lpips
        except ImportError as error:
            raise MissingDependency(
                f"LPIPS needs lpips ({error}): pip install lpips. Without it, {_OFFLINE}"
            ) from error
        with warnings.catch_warnings():  # it builds VGG by an argument that torchvision has renamed
            warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
            network = lpips.LPIPS(net="vgg", pnet_rand=True, verbose=False)  # "rand": it must not download
        for part in network.net.children():
            part.load_state_dict({key: state[f"features.{key}"] for key in part.state_dict()})
        self.network: Fixed[nn.Module] = Fixed(network)

    @classmethod
    def missing_assets(cls, weights: str | Path | None = None, **_: Any) -> list[Missing]:
        """VGG's weights, if they are not where they would be looked for."""
        here = weights is not None or locate_asset("vgg16") or (_torch_cache() / ASSETS["vgg16"].filename).is_file()
        return [] if here else [Missing.asset("vgg16", also=[_torch_cache()])]

    def distance(self, image: Tensor, truth: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self._features(truth)
        # the package's own forward, but its lengths have no derivative where VGG answers nothing at all
        layers = [
            layer((directions(a, 1e-10) - directions(b, 1e-10)).square()).mean((1, 2, 3))
            for layer, a, b in zip(self._network.lins, self._features(image), wanted)
        ]
        return torch.stack(layers).sum(0)

    @property
    def _network(self) -> Any:
        return self.network.network

    def _features(self, image: Tensor) -> tuple[Tensor, ...]:
        features: tuple[Tensor, ...] = self._network.net(self._network.scaling_layer(image * 2 - 1))
        return features


@LOSSES.register_module()
class DiscriminatorPerceptual(Perceptual):
    """Distance of a discriminator's activations at every resolution from S down to 8, channels normalised at each
    place, for images ``(B, 3, S, S)``. It needs no download, and is not LPIPS: ``space`` names its weights.

    Args:
        network: config of a discriminator with random weights drawn from ``seed``; or
        weights: a file of a trained one; or
        zoo: an entry of the zoo that has one: the teacher's.
        seed: of random weights.
        mask: ``"weights"`` or ``"coverage"``, see :class:`Perceptual`.
    """

    @classmethod
    def code_facts(cls, settings: Mapping[str, Any]) -> dict[str, int]:
        """The size of the images that the zoo's discriminator reads, for plans."""
        return named_facts(settings)

    def __init__(
        self,
        network: Mapping[str, Any] | None = None,
        *,
        weights: str | Path | None = None,
        zoo: str | None = None,
        seed: int = 0,
        mask: PerceptualMask = "weights",
    ) -> None:
        super().__init__(mask)
        found, self.space = named_discriminator(network, weights=weights, zoo=zoo, seed=seed, owner=type(self).__name__)
        self.network: Fixed[StyleGAN2Discriminator] = Fixed(found)

    def distance(self, image: Tensor, truth: Tensor) -> Tensor:
        with torch.no_grad():
            wanted = self._features(truth)
        layers = [
            (directions(a, 1e-3) - directions(b, 1e-3)).square().sum(1).mean((1, 2))
            for a, b in zip(self._features(image), wanted)
        ]
        return torch.stack(layers).mean(0)

    def _features(self, image: Tensor) -> list[Tensor]:
        return [x.float() for x in self.network.network.features(image, least=8)]


def _torch_cache() -> Path:
    """Where torchvision keeps what it has downloaded."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def find_vgg() -> Path:
    """Where VGG's weights lie; the error says where they were looked for and how to get them."""
    asset, cache = ASSETS["vgg16"], _torch_cache()
    found = locate_asset("vgg16") or cache / asset.filename
    if not found.is_file():
        looked = ", ".join(str(folder) for folder in (*asset_folders(), cache))
        raise AssetError(
            f"LPIPS needs {asset.filename} ({asset.description}), which was not found in {looked}. Get it:"
            f" {asset.where}; then run: {asset.command}. Without it, {_OFFLINE}"
        )
    return found


def read_vgg(path: Path, sha256: str) -> dict[str, Tensor]:
    """The state dict of torchvision's VGG-16 in a file whose SHA-256 begins with ``sha256``."""
    if not path.is_file():
        raise AssetError(f"{path} does not exist; expected {ASSETS['vgg16'].filename}: {ASSETS['vgg16'].where}")
    found = sha256_of(path)
    if len(sha256) < 8 or not found.startswith(sha256.lower()):
        raise AssetError(
            f"{path} has SHA-256 {found[:8]}…, expected {sha256[:8]}…: it is truncated or another file; get it:"
            f" {ASSETS['vgg16'].where}"
        )
    state = load_state_dict(path, expected=ASSETS["vgg16"].filename)
    if "features.28.weight" not in state:
        raise AssetError(f"{path} does not hold a VGG-16 of torchvision (features.28.weight is missing)")
    return state
