"""The StyleGAN2 generator: mapping and synthesis with truncation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.errors import InputError
from faceuv.files.networks import CodeFacts, stored
from faceuv.models.base.codes import broadcast_code, truncate
from faceuv.models.stylegan2.channels import arguments, channel_table, style_layers
from faceuv.models.stylegan2.mapping import MappingNetwork
from faceuv.models.stylegan2.synthesis import Noise, SynthesisNetwork
from faceuv.registry import GENERATORS


def _code_facts(settings: Mapping[str, Any]) -> CodeFacts:
    return CodeFacts(style_layers(settings["size"]), settings["code_dim"], settings["size"])


@stored("stylegan2_generator", facts=_code_facts, prepare=arguments)
@GENERATORS.register_module()
class StyleGAN2Generator(nn.Module):
    """StyleGAN2: ``mapping(z) → w (B, D)``, ``synthesis(code) → image (B, 3, S, S)`` in [0, 1].

    Args:
        size: side of the images, a power of two ≥ 8.
        code_dim: D, width of a code.
        latent_dim: width of z; D if absent.
        mapping_depth: number of layers of the mapping network.
        mapping_rate: their learning-rate multiplier.
        channel_base, channel_max: channels at resolution r are ``min(channel_base / r, channel_max)``;
            32768 and 512 are config-f.
        channels: an explicit table resolution → channels instead.
        noise_seed: seed of the fixed noise patterns.
        activation_clamp: limit of the activations, for weights trained with one (float16 runs: 256).
        compile: compile the synthesis network (``torch.compile``; needs a C++ compiler on a CPU).
    """

    mean_code: Tensor

    @classmethod
    def code_facts(cls, settings: Mapping[str, Any]) -> dict[str, int]:
        """What a config says of the generator, for plans."""
        size, width = settings.get("size"), settings.get("code_dim", 512)
        return _code_facts({"size": size, "code_dim": width}).known() if isinstance(size, int) else {}

    def __init__(
        self,
        size: int,
        code_dim: int = 512,
        *,
        latent_dim: int | None = None,
        mapping_depth: int = 8,
        mapping_rate: float = 0.01,
        channel_base: int = 32768,
        channel_max: int = 512,
        channels: Mapping[int, int] | None = None,
        noise_seed: int = 0,
        activation_clamp: float | None = None,
        compile: bool = False,
    ):
        super().__init__()
        if mapping_depth < 1:
            raise InputError(f"the mapping network needs at least one layer, got mapping_depth={mapping_depth}")
        table = channel_table(size, base=channel_base, maximum=channel_max, channels=channels)
        self.mapping = MappingNetwork(latent_dim or code_dim, code_dim, depth=mapping_depth, rate=mapping_rate)
        self.synthesis = SynthesisNetwork(size, code_dim, channels=table, noise_seed=noise_seed, clamp=activation_clamp)
        self.register_buffer("mean_code", torch.zeros(code_dim))
        self.activation_clamp = activation_clamp
        if compile:
            self.synthesis.compile()

    @property
    def size(self) -> int:
        """Side of the images in pixels."""
        return self.synthesis.size

    @property
    def num_layers(self) -> int:
        """L, the number of rows of a code."""
        return self.synthesis.num_layers

    @property
    def code_dim(self) -> int:
        """D, the width of a code."""
        return self.synthesis.code_dim

    @property
    def latent_dim(self) -> int:
        """The width of z."""
        return self.mapping.latent_dim

    @property
    def channels(self) -> dict[int, int]:
        """Resolution → number of feature channels."""
        return self.synthesis.channels

    def settings(self) -> dict[str, Any]:
        """The arguments that build a generator of the same shape; what files keep beside the weights."""
        return {
            "size": self.size,
            "code_dim": self.code_dim,
            "latent_dim": self.latent_dim,
            "mapping_depth": len(self.mapping.layers),
            "mapping_rate": self.mapping.rate,
            "channels": dict(self.channels),
            "activation_clamp": self.activation_clamp,
        }

    def sample_latents(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """``count`` normal latents ``(count, Z)`` on this network's device; a CPU generator gives the same anywhere."""
        like = self.mean_code
        device = like.device if generator is None else generator.device
        z = torch.randn(count, self.latent_dim, generator=generator, device=device, dtype=like.dtype)
        return z.to(like.device)

    def sample_codes(self, count: int, *, truncation: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """Codes ``(count, L, D)`` of random latents, one w repeated for every layer; rows may be changed in place."""
        w = self.truncate(self.mapping(self.sample_latents(count, generator=generator)), truncation)
        return self.broadcast(w).contiguous()

    def broadcast(self, code: Tensor) -> Tensor:
        """``(B, D)`` or ``(B, L, D)`` → ``(B, L, D)``."""
        return broadcast_code(code, self.num_layers, self.code_dim)

    def truncate(self, code: Tensor, psi: float, *, layers: int | None = None) -> Tensor:
        """Move a code toward the mean code, see :func:`~faceuv.models.base.codes.truncate`."""
        return code if psi == 1 else truncate(code, self.mean_code, psi, layers=layers)

    @torch.no_grad()
    def track_mean_code(self, w: Tensor, decay: float = 0.995) -> None:
        """Move the mean code toward the mean of the codes ``w (B, D)`` of a training batch."""
        self.mean_code.lerp_(w.detach().to(self.mean_code.dtype).mean(0), 1 - decay)

    @torch.no_grad()
    def estimate_mean_code(self, samples: int = 10_000, *, seed: int = 0) -> Tensor:
        """Set the mean code to the mean over ``samples`` random latents, and return it."""
        rng = torch.Generator().manual_seed(seed)
        total = torch.zeros(self.code_dim, dtype=torch.float64, device=self.mean_code.device)
        for start in range(0, samples, 1000):
            z = self.sample_latents(min(1000, samples - start), generator=rng)
            total += self.mapping(z).double().sum(0)
        self.mean_code.copy_(total / samples)
        return self.mean_code

    def forward(
        self,
        z: Tensor,
        *,
        truncation: float = 1.0,
        noise: Noise = "fixed",
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """``z (B, Z)`` → image ``(B, 3, S, S)`` in [0, 1], not clamped."""
        code = self.truncate(self.mapping(z), truncation)
        image: Tensor = self.synthesis(code, noise=noise, generator=generator)
        return image
