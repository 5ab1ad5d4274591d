"""The layout of rosinality's StyleGAN2 checkpoints (``.pt``): ``g_ema``, ``g``, ``d`` and ``latent_avg``."""

from __future__ import annotations

import argparse
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from faceuv.checks import one_line, shown
from faceuv.errors import AssetError
from faceuv.models.stylegan2.channels import style_layers
from faceuv.models.stylegan2.discriminator import StyleGAN2Discriminator
from faceuv.models.stylegan2.generator import StyleGAN2Generator
from faceuv.models.stylegan2.renaming import Field, Renaming, build_discriminator, build_generator

LAYOUT = "rosinality StyleGAN2"


def _first(tensor: Tensor) -> Tensor:
    return tensor[0]


def _scalar(tensor: Tensor) -> Tensor:
    return tensor.reshape(())


def _flat(tensor: Tensor) -> Tensor:
    return tensor.flatten()


def read_state_dicts(path: str | Path) -> dict[str, Any]:
    """The dictionary in a ``.pt`` file, read without running code; of its tensors only what is used is read."""
    try:
        mapped = zipfile.is_zipfile(path)  # files of torch.save before 1.6 are no archives, and are read whole
        # Training runs keep their command-line arguments beside the weights: a namespace of plain values.
        with torch.serialization.safe_globals([argparse.Namespace]):
            data = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except FileNotFoundError:
        raise AssetError(f"{path} does not exist; expected a {LAYOUT} checkpoint (.pt)") from None
    except Exception as error:  # a damaged file can raise anything
        reason = str(error).partition("Please file an issue")[0].strip()
        raise AssetError(
            f"{path} is not a readable PyTorch file of plain tensors"
            f" ({type(error).__name__}: {one_line(reason, 300)}); it may be truncated, or hold code, which is refused"
        ) from error
    if not isinstance(data, dict) or not any(key in data for key in ("g_ema", "g", "d")):
        came = f"a dictionary with {shown(list(data))}" if isinstance(data, dict) else type(data).__name__
        raise AssetError(f"{path}: expected a {LAYOUT} checkpoint with 'g_ema', 'g' or 'd', found {came}")
    return data


def generator_renaming(size: int, depth: int) -> Renaming:
    fields: dict[str, Field] = {"mean_code": Field("latent_avg", _flat, optional=True)}
    for index in range(depth):
        for part in ("weight", "bias"):
            fields[f"mapping.layers.{index}.{part}"] = Field(f"style.{index + 1}.{part}")
    fields["synthesis.constant"] = Field("input.input")
    count = 2 * (size.bit_length() - 2) - 1
    for index in range(count):
        source = "conv1" if index == 0 else f"convs.{index - 1}"
        layer = f"synthesis.layers.{index}"
        fields[f"{layer}.conv.weight"] = Field(f"{source}.conv.weight", _first)
        fields[f"{layer}.conv.affine.weight"] = Field(f"{source}.conv.modulation.weight")
        fields[f"{layer}.conv.affine.bias"] = Field(f"{source}.conv.modulation.bias")
        fields[f"{layer}.bias"] = Field(f"{source}.activate.bias")
        fields[f"{layer}.noise_strength"] = Field(f"{source}.noise.weight", _scalar)
        fields[f"{layer}.noise"] = Field(f"noises.noise_{index}", optional=True)  # absent from the earliest files
    for index in range(count // 2 + 1):
        source = "to_rgb1" if index == 0 else f"to_rgbs.{index - 1}"
        head = f"synthesis.head.layers.{index}"
        fields[f"{head}.weight"] = Field(f"{source}.conv.weight", _first)
        fields[f"{head}.affine.weight"] = Field(f"{source}.conv.modulation.weight")
        fields[f"{head}.affine.bias"] = Field(f"{source}.conv.modulation.bias")
        fields[f"synthesis.head.biases.{index}"] = Field(f"{source}.bias", _flat)
    return Renaming(f"{LAYOUT} generator", fields, filters=r"(convs\.\d+\.conv\.blur|to_rgbs\.\d+\.upsample)\.kernel")


def discriminator_renaming(size: int) -> Renaming:
    fields = {"from_rgb.weight": Field("convs.0.0.weight"), "from_rgb.bias": Field("convs.0.1.bias")}
    for index in range(size.bit_length() - 3):
        source = f"convs.{index + 1}"
        fields[f"blocks.{index}.conv.weight"] = Field(f"{source}.conv1.0.weight")
        fields[f"blocks.{index}.conv.bias"] = Field(f"{source}.conv1.1.bias")
        fields[f"blocks.{index}.shrink.weight"] = Field(f"{source}.conv2.1.weight")
        fields[f"blocks.{index}.shrink.bias"] = Field(f"{source}.conv2.2.bias")
        fields[f"blocks.{index}.skip.weight"] = Field(f"{source}.skip.1.weight")
    fields["final_conv.weight"] = Field("final_conv.0.weight")
    fields["final_conv.bias"] = Field("final_conv.1.bias")
    for part in ("weight", "bias"):
        fields[f"final_linear.{part}"] = Field(f"final_linear.0.{part}")
        fields[f"score.{part}"] = Field(f"final_linear.1.{part}")
    return Renaming(f"{LAYOUT} discriminator", fields, filters=r"convs\.\d+\.(conv2|skip)\.0\.kernel")


def peek(path: str | Path) -> dict[str, int]:
    """``layers`` (L), ``width`` (D) and ``size`` of a file's generator, told from names and shapes; nothing if it holds
    none."""
    data = read_state_dicts(path)
    source = data.get("g_ema") or data.get("g")
    weight = source.get("conv1.conv.modulation.weight") if isinstance(source, Mapping) else None
    if not isinstance(source, Mapping) or not isinstance(weight, Tensor) or weight.ndim != 2:
        return {}
    size = 4 << _count(source, r"to_rgbs\.(\d+)\.bias")
    code_dim = source["conv1.conv.modulation.weight"].shape[1]
    return {"num_layers": style_layers(size), "code_dim": code_dim, "size": size}


def _count(source: Mapping[str, Any], pattern: str) -> int:
    return len({match.group(1) for name in source if isinstance(name, str) and (match := re.fullmatch(pattern, name))})


def generator(source: Mapping[str, Any], latent_avg: Tensor | None, *, where: str) -> StyleGAN2Generator:
    """The generator of a state dict ``g_ema`` or ``g``."""
    doublings = _count(source, r"to_rgbs\.(\d+)\.bias")
    depth = _count(source, r"style\.(\d+)\.weight")
    if not doublings or not depth:
        raise AssetError(f"{where}: no 'to_rgbs.*' or 'style.*' tensors: not a {LAYOUT} generator of 8² or more")
    size = 4 << doublings
    tensors = dict(source) if latent_avg is None else {**source, "latent_avg": latent_avg}
    return build_generator(generator_renaming(size, depth), tensors, size, where=where)


def discriminator(source: Mapping[str, Any], *, where: str) -> StyleGAN2Discriminator:
    """The discriminator of a state dict ``d``."""
    blocks = _count(source, r"convs\.(\d+)\.conv1\.0\.weight")
    if not blocks:
        raise AssetError(f"{where}: no 'convs.*.conv1' tensors: not a {LAYOUT} discriminator of 8² or more")
    size = 4 << blocks
    return build_discriminator(discriminator_renaming(size), source, size, where=where)
