"""What the trained readers of faces see in a picture, map by map."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.files.locate import locate
from faceuv.models.readers.regressor import load_regressor, resample
from faceuv.registry import MODELS


@MODELS.register_module()
class RegressorMaps(nn.Module):
    """The activations of a coefficient regressor after its stem and each stage, as maps ``(B, C, R, R)``.

    Config: ``dict(type="RegressorMaps", regressor="zoo:regressor/weights.safetensors")``.

    Args:
        regressor: a file of a :class:`~faceuv.models.readers.regressor.CoefficientRegressor`; the zoo's by default.
    """

    def __init__(self, regressor: str | Path = "zoo:regressor/weights.safetensors") -> None:
        super().__init__()
        self.network = load_regressor(locate(regressor)).requires_grad_(False).eval()
        settings = self.network.settings()
        channels = (settings["stem"], *settings["channels"])
        self.shapes = tuple((width, self.network.size >> (k + 1)) for k, width in enumerate(channels))
        """Channels and side of each map."""

    def train(self, mode: bool = True) -> RegressorMaps:
        """It stays in evaluation mode."""
        return super().train(False)

    def maps(self, image: Tensor) -> list[Tensor]:
        """Image ``(B, 3, S, S)`` in [0, 1] → maps of 1/2, 1/4, … of the side that the network reads."""
        check_shape("images", image, ("B", 3, "S", "S"))
        found = [self.network.stem(resample(image, self.network.size) * 2 - 1)]
        for stage in self.network.stages:
            found.append(stage(found[-1]))
        return found
