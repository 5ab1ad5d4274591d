"""A generator with exact truth: the interface of a StyleGAN2 over the studio of the synthetic faces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import check_finite, check_floating, check_shape
from faceuv.errors import InputError
from faceuv.models.faces.base import FaceModel
from faceuv.registry import GENERATORS
from faceuv.renderers.base import Renderer
from faceuv.structures import Coefficients, UVMaps
from faceuv.synthetic.scene import Scene
from faceuv.synthetic.seeds import FACTORS, combine
from faceuv.synthetic.studio import SceneRender, Studio
from faceuv.synthetic.truth import FIELDS, truth_of

# The factors in the order of the layers that carry them: coarse layers move and shape the head, middle ones the
# features, fine ones colour and light — as in a StyleGAN.
LEVELS: dict[str, tuple[str, ...]] = {
    "coarse": ("pose", "framing", "identity", "hair"),
    "middle": ("expression", "eyes", "features", "beard", "glasses"),
    "fine": ("albedo", "skin", "light", "clothes", "background"),
}
TRUTH = tuple(FIELDS)


@dataclass(frozen=True, eq=False)
class Truth:
    """The exact truth of a code: coefficients, the drawn maps, and every field of the synthetic faces."""

    coefficients: Coefficients
    maps: UVMaps
    fields: dict[str, Tensor]


@GENERATORS.register_module()
class ProceduralGenerator(nn.Module):
    """Not a GAN: codes are read as scenes of the synthetic faces and drawn; every code's truth is known exactly.

    The interface is StyleGAN2's: ``mapping(z) → w (B, D)``, ``synthesis(code) → image (B, 3, S, S)`` in [0, 1], for
    ``code (B, D)`` or ``(B, L, D)``. Pictures are differentiable in the code wherever the renderer is (shape,
    expression, pose, albedo, light, …); choices such as the style of the hair are piecewise constant in it.

    Args:
        size: side of the pictures, a power of two.
        code_dim: D, at least the number of values that decide about a scene.
        noise_seed: seeds the noise of textures, which is the same for all codes.
        face_model, renderer, samples, texture_size: see :class:`~faceuv.synthetic.studio.Studio`.
    """

    mean_code: Tensor
    turn: Tensor

    def __init__(
        self,
        size: int = 128,
        code_dim: int = 512,
        *,
        noise_seed: int = 0,
        face_model: FaceModel | Mapping[str, Any] | str | None = None,
        renderer: Renderer | Mapping[str, Any] | str = "torch",
        samples: int = 2,
        texture_size: int | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(size, int) or size < 16 or size & (size - 1):
            raise InputError(f"size must be a power of two of at least 16, got {size!r}")
        least = sum(FACTORS.values())
        if code_dim < least:
            raise InputError(f"code_dim must be at least {least}, the number of values of a scene, got {code_dim}")
        self.studio = Studio(face_model, renderer, size=size, samples=samples, texture_size=texture_size)
        self.size, self.code_dim, self.noise_seed = size, code_dim, noise_seed
        self.num_layers = 2 * (size.bit_length() - 1) - 2
        rng = torch.Generator().manual_seed(0)
        turn, _ = torch.linalg.qr(torch.randn(code_dim, code_dim, generator=rng, dtype=torch.float64))
        self.register_buffer("turn", turn.float())
        self.register_buffer("mean_code", torch.zeros(code_dim))
        self._places = _places(self.num_layers)

    @property
    def latent_dim(self) -> int:
        """The width of z."""
        return self.code_dim

    def layers_of(self, factor: str) -> slice:
        """The rows of a code that decide about a factor; they count equally."""
        return self._place(factor)[0]

    def columns_of(self, factor: str) -> slice:
        """The columns of a code that decide about a factor: one for each of its numbers."""
        return self._place(factor)[1]

    def mapping(self, z: Tensor) -> Tensor:
        """``z (B, D)`` → ``w (B, D)``: a fixed rotation, so that normal latents give normal codes."""
        check_shape("z", z, ("B", self.code_dim))
        check_floating("z", z)
        return z @ self.turn.to(z.dtype)

    def sample_latents(self, count: int, *, generator: torch.Generator | None = None) -> Tensor:
        """``count`` normal latents ``(count, D)``; a CPU generator gives the same anywhere."""
        device = self.mean_code.device if generator is None else generator.device
        return torch.randn(count, self.code_dim, generator=generator, device=device).to(self.mean_code.device)

    def sample_codes(self, count: int, *, truncation: float = 1.0, generator: torch.Generator | None = None) -> Tensor:
        """Codes ``(count, L, D)`` of random latents, one w repeated for every layer; rows may be changed in place."""
        w = self.truncate(self.mapping(self.sample_latents(count, generator=generator)), truncation)
        return self.broadcast(w).contiguous()

    def broadcast(self, code: Tensor) -> Tensor:
        """``(B, D)`` or ``(B, L, D)`` → ``(B, L, D)``."""
        if not isinstance(code, Tensor) or code.ndim not in (2, 3):
            came = tuple(code.shape) if isinstance(code, Tensor) else type(code).__name__
            raise InputError(
                f"a code must have shape (B, {self.num_layers}, {self.code_dim}) or (B, {self.code_dim}), got {came}"
            )
        check_floating("a code", code)
        if code.ndim == 2:
            check_shape("a w code", code, ("B", self.code_dim))
            return code[:, None].expand(-1, self.num_layers, -1)
        check_shape("a code", code, ("B", self.num_layers, self.code_dim))
        return code

    def truncate(self, code: Tensor, psi: float) -> Tensor:
        """Move a code toward the mean code, which is zero: the average face."""
        return code if psi == 1 else psi * code

    def scene(self, code: Tensor) -> Scene:
        """The scene of a code; differentiable."""
        layered = self.broadcast(code)
        check_finite("a code", layered.flatten(1))
        numbers = {name: layered[:, rows, columns].mean(1) for name, (rows, columns) in self._places.items()}
        # the mean over k layers of a normal w is that w; texture noise is fixed, like a StyleGAN's
        seed = torch.full((len(layered),), self.noise_seed, dtype=torch.int64, device=layered.device)
        return Scene(numbers, {name: combine(seed, k) for k, name in enumerate(FACTORS)})

    def render_scene(self, code: Tensor) -> SceneRender:
        """The image of a code with everything that it was drawn from."""
        return self.studio(self.scene(code))

    def synthesis(self, code: Tensor) -> Tensor:
        """``code (B, D)`` or ``(B, L, D)`` → image ``(B, 3, S, S)`` in [0, 1]."""
        return self.render_scene(code).image

    def truth(self, code: Tensor) -> Truth:
        """Exact coefficients, pose and maps of a code, and every other field of the synthetic faces."""
        drawn = self.render_scene(code)
        return Truth(drawn.coefficients, drawn.maps, truth_of(self.studio, drawn, TRUTH))

    def forward(self, z: Tensor, *, truncation: float = 1.0) -> Tensor:
        """``z (B, D)`` → image ``(B, 3, S, S)`` in [0, 1]."""
        return self.synthesis(self.truncate(self.mapping(z), truncation))

    def _place(self, factor: str) -> tuple[slice, slice]:
        if factor not in self._places:
            raise InputError(f"no factor is called {factor!r}; the factors are {', '.join(FACTORS)}")
        return self._places[factor]


def _places(layers: int) -> dict[str, tuple[slice, slice]]:
    """Factor → rows and columns of a code."""
    third = layers / 3
    edges = [0, round(third), round(2 * third), layers]
    places, column = {}, 0
    for rank, factors in enumerate(LEVELS.values()):
        for name in factors:
            places[name] = (slice(edges[rank], edges[rank + 1]), slice(column, column + FACTORS[name]))
            column += FACTORS[name]
    return places
