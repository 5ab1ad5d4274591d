"""Files that faceuv may not carry and the user brings: what they are, where they are looked for, how to get them.

The folder is ``$FACEUV_ASSETS`` if it is set; then the user's data folder (``$XDG_DATA_HOME/faceuv``, by default
``~/.local/share/faceuv``) is searched too.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from faceuv.errors import AssetError, InputError


@dataclass(frozen=True)
class Asset:
    """One file of the user's: ``command`` makes it from what ``where`` gives."""

    name: str
    filename: str
    description: str
    where: str
    command: str


ASSETS: dict[str, Asset] = {
    asset.name: asset
    for asset in (
        Asset(
            name="bfm2009",
            filename="bfm2009.safetensors",
            description="Basel Face Model 2009 with the expression basis of Guo et al., frontal crop, UV chart",
            where="register at https://faces.dmi.unibas.ch/bfm/ (research use only, not to be passed on)",
            command="faceuv convert bfm --raw BFM_FOLDER --uv BFM_UV.mat",
        ),
        Asset(
            name="inception",
            filename="weights-inception-2015-12-05-6726825d.pth",
            description="the Inception v3 network that FIDs are computed with, as published for torch-fidelity",
            where="https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
            "weights-inception-2015-12-05-6726825d.pth (91 MiB, Apache-2.0)",
            command="mkdir -p ~/.local/share/faceuv && mv weights-inception-2015-12-05-6726825d.pth"
            " ~/.local/share/faceuv/",
        ),
        Asset(
            name="vgg16",
            filename="vgg16-397923af.pth",
            description="torchvision's VGG-16 of ImageNet, the network that LPIPS looks at pictures with",
            where="https://download.pytorch.org/models/vgg16-397923af.pth (528 MiB, BSD-3-Clause)",
            command="mkdir -p ~/.local/share/faceuv && mv vgg16-397923af.pth ~/.local/share/faceuv/",
        ),
    )
}


def asset_folders() -> list[Path]:
    """The folders that are searched, in order."""
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    chosen = os.environ.get("FACEUV_ASSETS")
    return [*([Path(chosen).expanduser()] if chosen else []), Path(data_home) / "faceuv"]


def assets_dir() -> Path:
    """The folder that converted assets are written to: the first of :func:`asset_folders`."""
    return asset_folders()[0]


def known_asset(name: str) -> Asset:
    """The entry of :data:`ASSETS`; the error lists the names."""
    if name not in ASSETS:
        raise InputError(f"no asset is called {name!r}; known: {', '.join(ASSETS)}")
    return ASSETS[name]


def locate_asset(name: str) -> Path | None:
    """Where the file of a known asset lies, or None."""
    paths = [folder / known_asset(name).filename for folder in asset_folders()]
    return next((path for path in paths if path.is_file()), None)


def find_asset(name: str) -> Path:
    """Where the file of a known asset lies; the error says where it was looked for and how to make it."""
    found = locate_asset(name)
    if found is None:
        asset = known_asset(name)
        looked = ", ".join(str(folder) for folder in asset_folders())
        raise AssetError(
            f"{asset.filename} ({asset.description}) was not found in {looked}. Get its sources: {asset.where};"
            f" then run: {asset.command}. A file that lies elsewhere can be given by its path, or FACEUV_ASSETS"
            " set to its folder"
        )
    return found
