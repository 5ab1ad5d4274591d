"""The UV generator (G3D in the paper): a StyleGAN2 whose images are UV maps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from faceuv.errors import AssetError, InputError
from faceuv.files.networks import load_network, stored
from faceuv.geometry.normals import vertex_normals
from faceuv.geometry.uv import bake
from faceuv.models.base.codes import broadcast_code
from faceuv.models.base.generator import Generator, check_generator
from faceuv.models.stylegan2.channels import arguments, channel_table, resolutions, style_layers
from faceuv.models.stylegan2.generator import StyleGAN2Generator
from faceuv.models.stylegan2.layers import ModulatedConv2d
from faceuv.models.stylegan2.synthesis import Noise, SkipHead, SynthesisNetwork
from faceuv.registry import GENERATORS
from faceuv.structures import UVMaps

if TYPE_CHECKING:
    from faceuv.models.faces.base import FaceModel

Space = Literal["xyz", "normal"]
UV_FILE = "uv_generator.safetensors"
"""What a trained one is called in the folder of its stage."""
OF_STYLEGAN2 = ("channels", "channel_base", "channel_max", "activation_clamp")
"""Settings that a UV generator takes from its teacher if that is a StyleGAN2, and from its config otherwise."""


@stored("uv_generator", prepare=arguments)
@GENERATORS.register_module()
class UVGenerator(nn.Module):
    """Stylecode → UV maps: StyleGAN2's synthesis with two heads, each its own skip path over all resolutions.

    ``diffuse = (tanh(x) + 1) / 2`` and ``displacement = scale · tanh(y)``, which starts at zero. The maps' resolution
    does not depend on the teacher's: layers beyond those of the code read its last row.

    Args:
        size: side of the maps, a power of two ≥ 8.
        code_dim: D of the codes.
        num_layers: L of the codes that are read; that of a ``size``² StyleGAN2 if absent.
        diffuse, displacement: which maps to make; one of them may be left out.
        displacement_scale: the largest displacement, decimetres (per axis).
        displacement_space: ``"xyz"``: three free axes of the object frame; ``"normal"``: one number per texel, along
            the normals of the mean face, see :meth:`set_normals`.
        channel_base, channel_max, channels, noise_seed, activation_clamp: as for
            :class:`~faceuv.models.stylegan2.StyleGAN2Generator`.
    """

    normals: Tensor

    def __init__(
        self,
        size: int,
        code_dim: int = 512,
        *,
        num_layers: int | None = None,
        diffuse: bool = True,
        displacement: bool = True,
        displacement_scale: float = 0.01,
        displacement_space: Space = "xyz",
        channel_base: int = 32768,
        channel_max: int = 512,
        channels: Mapping[int, int] | None = None,
        noise_seed: int = 0,
        activation_clamp: float | None = None,
    ) -> None:
        super().__init__()
        if not diffuse and not displacement:
            raise InputError("a UVGenerator makes a diffuse map, a displacement map or both; both are switched off")
        if displacement_space not in ("xyz", "normal"):
            raise InputError(f"displacement_space must be 'xyz' or 'normal', got {displacement_space!r}")
        if not displacement_scale > 0:
            raise InputError(f"displacement_scale must be positive (decimetres), got {displacement_scale}")
        table = channel_table(size, base=channel_base, maximum=channel_max, channels=channels)
        self.num_layers = style_layers(size) if num_layers is None else num_layers
        if self.num_layers < 1:
            raise InputError(f"num_layers must be at least 1, got {num_layers}")
        self.diffuse = diffuse
        self.displacement_scale, self.displacement_space = float(displacement_scale), displacement_space
        self.activation_clamp = activation_clamp
        self.synthesis = SynthesisNetwork(size, code_dim, channels=table, noise_seed=noise_seed, clamp=activation_clamp)
        self.displacement: SkipHead | None = None
        if displacement:
            axes = 3 if displacement_space == "xyz" else 1
            self.displacement = SkipHead(table, code_dim, outputs=axes, clamp=activation_clamp)
            silence(self.displacement, list(table))
            if displacement_space == "normal":
                self.register_buffer("normals", torch.zeros(1, 3, size, size))
        self.train_all()

    def train_all(self) -> UVGenerator:
        """Let everything be trained that the maps depend on."""
        self.requires_grad_(True)
        self.synthesis.head.requires_grad_(self.diffuse)
        return self.train()

    @classmethod
    def from_teacher(
        cls,
        teacher: Generator,
        *,
        size: int | None = None,
        face_model: FaceModel | None = None,
        **settings: Any,
    ) -> UVGenerator:
        """One for the codes of ``teacher``.

        With a StyleGAN2 teacher it starts with the teacher's weights: the first diffuse map is its image. Layers of
        resolutions that the teacher has not start at random, with half the channels of the resolution before, and add
        nothing to the maps at first. With any other generator everything starts at random.

        Args:
            size: side of the maps; the teacher's if absent.
            face_model: whose normals displacements follow in the space ``"normal"``.
            settings: ``diffuse``, ``displacement``, ``displacement_scale``, ``displacement_space``. For a teacher that
                is no StyleGAN2 also those of :data:`OF_STYLEGAN2`, ``channel_base`` for instance.
        """
        side = size or check_generator(teacher, "a UVGenerator").size
        if isinstance(side, int) and side & (side - 1):
            raise InputError(
                f"the side of UV maps is a power of two, got {side}"
                + ("" if size else f", the teacher's: give one, size={1 << side.bit_length()} for instance")
            )
        if isinstance(teacher, StyleGAN2Generator):
            if given := [name for name in OF_STYLEGAN2 if name in settings]:
                raise InputError(f"a UV generator takes {', '.join(given)} from its StyleGAN2 teacher: leave them out")
            channels = dict(teacher.channels)
            for resolution in resolutions(side):
                channels.setdefault(resolution, max(channels.get(resolution // 2, 0) // 2, 1))
            settings = {**settings, "channels": channels, "activation_clamp": teacher.activation_clamp}
        uv = cls(side, teacher.code_dim, num_layers=teacher.num_layers, **settings)
        if isinstance(teacher, StyleGAN2Generator):
            uv.start_from(teacher)
        if uv.displacement_space == "normal":
            if face_model is None:
                raise InputError("displacements along the normals need a face_model to take the normals of")
            uv.set_normals(face_model)
        return uv

    @property
    def size(self) -> int:
        """Side of the maps in texels."""
        return self.synthesis.size

    @property
    def code_dim(self) -> int:
        """D, the width of a code."""
        return self.synthesis.code_dim

    @property
    def channels(self) -> dict[int, int]:
        """Resolution → number of feature channels."""
        return self.synthesis.channels

    def settings(self) -> dict[str, Any]:
        """The arguments that build one of the same shape; what files keep beside the weights."""
        return {
            "size": self.size,
            "code_dim": self.code_dim,
            "num_layers": self.num_layers,
            "diffuse": self.diffuse,
            "displacement": self.displacement is not None,
            "displacement_scale": self.displacement_scale,
            "displacement_space": self.displacement_space,
            "channels": dict(self.channels),
            "activation_clamp": self.activation_clamp,
        }

    @torch.no_grad()
    def start_from(self, teacher: StyleGAN2Generator) -> None:
        """Copy the teacher's constant, layers and colour head at the resolutions that both have."""
        own, given = self.synthesis, teacher.synthesis
        own.constant.copy_(given.constant)
        for mine, theirs in zip(own.styled, given.styled):
            mine.load_state_dict(theirs.state_dict())
        for index in range(min(len(own.head.layers), len(given.head.layers))):
            own.head.layers[index].load_state_dict(given.head.layers[index].state_dict())
            own.head.biases[index].copy_(given.head.biases[index])
        silence(own.head, [r for r in self.channels if r > teacher.size])

    @torch.no_grad()
    def set_normals(self, face_model: FaceModel) -> None:
        """Set the directions of the displacements: the normals of the mean face at every texel."""
        if self.displacement_space != "normal" or self.displacement is None:
            raise InputError("only a UVGenerator with displacement_space='normal' has normals")
        mean = vertex_normals(face_model.mean[None], face_model.faces, face_model.weld)
        normals = bake(mean, face_model.chart(self.size, self.size))
        self.normals.copy_(torch.nn.functional.normalize(normals, dim=1, eps=1e-20))

    def rows(self, code: Tensor) -> Tensor:
        """A code ``(B, L, D)`` or ``(B, D)`` for the layers here: its first rows, or its last row repeated."""
        code = broadcast_code(code, self.num_layers, self.code_dim)
        missing = self.synthesis.num_layers - self.num_layers
        if missing <= 0:
            return code[:, : self.synthesis.num_layers]
        return torch.cat([code, code[:, -1:].expand(-1, missing, -1)], 1)

    def forward(self, code: Tensor, *, noise: Noise = "fixed") -> UVMaps:
        """``code (B, L, D)``, or one w per face ``(B, D)`` → ``diffuse`` and ``displacement (B, 3, S, S)``."""
        code = self.rows(code)
        head = self.synthesis.head if self.diffuse else None
        colours: Tensor | None = None
        offsets: Tensor | None = None
        for row, features in enumerate(self.synthesis.iterate(code, noise=noise)):
            if row % 2 == 0:  # the last convolution of its resolution
                colours = head.step(features, code, colours) if head is not None else None
                offsets = self.displacement.step(features, code, offsets) if self.displacement is not None else None
        diffuse = None if colours is None else ((colours.tanh() + 1) / 2).contiguous()
        return UVMaps(diffuse=diffuse, displacement=None if offsets is None else self._displaced(offsets))

    def _displaced(self, offsets: Tensor) -> Tensor:
        """Unbounded values ``(B, 1 or 3, S, S)`` → decimetres ``(B, 3, S, S)``."""
        bounded = offsets.tanh() * self.displacement_scale
        if self.displacement_space == "xyz":
            return bounded.contiguous()
        if not bool(self.normals.any()):
            raise InputError("this UVGenerator displaces along normals and has none yet; call set_normals(face_model)")
        return (bounded * self.normals).contiguous()


def load_uv_generator(path: str | Path, *, size: int | None = None) -> UVGenerator:
    """Read a UV generator, in evaluation mode and without gradients; maps of another ``size`` are an error."""
    found = load_network(path, UVGenerator)
    if size is not None and found.size != size:
        raise AssetError(f"{path} holds a UV generator for {found.size}² maps, expected {size}²")
    return found


@torch.no_grad()
def silence(head: SkipHead, at: list[int]) -> None:
    """Let ``head`` add nothing at the resolutions ``at``, until it learns to."""
    for resolution, layer, bias in zip(head.resolutions, head.layers, head.biases):
        if resolution in at:
            assert isinstance(layer, ModulatedConv2d)
            layer.weight.zero_()
            bias.zero_()
