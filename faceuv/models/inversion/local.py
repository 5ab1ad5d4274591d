"""The local branch: what a code cannot say, copied from the picture into the UV maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.files.locate import locate
from faceuv.files.networks import load_network, no_code_facts, stored
from faceuv.models.faces import FaceRenderer
from faceuv.models.inversion.residual import CHANNELS, Mirror, Sight, channels, sight, unlit_residual
from faceuv.structures import Coefficients, Render, UVMaps

LOCAL_FILE = "local.safetensors"
_GROUPS = 8


@stored("inversion_local", facts=no_code_facts, halves="parameters")
class LocalBranch(nn.Module):
    """A U-Net over the chart: 18 channels (see :mod:`~faceuv.models.inversion.residual`) → corrections of both maps.

    ``Δdiffuse`` is a gate times the residual, plus another gate times the mirrored residual, plus a free part; the
    gates let detail that no training has shown be copied as it is. ``Δdisplacement`` is free. All heads begin with
    zeros: without training the maps are exactly the generator's. Maps of any size are read.

    Args:
        widths: channels per level; each level has half the side of the one before.
        colour: the largest correction of a colour, in [0, 1].
        displacement_mm: the largest correction of the displacement per axis; 0 leaves it alone.
    """

    def __init__(
        self, widths: Sequence[int] = (32, 48, 64, 96), *, colour: float = 0.6, displacement_mm: float = 2.0
    ) -> None:
        super().__init__()
        if not widths or any(width < _GROUPS or width % _GROUPS for width in widths):
            raise InputError(f"widths must be multiples of {_GROUPS}, one per level, got {list(widths)}")
        if not 0 < colour <= 1 or displacement_mm < 0:
            raise InputError(f"expected colour in (0, 1] and displacement_mm ≥ 0, got {colour} and {displacement_mm}")
        self.widths, self.colour, self.displacement_mm = tuple(widths), float(colour), float(displacement_mm)
        before = [CHANNELS, *widths[:-1]]
        self.down = nn.ModuleList(_Block(a, b) for a, b in zip(before, widths))
        above = list(widths)[::-1]
        self.up = nn.ModuleList(_Block(a + b, b) for a, b in pairwise(above))
        self.gates = nn.Conv2d(widths[0], 6, 1)
        self.free = nn.Conv2d(widths[0], 3, 1)
        self.displacement = nn.Conv2d(widths[0], 3, 1)
        for head in (self.gates, self.free, self.displacement):
            nn.init.zeros_(head.weight)
            assert head.bias is not None
            nn.init.zeros_(head.bias)

    def settings(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"widths": list(self.widths), "colour": self.colour, "displacement_mm": self.displacement_mm}

    def forward(self, given: Tensor) -> UVMaps:
        """``(B, 18, H, W)`` → Δdiffuse and Δdisplacement (decimetres), to be added to the generator's maps."""
        sizes = check_shape("the input of the local branch", given, ("B", CHANNELS, "H", "W"))
        least = 2 ** (len(self.widths) - 1)
        if sizes["H"] % least or sizes["W"] % least:
            raise InputError(f"a local branch of {len(self.widths)} levels reads maps whose sides {least} divides")
        x, kept = given, []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else F.avg_pool2d(x, 2))
            kept.append(x)
        for block, beside in zip(self.up, kept[-2::-1]):
            x = block(torch.cat([F.interpolate(x, scale_factor=2.0, mode="nearest"), beside], 1))
        own, mirrored = self.gates(x).chunk(2, 1)
        colour = own * given[:, :3] + mirrored * given[:, 5:8] + self.free(x)
        moved = self.displacement(x).tanh() * (self.displacement_mm / 100)
        return UVMaps(bounded(colour, self.colour), moved if self.displacement_mm else None)


class _Block(nn.Sequential):
    """Two 3 × 3 convolutions: ``(B, before, H, W)`` → ``(B, width, H, W)``."""

    def __init__(self, before: int, width: int) -> None:
        layers: list[nn.Module] = []
        for count in (before, width):
            layers += [nn.Conv2d(count, width, 3, 1, 1), nn.GroupNorm(_GROUPS, width), nn.LeakyReLU(0.2)]
        super().__init__(*layers)


def bounded(values: Tensor, limit: float) -> Tensor:
    """Values that saturate smoothly at ± ``limit``."""
    return limit * (values / limit).tanh()


def corrected(maps: UVMaps, delta: UVMaps | None, mask: Tensor | None = None) -> UVMaps:
    """The generator's maps with a correction, of which ``mask (B, 1, H, W)`` keeps a share; diffuse stays in [0, 1].
    None gives the maps themselves."""
    if delta is None:
        return maps

    def sum_of(own: Tensor | None, more: Tensor | None) -> Tensor | None:
        if own is None or more is None:
            return own
        if more.shape[-2:] != own.shape[-2:]:
            raise InputError(
                f"a correction of {tuple(more.shape[-2:])} texels does not fit maps of {tuple(own.shape[-2:])}: it was"
                " made for another generator"
            )
        return own + (more if mask is None else more * mask)

    diffuse = sum_of(maps.diffuse, delta.diffuse)
    return UVMaps(None if diffuse is None else diffuse.clamp(0, 1), sum_of(maps.displacement, delta.displacement))


class Detailer:
    """Renders the generator's face, and lets the local branch correct its maps after a picture.

    Args:
        renderer: draws the faces; its camera is that of the pictures.
        map_size: side of the generator's maps.
    """

    def __init__(self, renderer: FaceRenderer, map_size: int) -> None:
        self.renderer, self.map_size = renderer, map_size
        self.mirror = Mirror(renderer.face_model, map_size)

    @torch.no_grad()
    def look(
        self, image: Tensor, coefficients: Coefficients, maps: UVMaps, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Sight]:
        """The input of the branch ``(B, 18, H, W)``, where the picture ``(B, 3, S, S)`` is known per texel, and the
        sight of the texels."""
        size = image.shape[-1]
        drawn: Render = self.renderer(coefficients, maps, size=size)
        view = sight(self.renderer, coefficients, maps, size=size, map_size=self.map_size)
        residual, known = unlit_residual(image, drawn, view, mask)
        return channels(residual, known, view, maps, self.mirror), known, view


def edit_mask(before: UVMaps, after: UVMaps, tau: float) -> Tensor:
    """How much of a correction an edit of the code keeps, ``(B, 1, H, W)``: ``exp(−|ΔG| / τ)`` of the change of the
    generator's own diffuse map, the mean over colours. Where the edit paints, the old detail goes."""
    if not tau > 0:
        raise InputError(f"tau must be positive, a change of colour in [0, 1], got {tau}")
    assert before.diffuse is not None and after.diffuse is not None
    change = (after.diffuse - before.diffuse).abs().mean(1, keepdim=True)
    return (-change / tau).exp()


def load_local(path: str | Path) -> LocalBranch:
    """Read a local branch, in evaluation mode and without gradients."""
    return load_network(path, LocalBranch)


def start_local(settings: Mapping[str, Any] | None) -> LocalBranch:
    """A new branch by its settings; with ``start``, one that goes on from the weights of that file."""
    wanted = dict(settings or {})
    start = wanted.pop("start", None)
    if start is None:
        return LocalBranch(**wanted)
    found = load_local(locate(start))
    has = found.settings()
    wrong = {
        name: value for name, value in wanted.items() if has.get(name) != (list(value) if name == "widths" else value)
    }
    if wrong:
        raise InputError(f"the branch {start} has the settings {has}, the config asks for {wrong}: leave them out")
    return found.requires_grad_(True).train()
