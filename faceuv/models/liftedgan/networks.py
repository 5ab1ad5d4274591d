"""The networks of LiftedGAN: D_V and D_L read a code, M composes one, D_S and D_T draw maps (tables 3 and 4).

The keys of their weights are those of the authors' release, apart from prefixes, see ``release``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError
from faceuv.files.networks import CodeFacts, stored
from faceuv.models.liftedgan.parameters import LIGHT, VIEW

PER_GROUP = 4  # channels of a group of GroupNorm
SLOPE = 0.2
QUIET = 0.1  # of a last layer's initial weights, where it adds to something that is good already


class ScaleShift(nn.Module):
    """A learned scale and shift per channel of ``(B, C)``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, channels))
        self.bias = nn.Parameter(torch.zeros(1, channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.weight * x + self.bias


class MLP(nn.Module):
    """Four linear layers ``(B, inputs)`` → ``(B, outputs)`` with leaky ReLU between them; ``last`` follows the fourth.

    Args:
        normalise: GroupNorm after each hidden layer.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int, *, normalise: bool = False, last: nn.Module | None = None
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before in (inputs, width, width):
            layers.append(nn.Linear(before, width))
            if normalise:
                layers.append(nn.GroupNorm(width // PER_GROUP, width))
            layers.append(nn.LeakyReLU(SLOPE))
        layers.append(nn.Linear(width, outputs))
        if last is not None:
            layers.append(last)
        self.mlp = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.mlp(x)
        return y


class Reader(MLP):
    """D_V and D_L: a code → raw numbers in −1 … 1 ``(B, outputs)``.

    Args:
        linear: a linear path beside the layers, which starts at zero, and small answers of the layers at first.
    """

    def __init__(self, code_dim: int, outputs: int, width: int, *, linear: bool = False) -> None:
        super().__init__(code_dim, outputs, width, last=nn.Tanh())
        self.linear = nn.Linear(code_dim, outputs, bias=False) if linear else None
        if self.linear is not None:
            last = self.mlp[-2]
            assert isinstance(last, nn.Linear)
            with torch.no_grad():
                self.linear.weight.zero_()
                last.weight.mul_(QUIET)
                last.bias.mul_(QUIET)

    def read(self, code: Tensor, centre: Tensor) -> Tensor:
        """Of codes ``(B, D)``; the linear path sees them from ``centre``."""
        answer: Tensor = self.mlp[:-1](code)
        return torch.tanh(answer if self.linear is None else answer + self.linear(code - centre))


class Composer(nn.Module):
    """M: a code, light and view → the code of the same person in that light and view ``(B, D)``.

    Args:
        code_dim: D.
        width: of the hidden layers.
        centred: add the network's answer, and a linear map of code, light and view, to ``centre``, the teacher's mean
            code. Both start small: a new network makes the mean face of every code. The linear path learns within
            hundreds of steps what the normalised layers take tens of thousands for. False as published.
    """

    centre: Tensor

    def __init__(self, code_dim: int, width: int, *, centred: bool = False) -> None:
        super().__init__()
        self.centred = centred
        self.register_buffer("centre", torch.zeros(code_dim), persistent=centred)
        self.linear = nn.Linear(code_dim + LIGHT + VIEW, code_dim, bias=False) if centred else None
        self.embed_style = MLP(code_dim, width, width, normalise=True, last=ScaleShift(width))
        self.embed_light = MLP(LIGHT, width, width, normalise=True, last=ScaleShift(width))
        self.embed_view = MLP(VIEW, width, width, normalise=True, last=ScaleShift(width))
        self.model = MLP(width, code_dim, width, normalise=True)
        if centred:
            last = self.model.mlp[-1]
            assert isinstance(last, nn.Linear)
            with torch.no_grad():
                last.weight.mul_(QUIET)
                last.bias.mul_(QUIET)
                assert self.linear is not None
                self.linear.weight.zero_()

    def forward(self, code: Tensor, light: Tensor, view: Tensor) -> Tensor:
        composed: Tensor = self.model(self.embed_style(code) + self.embed_light(light) + self.embed_view(view))
        if self.linear is None:
            return composed
        straight: Tensor = self.linear(torch.cat([code - self.centre, light, view], 1))
        return self.centre + straight + composed


def channels_at(size: int, resolution: int) -> int:
    """Channels of D_S and D_T at a resolution: 16 at half the images' side, twice as many at each coarser one."""
    return min(512, 8 * size // resolution)


def _up(before: int, after: int) -> list[nn.Module]:
    return [
        nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
        nn.GroupNorm(after // PER_GROUP, after),
        nn.ReLU(),
    ]


def _flat(channels: int, kernel: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels, channels, kernel, 1, kernel // 2, bias=False),
        nn.GroupNorm(channels // PER_GROUP, channels),
        nn.ReLU(),
    ]


def _read_code(inputs: int, width: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (inputs, width, width, width):
        layers += [nn.Linear(before, width), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*layers)


class ShapeDecoder(nn.Module):
    """D_S: a neutral code ``(B, D)`` and the teacher's last features → raw depth ``(B, S, S)``, without limits.

    Args:
        size: S.
        code_dim: D.
        width: of the MLP.
        features: channels of the teacher's last feature map (InjectConv); 0: nothing is injected.
        dome: depth at the start of training: an ellipsoid whose top is so much nearer than the border, before tanh, and
            a last layer that adds little to it. 0 as published; short trainings gain from it, since they need not find
            out which side of a face is its front.
    """

    start: Tensor

    def __init__(self, size: int, code_dim: int, width: int, features: int, *, dome: float = 0.0) -> None:
        super().__init__()
        self.mlp = _read_code(code_dim, width)
        channels = channels_at(size, 4)
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(width, channels, 4, 1, 0, bias=False),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.ReLU(),
        ]
        resolution = 8
        while resolution < size:
            after = channels_at(size, resolution)
            layers += [*_up(channels, after), *_flat(after, 3)]
            channels, resolution = after, 2 * resolution
        self.network = nn.Sequential(*layers, nn.Upsample(scale_factor=2, mode="nearest"))
        self.inject = nn.Conv2d(features, channels, 1, bias=False) if features else None
        self.head = nn.Sequential(*_flat(channels, 3), *_flat(channels, 5), nn.Conv2d(channels, 1, 5, 1, 2))
        self.register_buffer("start", _dome(size, dome), persistent=False)
        if dome:
            with torch.no_grad():
                self.head[-1].weight.mul_(QUIET)  # type: ignore[operator]

    def forward(self, code: Tensor, features: Tensor | None) -> Tensor:
        x = self.network(self.mlp(code)[:, :, None, None])
        if self.inject is not None:
            x = x + self.inject(features)
        depth: Tensor = self.head(x)[:, 0] + self.start
        return depth


def _dome(size: int, height: float) -> Tensor:
    if (blank := torch.empty(size, size)).is_meta:
        return blank  # only shapes are asked for
    line = torch.linspace(-1, 1, size)
    return -height * (1 - (line / 0.75).square() - (line[:, None] / 0.95).square()).clamp_min(0).sqrt()


class TransformationDecoder(nn.Module):
    """D_T: a neutral code ``(B, D)`` → raw transformation map ``(B, S, S)``, before its sigmoid.

    Args:
        width: of the MLP; the paper's table has D, the release 16.
    """

    def __init__(self, size: int, code_dim: int, width: int) -> None:
        super().__init__()
        self.mlp = _read_code(code_dim, width)
        before = channels_at(size, 4)
        layers: list[nn.Module] = [nn.ConvTranspose2d(width, before, 4, bias=False), nn.ReLU()]
        resolution = 8
        while resolution < size:
            after = channels_at(size, resolution)
            layers += _up(before, after)
            before, resolution = after, 2 * resolution
        layers += [nn.Upsample(scale_factor=2, mode="nearest"), *_flat(before, 3)]
        self.network = nn.Sequential(*layers, nn.Conv2d(before, 1, 5, 1, 2, bias=False))

    def forward(self, code: Tensor) -> Tensor:
        x: Tensor = self.network(self.mlp(code)[:, :, None, None])
        return x[:, 0]


def _facts(settings: dict[str, Any]) -> CodeFacts:
    return CodeFacts(settings["num_layers"], settings["code_dim"], settings["size"])


@stored("liftedgan", facts=_facts)  # type: ignore[arg-type]
class LiftingNetworks(nn.Module):
    """The five networks that lift a teacher: ``light`` (D_L), ``view`` (D_V), ``composer`` (M), ``shape`` (D_S),
    ``transformation`` (D_T). At 256² with 512 wide codes they have the published sizes.

    Args:
        size: S, side of the teacher's images, a power of two of at least 16.
        num_layers, code_dim: L and D of its codes.
        features: channels of its last feature map, or 0.
        width: of the hidden layers of the MLPs; D if absent, as in the paper.
        transformation_width: of the MLP of D_T; ``width`` if absent.
        centred: see :class:`Composer`; D_V and D_L have a linear path then, too.
        dome: see :class:`ShapeDecoder`.
    """

    def __init__(
        self,
        size: int,
        num_layers: int,
        code_dim: int,
        features: int,
        *,
        width: int | None = None,
        transformation_width: int | None = None,
        centred: bool = False,
        dome: float = 0.0,
    ) -> None:
        super().__init__()
        if size < 16 or size & (size - 1):
            raise InputError(f"LiftedGAN lifts teachers with images of a power of two ≥ 16 pixels, got size={size}")
        width = width or code_dim
        if width % PER_GROUP:
            raise InputError(f"LiftedGAN needs layers whose width is a multiple of {PER_GROUP}, got width={width}")
        self.size, self.num_layers, self.code_dim, self.features = size, num_layers, code_dim, features
        self.options = {
            "width": width,
            "transformation_width": transformation_width or width,
            "centred": centred,
            "dome": float(dome),
        }
        self.light = Reader(code_dim, LIGHT, width, linear=centred)
        self.view = Reader(code_dim, VIEW, width, linear=centred)
        self.composer = Composer(code_dim, width, centred=centred)
        self.shape = ShapeDecoder(size, code_dim, width, features, dome=dome)
        self.transformation = TransformationDecoder(size, code_dim, transformation_width or width)

    def settings(self) -> dict[str, Any]:
        """The arguments that build networks of the same shape."""
        return {
            "size": self.size,
            "num_layers": self.num_layers,
            "code_dim": self.code_dim,
            "features": self.features,
            **self.options,
        }

    def decompose(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Light ``(B, 4)`` and view ``(B, 6)``, raw in −1 … 1, of codes ``w (B, D)``."""
        check_shape("w", w, ("B", self.code_dim))
        centre = self.composer.centre
        return self.light.read(w, centre), self.view.read(w, centre)

    def compose(self, w: Tensor, light: Tensor, view: Tensor) -> Tensor:
        """The codes ``(B, D)`` of the persons of ``w (B, D)`` in raw ``light (B, 4)`` and ``view (B, 6)``."""
        check_shape("w", w, ("B", self.code_dim))
        check_shape("light", light, (len(w), LIGHT))
        check_shape("view", view, (len(w), VIEW))
        composed: Tensor = self.composer(w, light, view)
        return composed

    def all_but_composer(self) -> list[nn.Module]:
        """D_L, D_V, D_S and D_T."""
        return [self.light, self.view, self.shape, self.transformation]
