"""Reads weights of StyleGAN2 from files of all known layouts, and writes ours.

===========================  =================================================================
ours                         ``.safetensors``, one network per file, with its settings
rosinality                   ``.pt`` with ``g_ema``, ``g``, ``d``, ``latent_avg``
NVIDIA, PyTorch              ``.pkl`` with ``G_ema``, ``G``, ``D``
NVIDIA, TensorFlow           ``.pkl`` with a tuple (G, D, Gs)
===========================  =================================================================

The contents decide which layout a file has, not its name. No code of a file is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from faceuv.checks import one_line, shown
from faceuv.errors import AssetError, FaceUVError
from faceuv.files.networks import load_network, read_header
from faceuv.files.pickles import read_pickle
from faceuv.models.stylegan2 import nvidia_tensorflow, nvidia_torch, rosinality
from faceuv.models.stylegan2.discriminator import StyleGAN2Discriminator
from faceuv.models.stylegan2.generator import StyleGAN2Generator

Part = Literal["ema", "generator", "discriminator"]
# The names of the three networks in each layout.
ROSINALITY_KEYS = {"ema": "g_ema", "generator": "g", "discriminator": "d"}
NVIDIA_KEYS = {"ema": "G_ema", "generator": "G", "discriminator": "D"}
TENSORFLOW_ORDER = {"generator": 0, "discriminator": 1, "ema": 2}

# Packages of the releases that wrote the pickles; their classes become stubs.
_STUBBED = ("dnnlib.", "torch_utils.", "training.", "torch.nn.modules.")

_LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how files of torch.save before 1.6 begin


def load_generator(
    path: str | Path, *, weights: Literal["ema", "generator"] = "ema", size: int | None = None
) -> StyleGAN2Generator:
    """The generator of a file of any known layout, in evaluation mode and without gradients.

    Args:
        weights: ``"ema"``, the averaged weights that make the best images, or ``"generator"``, those of the
            training. (A file of ours holds one of them.)
        size: expected size of the images; another one is an error.
    """
    network = _load(Path(path), weights)
    assert isinstance(network, StyleGAN2Generator)
    _check_size(network.size, size, path)
    return network


def load_discriminator(path: str | Path, *, size: int | None = None) -> StyleGAN2Discriminator:
    """The discriminator of a file of any known layout, in evaluation mode and without gradients."""
    network = _load(Path(path), "discriminator")
    assert isinstance(network, StyleGAN2Discriminator)
    _check_size(network.size, size, path)
    return network


def networks_in(path: str | Path) -> set[Part]:
    """Which networks a file of any known layout holds."""
    path = Path(path)
    kind = _sniff(path)
    if kind == "ours":
        known: dict[str, Part] = {"stylegan2_generator": "ema", "stylegan2_discriminator": "discriminator"}
        held = str(read_header(path).get("kind"))
        return {known[held]} if held in known else set()
    data = rosinality.read_state_dicts(path) if kind == "torch" else _read_nvidia(path)
    if isinstance(data, (tuple, list)):
        return set(get_args(Part)) if len(data) == len(TENSORFLOW_ORDER) else set()
    keys: Mapping[str, str] = ROSINALITY_KEYS if kind == "torch" else NVIDIA_KEYS
    return {part for part in get_args(Part) if isinstance(data, Mapping) and data.get(keys[part]) is not None}


def _check_size(found: int, expected: int | None, path: str | Path) -> None:
    if expected is not None and found != expected:
        raise AssetError(f"{path} holds a network for {found}² images, expected {expected}²")


def _load(path: Path, part: Part) -> StyleGAN2Generator | StyleGAN2Discriminator:
    kind = _sniff(path)
    if kind == "ours":
        if part == "discriminator":
            return load_network(path, StyleGAN2Discriminator)
        return load_network(path, StyleGAN2Generator)
    data = rosinality.read_state_dicts(path) if kind == "torch" else _read_nvidia(path)
    try:
        return _rosinality_network(path, data, part) if kind == "torch" else _nvidia_network(path, data, part)
    except FaceUVError:
        raise
    except Exception as error:  # each value of the file can be of another kind than it should
        raise AssetError(
            f"{path}: its networks are not laid out as StyleGAN2's ({type(error).__name__}:"
            f" {one_line(error)}); it is damaged, or of a variant"
        ) from error


def _rosinality_network(path: Path, data: Mapping[str, Any], part: Part) -> StyleGAN2Generator | StyleGAN2Discriminator:
    where = f"{path} [{ROSINALITY_KEYS[part]}]"
    state = _pick(data, ROSINALITY_KEYS[part], path, rosinality.LAYOUT)
    if not isinstance(state, Mapping):
        raise AssetError(f"{where}: expected a state dict, found {type(state).__name__}")
    if part == "discriminator":
        return rosinality.discriminator(state, where=where)
    # latent_avg belongs to the averaged weights; for the others it is estimated.
    return rosinality.generator(state, data.get("latent_avg") if part == "ema" else None, where=where)


def _nvidia_network(path: Path, data: Any, part: Part) -> StyleGAN2Generator | StyleGAN2Discriminator:
    where = f"{path} [{NVIDIA_KEYS[part]}]"
    if isinstance(data, (tuple, list)) and len(data) == 3 and all(map(nvidia_tensorflow.is_network, data)):
        network = data[TENSORFLOW_ORDER[part]]
        read = nvidia_tensorflow.discriminator if part == "discriminator" else nvidia_tensorflow.generator
        return read(network, where=where)
    if isinstance(data, Mapping) and any(key in data for key in NVIDIA_KEYS.values()):
        network = _pick(data, NVIDIA_KEYS[part], path, nvidia_torch.LAYOUT)
        reader = nvidia_torch.discriminator if part == "discriminator" else nvidia_torch.generator
        return reader(network, where=where)
    keys = f" with {shown(list(data))}" if isinstance(data, Mapping) else ""
    raise AssetError(
        f"{path}: expected NVIDIA's StyleGAN2 networks, a dictionary with G_ema, G, D or a tuple (G, D, Gs) of"
        f" TensorFlow networks; found a {type(data).__name__}{keys}"
    )


def _read_nvidia(path: Path) -> Any:
    return read_pickle(path, expected="StyleGAN2 network pickle", stubs=_STUBBED)


def _sniff(path: Path) -> Literal["ours", "torch", "pickle"]:
    if not path.is_file():
        raise AssetError(f"{path} does not exist; expected StyleGAN2 weights (.safetensors, .pt or .pkl)")
    with path.open("rb") as file:
        head = file.read(32)
    if head.startswith((b"PK\x03\x04", _LEGACY_TORCH)):
        return "torch"
    if head[8:9] == b"{":  # eight bytes of length, then JSON
        return "ours"
    if head.startswith(b"\x80"):
        return "pickle"
    raise AssetError(
        f"{path} is neither a safetensors file, a PyTorch checkpoint nor a pickle"
        f" ({'it is empty' if not head else f'it begins with {head[:8]!r}'}); is it the page of a failed download?"
    )


def _pick(data: Mapping[str, Any], key: str, path: Path, layout: str) -> Any:
    if data.get(key) is None:
        raise AssetError(f"{path}: this {layout} file has no {key!r}; it holds {shown(list(data))}")
    return data[key]
