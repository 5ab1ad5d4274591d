"""The layout of NVIDIA's TensorFlow pickles: a tuple (G, D, Gs) of networks, each a list of named numpy variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from faceuv.checks import shown
from faceuv.errors import AssetError
from faceuv.files.pickles import Stub
from faceuv.models.stylegan2.discriminator import StyleGAN2Discriminator
from faceuv.models.stylegan2.generator import StyleGAN2Generator
from faceuv.models.stylegan2.renaming import Field, Renaming, build_discriminator, build_generator

LAYOUT = "NVIDIA TensorFlow StyleGAN2"
NETWORK = "dnnlib.tflib.network.Network"


def is_network(value: Any) -> bool:
    return isinstance(value, Stub) and value.qualified_name == NETWORK


def _conv(tensor: Tensor) -> Tensor:
    """(kernel, kernel, in, out) → (out, in, kernel, kernel)."""
    return tensor.permute(3, 2, 0, 1)


def _conv_up(tensor: Tensor) -> Tensor:
    """The same for layers that double the size: TensorFlow's kernel is a correlation there, ours a convolution."""
    return _conv(tensor).flip(2, 3)


def _dense(tensor: Tensor) -> Tensor:
    return tensor.T


def _plus_one(tensor: Tensor) -> Tensor:
    """Style biases are stored around 0 and used around 1."""
    return tensor + 1


def _scalar(tensor: Tensor) -> Tensor:
    return tensor.reshape(())


def generator_renaming(size: int, depth: int) -> Renaming:
    fields = {"mean_code": Field("dlatent_avg", optional=True)}
    for index in range(depth):
        fields[f"mapping.layers.{index}.weight"] = Field(f"mapping/Dense{index}/weight", _dense)
        fields[f"mapping.layers.{index}.bias"] = Field(f"mapping/Dense{index}/bias")
    fields["synthesis.constant"] = Field("synthesis/4x4/Const/const")
    for index in range(2 * (size.bit_length() - 2) - 1):
        resolution = 4 << ((index + 1) // 2)
        up = index % 2 == 1
        source = f"synthesis/{resolution}x{resolution}/{'Conv' if index == 0 else 'Conv0_up' if up else 'Conv1'}"
        layer = f"synthesis.layers.{index}"
        fields[f"{layer}.conv.weight"] = Field(f"{source}/weight", _conv_up if up else _conv)
        fields[f"{layer}.conv.affine.weight"] = Field(f"{source}/mod_weight", _dense)
        fields[f"{layer}.conv.affine.bias"] = Field(f"{source}/mod_bias", _plus_one)
        fields[f"{layer}.bias"] = Field(f"{source}/bias")
        fields[f"{layer}.noise_strength"] = Field(f"{source}/noise_strength", _scalar, optional=True)
        fields[f"{layer}.noise"] = Field(f"synthesis/noise{index}", optional=True)
    for index in range(size.bit_length() - 2):
        source = f"synthesis/{4 << index}x{4 << index}/ToRGB"
        head = f"synthesis.head.layers.{index}"
        fields[f"{head}.weight"] = Field(f"{source}/weight", _conv)
        fields[f"{head}.affine.weight"] = Field(f"{source}/mod_weight", _dense)
        fields[f"{head}.affine.bias"] = Field(f"{source}/mod_bias", _plus_one)
        fields[f"synthesis.head.biases.{index}"] = Field(f"{source}/bias")
    return Renaming(f"{LAYOUT} generator", fields, ignored=r"(synthesis/|mapping/)?lod")


def discriminator_renaming(size: int) -> Renaming:
    fields = {
        "from_rgb.weight": Field(f"{size}x{size}/FromRGB/weight", _conv),
        "from_rgb.bias": Field(f"{size}x{size}/FromRGB/bias"),
    }
    for index in range(size.bit_length() - 3):
        source = f"{size >> index}x{size >> index}"
        for own, theirs in (("conv", "Conv0"), ("shrink", "Conv1_down")):
            fields[f"blocks.{index}.{own}.weight"] = Field(f"{source}/{theirs}/weight", _conv)
            fields[f"blocks.{index}.{own}.bias"] = Field(f"{source}/{theirs}/bias")
        fields[f"blocks.{index}.skip.weight"] = Field(f"{source}/Skip/weight", _conv)
    fields["final_conv.weight"] = Field("4x4/Conv/weight", _conv)
    fields["final_conv.bias"] = Field("4x4/Conv/bias")
    for own, theirs in (("final_linear", "4x4/Dense0"), ("score", "Output")):
        fields[f"{own}.weight"] = Field(f"{theirs}/weight", _dense)
        fields[f"{own}.bias"] = Field(f"{theirs}/bias")
    return Renaming(f"{LAYOUT} discriminator", fields, ignored="lod")


def variables(network: Any, *, where: str, prefix: str = "") -> dict[str, Any]:
    """Every variable of a stored network and of its components, by its path."""
    state = network.state if isinstance(network, Stub) else None
    if not is_network(network) or not isinstance(state, Mapping) or "variables" not in state:
        raise AssetError(f"{where}: expected a stored {LAYOUT} network, found {shown(network)}")
    stored = state["variables"]
    pairs = isinstance(stored, (list, tuple)) and all(
        isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in stored
    )
    if not pairs or not all(isinstance(value, (np.ndarray, np.generic, int, float)) for _, value in stored):
        raise AssetError(
            f"{where}: the variables of a {LAYOUT} are pairs of a name and an array, found {shown(stored)}"
        )
    found = {f"{prefix}{name}": np.array(value) for name, value in stored}  # a copy: they may be read-only
    for name, component in state.get("components", {}).items():
        found.update(variables(component, where=where, prefix=f"{prefix}{name}/"))
    return found


def _settings(network: Stub, *, where: str, architecture: str) -> Mapping[str, Any]:
    settings: Mapping[str, Any] = network.state.get("static_kwargs", {})
    expected = {
        "architecture": architecture,
        "nonlinearity": "lrelu",
        "mapping_nonlinearity": "lrelu",
        "label_size": 0,
        "num_channels": 3,
    }
    for name, value in expected.items():
        if settings.get(name, value) not in (value, None):
            raise AssetError(f"{where}: {name} = {shown(settings[name])} is not supported, expected {value!r}")
    if list(settings.get("resample_kernel") or [1, 3, 3, 1]) != [1, 3, 3, 1]:
        raise AssetError(f"{where}: resample_kernel = {shown(settings['resample_kernel'])} is not supported")
    return settings


def _size(found: Mapping[str, Any], pattern: str, where: str) -> int:
    size = max((int(match.group(1)) for name in found if (match := re.fullmatch(pattern, name))), default=0)
    if size < 8 or size & (size - 1):
        raise AssetError(
            f"{where}: no resolution blocks of a {LAYOUT} of 8² or more;"
            f" the variables begin with {', '.join(list(found)[:4]) or 'nothing'}"
        )
    return size


def _clamp(settings: Mapping[str, Any]) -> float | None:
    clamp = settings.get("conv_clamp")
    return None if clamp is None else float(clamp)


def generator(network: Any, *, where: str) -> StyleGAN2Generator:
    """The generator stored as ``Gs`` or ``G``."""
    found = variables(network, where=where)
    settings = _settings(network, where=where, architecture="skip")
    size = _size(found, r"synthesis/(\d+)x\d+/Conv1/weight", where)
    depth = sum(1 for name in found if re.fullmatch(r"mapping/Dense\d+/weight", name))
    return build_generator(
        generator_renaming(size, depth),
        found,
        size,
        where=where,
        mapping_rate=float(settings.get("mapping_lrmul", 0.01)),
        activation_clamp=_clamp(settings),
    )


def discriminator(network: Any, *, where: str) -> StyleGAN2Discriminator:
    """The discriminator stored as ``D``."""
    found = variables(network, where=where)
    settings = _settings(network, where=where, architecture="resnet")
    size = _size(found, r"(\d+)x\d+/FromRGB/weight", where)
    if settings.get("mbstd_num_features", 1) != 1:
        raise AssetError(f"{where}: mbstd_num_features = {shown(settings['mbstd_num_features'])}; only 1 is supported")
    # The builder of the first release groups by 4 unless told otherwise, that of the ADA release takes the whole batch.
    first_release = network.state.get("build_func_name") == "D_stylegan2"
    return build_discriminator(
        discriminator_renaming(size),
        found,
        size,
        where=where,
        group=settings.get("mbstd_group_size", 4 if first_release else None),
        activation_clamp=_clamp(settings),
    )
