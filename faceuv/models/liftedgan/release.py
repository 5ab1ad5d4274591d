"""Files of the networks: ours, and checkpoints of the authors' release, read by key without running code.

Their camera looks along +z with y down, and their normals point away from it; here y is up and z points toward the
camera. The signs are turned once, in the weights that write and read light and view.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from faceuv.errors import AssetError, InputError
from faceuv.files.networks import load_network
from faceuv.models.liftedgan.networks import LiftingNetworks

PARTS = {
    "netSD.model_light.": "light.",
    "netSD.model_view.": "view.",
    "netSC.": "composer.",
    "netD.": "shape.",
    "netT.": "transformation.",
}
"""Prefixes of the release → ours."""
UNUSED = "netSD.model_style."  # a head whose output the release throws away
_LAYOUT = "a checkpoint of LiftedGAN's release: netSD, netSC, netD, netT"
_VIEW_SIGNS = (1.0, -1.0, -1.0, 1.0, -1.0, -1.0)
_LIGHT_SIGNS = (1.0, 1.0, -1.0, 1.0)


def load_networks(path: str | Path) -> LiftingNetworks:
    """Networks of a file: one of ours (safetensors), or a checkpoint of the release (``.pth``); frozen."""
    path = Path(path)
    if path.suffix == ".safetensors":
        return load_network(path, LiftingNetworks)
    return read_release(path)


def read_release(path: str | Path) -> LiftingNetworks:
    """The networks of a checkpoint of the release, whose sizes are read off its tensors."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can raise anything
        raise AssetError(
            f"{path} is not a readable PyTorch file ({type(error).__name__}); expected {_LAYOUT}. It may hold code,"
            " which is refused"
        ) from error
    state: dict[str, Tensor] = {}
    for part in ("netSD", "netSC", "netD", "netT"):
        found = content.get(part) if isinstance(content, dict) else None
        if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
            raise AssetError(f"{path} has no state dict {part}; expected {_LAYOUT}")
        state |= {f"{part}.{name}": value for name, value in found.items()}
    return networks_of(state, str(path))


def networks_of(state: Mapping[str, Tensor], where: str) -> LiftingNetworks:
    """The networks of tensors with the release's names, ``netD.mlp.0.weight`` and so on."""
    tensors: dict[str, Tensor] = {}
    for name, value in state.items():
        if name.startswith(UNUSED):
            continue
        prefix = next((p for p in PARTS if name.startswith(p)), None)
        if prefix is None:
            raise AssetError(f"{where} has the unknown tensor {name}; expected {_LAYOUT}")
        tensors[PARTS[prefix] + name.removeprefix(prefix)] = value.float()
    networks = _shaped(tensors, where)
    own = networks.state_dict()
    for name, value in own.items():
        if name not in tensors or tensors[name].shape != value.shape:
            found = tuple(tensors[name].shape) if name in tensors else "nothing"
            raise AssetError(f"{where}: {name} must have shape {tuple(value.shape)}, found {found}; expected {_LAYOUT}")
    if extra := sorted(set(tensors) - set(own)):
        raise AssetError(f"{where} has {len(extra)} tensors more than its networks, {extra[0]} among them")
    networks.load_state_dict(turned_signs(tensors))
    return networks.eval().requires_grad_(False)


def _shaped(tensors: Mapping[str, Tensor], where: str) -> LiftingNetworks:
    """Networks of the shape that the tensors have."""
    try:
        code_dim = tensors["shape.mlp.0.weight"].shape[1]
        features = tensors["shape.inject.weight"].shape[1]
        width = tensors["shape.mlp.0.weight"].shape[0]
        narrow = tensors["transformation.mlp.0.weight"].shape[0]
        stages = sum(1 for name in tensors if name.startswith("shape.network.") and tensors[name].shape[-1:] == (4,))
        return LiftingNetworks(
            2 ** (stages + 2), 2 * (stages + 2) - 2, code_dim, features, width=width, transformation_width=narrow
        )
    except (KeyError, IndexError, InputError) as error:
        raise AssetError(f"{where} is not {_LAYOUT} ({error})") from error


def turned_signs(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights for the other frame: an involution."""
    turned = dict(tensors)
    for part, signs in (("view", _VIEW_SIGNS), ("light", _LIGHT_SIGNS)):
        sign = torch.tensor(signs)
        for name in (f"{part}.mlp.6.weight", f"{part}.mlp.6.bias"):
            turned[name] = tensors[name] * (sign[:, None] if tensors[name].ndim == 2 else sign)
        name = f"composer.embed_{part}.mlp.0.weight"
        turned[name] = tensors[name] * sign
    return turned
