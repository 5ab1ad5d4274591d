"""From the tensors of a foreign checkpoint to ours: renamed, reshaped, complete, and of shapes that fit together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from faceuv.checks import shown
from faceuv.errors import AssetError
from faceuv.files.networks import network_settings, shapes_of
from faceuv.models.stylegan2.discriminator import StyleGAN2Discriminator
from faceuv.models.stylegan2.filters import TAPS
from faceuv.models.stylegan2.generator import StyleGAN2Generator

T = TypeVar("T", bound=nn.Module)


def _same(tensor: Tensor) -> Tensor:
    return tensor


@dataclass(frozen=True)
class Field:
    """Where one of our tensors comes from: the name in the file, and what to do to its values."""

    source: str
    change: Callable[[Tensor], Tensor] = _same
    optional: bool = False


@dataclass(frozen=True)
class Renaming:
    """Our name → :class:`Field`, with patterns of the other names that the file may hold."""

    layout: str
    fields: Mapping[str, Field]
    filters: str = r"(?!)"
    ignored: str = r"(?!)"

    def apply(self, source: Mapping[str, Any], *, where: str) -> dict[str, Tensor]:
        """Our tensors by our names, in float32; an error names the keys that are missing or unknown."""
        missing = [f.source for f in self.fields.values() if f.source not in source and not f.optional]
        if missing:
            raise AssetError(
                f"{where}: not a complete {self.layout}: missing {_some(missing)}; the file holds {_some(list(source))}"
            )
        known = {f.source for f in self.fields.values()}
        strange = []
        for name, value in source.items():
            if re.fullmatch(self.filters, name):
                _check_filter(value, f"{where}: {name}")
            elif name not in known and not re.fullmatch(self.ignored, name):
                strange.append(name)
        if strange:
            raise AssetError(
                f"{where}: {_some(strange)} do not belong to a {self.layout}; is this a variant of StyleGAN2?"
            )
        tensors = {}
        for name, field in self.fields.items():
            if field.source in source:
                value = _numbers(source[field.source], f"{where}: {field.source}")
                try:
                    tensors[name] = field.change(value).contiguous()
                except (RuntimeError, IndexError) as error:
                    raise AssetError(
                        f"{where}: {field.source} has the unexpected shape {tuple(value.shape)} ({error})"
                    ) from error
        return tensors

    def load(self, network: nn.Module, tensors: Mapping[str, Tensor], *, where: str) -> None:
        """Copy ``tensors`` into ``network``."""
        result = network.load_state_dict(dict(tensors), strict=False)
        left = [name for name in result.missing_keys if name in self.fields and not self.fields[name].optional]
        if left or result.unexpected_keys:
            raise AssetError(f"{where}: {self.layout}: missing {left}, unexpected {result.unexpected_keys}")

    def check_shapes(self, state: Mapping[str, Tensor], tensors: Mapping[str, Tensor], *, where: str) -> None:
        """Compare with a network's state; the error gives the file's name of the key, expected and found shape."""
        wrong = []
        for name, own in state.items():
            if name not in tensors:
                continue
            if tensors[name].shape != own.shape:
                source = self.fields[name].source if name in self.fields else name
                wrong.append(f"{source} must have shape {tuple(own.shape)}, found {tuple(tensors[name].shape)}")
        if wrong:
            more = f" (and {len(wrong) - 3} more)" if len(wrong) > 3 else ""
            raise AssetError(f"{where}: {'; '.join(wrong[:3])}{more} — the tensors of this {self.layout} do not fit")


def _numbers(value: Any, where: str) -> Tensor:
    if not isinstance(value, (Tensor, np.ndarray, np.generic, int, float)):
        raise AssetError(f"{where} must be an array of numbers, found {shown(value)}")
    tensor = torch.as_tensor(value).detach()
    if tensor.is_complex() or not tensor.numel():
        raise AssetError(f"{where} must be an array of real numbers, found {shown(tensor)}")
    return tensor.to(torch.float32)


def _check_filter(value: Any, where: str) -> None:
    taps = torch.tensor(TAPS, dtype=torch.float64)
    want = torch.outer(taps, taps)
    got = _numbers(value, where).double()
    got = torch.outer(got, got) if got.ndim == 1 else got
    if got.shape != want.shape or not torch.allclose(got / got.sum(), want / want.sum(), atol=1e-4):
        raise AssetError(f"{where}: the resampling filter must be [1, 3, 3, 1]; networks with others are not supported")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more if names else "nothing"


def generator_settings(tensors: Mapping[str, Tensor], size: int) -> dict[str, Any]:
    """The arguments of the generator that ``tensors`` (our names) belong to, read from their shapes."""
    channels = {2 ** (k // 2 + 2): tensors[f"synthesis.layers.{k}.conv.weight"].shape[0] for k in _even(size)}
    first = tensors["mapping.layers.0.weight"]
    return {
        "size": size,
        "code_dim": tensors["synthesis.layers.0.conv.affine.weight"].shape[1],
        "latent_dim": first.shape[1],
        "mapping_depth": sum(1 for name in tensors if re.fullmatch(r"mapping\.layers\.\d+\.weight", name)),
        "channels": channels,
    }


def _even(size: int) -> range:
    return range(0, 2 * (size.bit_length() - 2) - 1, 2)


def discriminator_settings(tensors: Mapping[str, Tensor], size: int) -> dict[str, Any]:
    """The arguments of the discriminator that ``tensors`` (our names) belong to, read from their shapes."""
    channels = {size: tensors["from_rgb.weight"].shape[0]}
    for index in range(size.bit_length() - 3):
        channels[size >> (index + 1)] = tensors[f"blocks.{index}.shrink.weight"].shape[0]
    return {"size": size, "channels": channels}


def _built(renaming: Renaming, cls: type[T], settings: dict[str, Any], tensors: Mapping[str, Tensor], where: str) -> T:
    """The network, once its shapes are those of ``tensors``: a small file can ask for a huge network."""
    with network_settings(where, settings):
        renaming.check_shapes(shapes_of(cls, settings, len(tensors) + 8), tensors, where=where)
        return cls(**settings)


def build_generator(
    renaming: Renaming, source: Mapping[str, Any], size: int, *, where: str, **settings: Any
) -> StyleGAN2Generator:
    """A generator with the weights of ``source``; ``settings`` are what shapes do not tell."""
    tensors = renaming.apply(source, where=where)
    network = _built(renaming, StyleGAN2Generator, {**generator_settings(tensors, size), **settings}, tensors, where)
    renaming.load(network, tensors, where=where)
    if "mean_code" not in tensors:
        network.estimate_mean_code()
    return network.eval().requires_grad_(False)


def build_discriminator(
    renaming: Renaming, source: Mapping[str, Any], size: int, *, where: str, **settings: Any
) -> StyleGAN2Discriminator:
    """A discriminator with the weights of ``source``; ``settings`` are what shapes do not tell."""
    tensors = renaming.apply(source, where=where)
    every = {**discriminator_settings(tensors, size), **settings}
    network = _built(renaming, StyleGAN2Discriminator, every, tensors, where)
    renaming.load(network, tensors, where=where)
    return network.eval().requires_grad_(False)
