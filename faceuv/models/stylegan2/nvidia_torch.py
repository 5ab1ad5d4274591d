"""The layout of NVIDIA's PyTorch pickles (StyleGAN2-ADA, and StyleGAN2 as trained by the StyleGAN3 release).

A dictionary with ``G_ema``, ``G`` and ``D``: modules stored as state plus the source code of their classes. The state
is read; the source is not run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from faceuv.checks import shown
from faceuv.errors import AssetError
from faceuv.files.pickles import Stub
from faceuv.models.stylegan2.discriminator import StyleGAN2Discriminator
from faceuv.models.stylegan2.generator import StyleGAN2Generator
from faceuv.models.stylegan2.renaming import Field, Renaming, build_discriminator, build_generator

LAYOUT = "NVIDIA PyTorch StyleGAN2"
PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"


class StoredModule:
    """A module of the pickle: its attributes, parameters and children, by name."""

    def __init__(self, stub: Any, *, where: str) -> None:
        state: Any = None
        if isinstance(stub, Stub):
            persistent = stub.qualified_name == PERSISTENT and bool(stub.args) and isinstance(stub.args[0], Mapping)
            state = stub.args[0].get("state") if persistent else stub.state
        groups = ("_modules", "_parameters", "_buffers")
        if not isinstance(state, Mapping) or not all(isinstance(state.get(name, {}), Mapping) for name in groups):
            state = None
        if state is None or "_modules" not in state:
            raise AssetError(f"{where}: expected a stored PyTorch module ({LAYOUT}), found {type(stub).__name__}")
        self.where = where
        self.state: Mapping[str, Any] = state
        self.children = {
            name: StoredModule(child, where=f"{where}.{name}")
            for name, child in state["_modules"].items()
            if child is not None
        }

    def tensors(self, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
        """Every parameter and buffer with its dotted name."""
        for group in ("_parameters", "_buffers"):
            for name, value in self.state.get(group, {}).items():
                if value is not None:
                    yield prefix + name, value
        for name, child in self.children.items():
            yield from child.tensors(f"{prefix}{name}.")

    def walk(self) -> Iterator[StoredModule]:
        """This module and all below it."""
        yield self
        for child in self.children.values():
            yield from child.walk()

    def child(self, path: str) -> StoredModule:
        """A module below this one, by dotted path."""
        module = self
        for name in path.split("."):
            if name not in module.children:
                raise AssetError(f"{self.where}: a {LAYOUT} has a module {path!r}; found {sorted(module.children)}")
            module = module.children[name]
        return module

    def require(self, name: str, *allowed: Any) -> None:
        """Refuse a network in which an attribute has a value that changes the function."""
        for module in self.walk():
            if name in module.state and module.state[name] not in allowed:
                raise AssetError(
                    f"{module.where}: {name} = {shown(module.state[name])} is not supported, expected"
                    f" {' or '.join(map(repr, allowed))}"
                )

    def clamp(self) -> float | None:
        """The limit of the activations: one for all layers of a network."""
        values = [module.state["conv_clamp"] for module in self.walk() if "conv_clamp" in module.state]
        limits = {float(value) for value in values if value is not None}
        if len(limits) > 1:
            raise AssetError(f"{self.where}: layers with different conv_clamp {sorted(limits)} are not supported")
        return limits.pop() if limits else None


def _batch_of_one(tensor: Tensor) -> Tensor:
    return tensor[None]


def _noise(tensor: Tensor) -> Tensor:
    return tensor[None, None]


def generator_renaming(size: int, depth: int) -> Renaming:
    fields: dict[str, Field] = {"mean_code": Field("mapping.w_avg", optional=True)}
    for index in range(depth):
        for part in ("weight", "bias"):
            fields[f"mapping.layers.{index}.{part}"] = Field(f"mapping.fc{index}.{part}")
    fields["synthesis.constant"] = Field("synthesis.b4.const", _batch_of_one)
    for index in range(2 * (size.bit_length() - 2) - 1):
        source = f"synthesis.b{4 << ((index + 1) // 2)}.conv{1 - index % 2}"
        layer = f"synthesis.layers.{index}"
        fields[f"{layer}.conv.weight"] = Field(f"{source}.weight")
        fields[f"{layer}.conv.affine.weight"] = Field(f"{source}.affine.weight")
        fields[f"{layer}.conv.affine.bias"] = Field(f"{source}.affine.bias")
        fields[f"{layer}.bias"] = Field(f"{source}.bias")
        # Absent from networks that were trained without noise: the strength then stays zero.
        fields[f"{layer}.noise_strength"] = Field(f"{source}.noise_strength", optional=True)
        fields[f"{layer}.noise"] = Field(f"{source}.noise_const", _noise, optional=True)
    for index in range(size.bit_length() - 2):
        source = f"synthesis.b{4 << index}.torgb"
        fields[f"synthesis.head.layers.{index}.weight"] = Field(f"{source}.weight")
        fields[f"synthesis.head.layers.{index}.affine.weight"] = Field(f"{source}.affine.weight")
        fields[f"synthesis.head.layers.{index}.affine.bias"] = Field(f"{source}.affine.bias")
        fields[f"synthesis.head.biases.{index}"] = Field(f"{source}.bias")
    return Renaming(f"{LAYOUT} generator", fields, filters=r".*\.resample_filter")


def discriminator_renaming(size: int) -> Renaming:
    fields = {f"from_rgb.{part}": Field(f"b{size}.fromrgb.{part}") for part in ("weight", "bias")}
    for index in range(size.bit_length() - 3):
        source = f"b{size >> index}"
        for part in ("weight", "bias"):
            fields[f"blocks.{index}.conv.{part}"] = Field(f"{source}.conv0.{part}")
            fields[f"blocks.{index}.shrink.{part}"] = Field(f"{source}.conv1.{part}")
        fields[f"blocks.{index}.skip.weight"] = Field(f"{source}.skip.weight")
    for part in ("weight", "bias"):
        fields[f"final_conv.{part}"] = Field(f"b4.conv.{part}")
        fields[f"final_linear.{part}"] = Field(f"b4.fc.{part}")
        fields[f"score.{part}"] = Field(f"b4.out.{part}")
    return Renaming(f"{LAYOUT} discriminator", fields, filters=r".*\.resample_filter")


def _size(tensors: Mapping[str, Any], pattern: str, where: str) -> int:
    sizes = [int(match.group(1)) for name in tensors if (match := re.fullmatch(pattern, name))]
    size = max(sizes, default=0)
    if size < 8 or sorted(set(sizes)) != [4 << k for k in range(len(set(sizes)))]:
        raise AssetError(f"{where}: expected blocks b4, b8, … of a {LAYOUT}, found {sorted(set(sizes)) or 'none'}")
    return size


def generator(stub: Any, *, where: str) -> StyleGAN2Generator:
    """The generator stored as ``G_ema`` or ``G``."""
    module = StoredModule(stub, where=where)
    _refuse_other_kinds(module)
    module.require("architecture", "skip")
    mapping = module.child("mapping")
    tensors = dict(module.tensors())
    size = _size(tensors, r"synthesis\.b(\d+)\.conv1\.weight", where)
    depth = sum(1 for name in mapping.children if re.fullmatch(r"fc\d+", name))
    return build_generator(
        generator_renaming(size, depth),
        tensors,
        size,
        where=where,
        mapping_rate=float(mapping.child("fc0").state.get("bias_gain", 0.01)),
        activation_clamp=module.clamp(),
    )


def discriminator(stub: Any, *, where: str) -> StyleGAN2Discriminator:
    """The discriminator stored as ``D``."""
    module = StoredModule(stub, where=where)
    _refuse_other_kinds(module)
    module.require("architecture", "resnet")
    tensors = dict(module.tensors())
    size = _size(tensors, r"b(\d+)\.conv(?:1|)\.weight", where)
    deviation = module.child("b4.mbstd").state
    if deviation.get("num_channels", 1) != 1:
        raise AssetError(
            f"{where}: {shown(deviation['num_channels'])} minibatch-deviation channels; only 1 is supported"
        )
    return build_discriminator(
        discriminator_renaming(size),
        tensors,
        size,
        where=where,
        group=deviation.get("group_size", 4),
        activation_clamp=module.clamp(),
    )


def _refuse_other_kinds(module: StoredModule) -> None:
    if "input" in module.children.get("synthesis", module).children:
        raise AssetError(f"{module.where}: this is a StyleGAN3 network, expected StyleGAN2")
    if module.state.get("c_dim", 0) != 0:
        raise AssetError(
            f"{module.where}: conditional networks are not read (c_dim = {shown(module.state['c_dim'])}), expected 0"
        )
    module.require("activation", "lrelu", "linear")
