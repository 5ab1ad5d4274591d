"""The residual network of ArcFace's published weights ("iresnet"), in the names and shapes of its files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from faceuv.checks import check_shape
from faceuv.errors import InputError

SIDE = 112  # of the pictures that it reads
_HALVINGS = 4  # one in each stage: 112 → 7
NAMES: dict[tuple[int, ...], str] = {
    (2, 2, 2, 2): "r18",
    (3, 4, 6, 3): "r34",
    (3, 4, 14, 3): "r50",
    (3, 13, 30, 3): "r100",
    (6, 26, 60, 6): "r200",
}
"""Blocks of the four stages → what the published networks are called."""


class IResNet(nn.Module):
    """Aligned faces ``(B, 3, 112, 112)`` in [−1, 1], RGB → embeddings ``(B, embedding)``.

    Names of parameters and order of operations are those of the published files, ``conv1.weight`` … ``features.bias``.

    Args:
        blocks: residual blocks of the four stages, each of which halves the side.
        widths: channels of the stem and of the stages.
        embedding: width of the answer.
    """

    def __init__(
        self,
        blocks: Sequence[int] = (3, 4, 14, 3),
        widths: Sequence[int] = (64, 64, 128, 256, 512),
        embedding: int = 512,
    ) -> None:
        super().__init__()
        if len(blocks) != _HALVINGS or len(widths) != _HALVINGS + 1 or min((*blocks, *widths, embedding)) < 1:
            raise InputError(
                f"expected blocks of four stages and five widths, all ≥ 1, got {tuple(blocks)} and {tuple(widths)}"
            )
        self.conv1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.prelu = nn.PReLU(widths[0])
        for number, (count, before, width) in enumerate(zip(blocks, widths, widths[1:]), 1):
            stage = [Block(before if k == 0 else width, width, halve=k == 0) for k in range(count)]
            self.add_module(f"layer{number}", nn.Sequential(*stage))
        self.bn2 = nn.BatchNorm2d(widths[-1])
        self.fc = nn.Linear(widths[-1] * (SIDE >> _HALVINGS) ** 2, embedding)
        self.features = nn.BatchNorm1d(embedding)

    def forward(self, image: Tensor) -> Tensor:
        check_shape("aligned faces", image, ("B", 3, SIDE, SIDE))
        x = self.prelu(self.bn1(self.conv1(image)))
        for number in range(1, _HALVINGS + 1):
            x = getattr(self, f"layer{number}")(x)
        embedding: Tensor = self.features(self.fc(self.bn2(x).flatten(1)))
        return embedding


class Block(nn.Module):
    """norm, 3 × 3, norm, PReLU, 3 × 3 (which halves the side), norm, beside a shortcut without activation."""

    def __init__(self, before: int, width: int, *, halve: bool) -> None:
        super().__init__()
        stride = 2 if halve else 1
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.prelu = nn.PReLU(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.downsample: nn.Module | None = None
        if halve:
            self.downsample = nn.Sequential(nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        shortcut: Tensor = x if self.downsample is None else self.downsample(x)
        return shortcut + self.bn3(self.conv2(y))


def iresnet_of(state: Mapping[str, Tensor], where: str) -> tuple[IResNet, str]:
    """The network whose weights ``state`` holds, frozen, for evaluation, and its name, ``"r50"`` for instance.

    Depth and widths are read from the names and shapes; ``where`` names the file in errors.
    """
    blocks = [_count(state, f"layer{number}") for number in range(1, _HALVINGS + 1)]
    names = ["conv1.weight", *(f"layer{number}.0.conv1.weight" for number in range(1, _HALVINGS + 1)), "fc.weight"]
    missing = [name for name in names if name not in state or state[name].ndim < 2]
    if missing or min(blocks) == 0:
        found = ", ".join(list(state)[:3])
        raise InputError(
            f"{where} is no iresnet of arcface_torch: {', '.join(missing)} missing, of {len(state)} tensors"
            f" ({found}, …); a training checkpoint holds the network as 'state_dict_backbone', the published"
            " backbone.pth is one"
        )
    widths = [state[name].shape[0] for name in names[:-1]]
    with torch.device("meta"):
        network = IResNet(blocks, widths, state["fc.weight"].shape[0])
    wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    for name, shape in wanted.items():
        if name not in state and not name.endswith("num_batches_tracked"):
            raise InputError(f"{where}: the tensor {name} is missing from the iresnet's weights")
        if name in state and tuple(state[name].shape) != shape:
            raise InputError(f"{where}: {name} must have shape {shape}, found {tuple(state[name].shape)}")
    unknown = sorted(set(state) - set(wanted))
    if unknown:
        raise InputError(f"{where} is no iresnet of arcface_torch: it has the unknown tensors {unknown[:3]}")
    network.to_empty(device="cpu")
    given = {name: state.get(name, torch.zeros(shape, dtype=torch.int64)) for name, shape in wanted.items()}
    network.load_state_dict({n: v.float() if v.is_floating_point() else v for n, v in given.items()})
    name = NAMES.get(tuple(blocks), "r" + "-".join(map(str, blocks)))
    return network.eval().requires_grad_(False), name


def _count(state: Mapping[str, Tensor], stage: str) -> int:
    """How many blocks a stage has."""
    numbers = {int(found[1]) for key in state if (found := re.match(rf"{stage}\.(\d+)\.", key))}
    return len(numbers)
