"""Files that faceuv may not distribute and users provide: what they are, where they are searched, how to get them.

The folder is ``$FACEUV_ASSETS`` if it is set; then the user's data folder (``$XDG_DATA_HOME/faceuv``, by default
``~/.local/share/faceuv``) is searched too. In a config, ``"asset:stylegan2_ffhq256"`` is such a file.

A part that needs one says so before it is built, by a class method ``missing_assets(**settings) -> list[Missing]``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faceuv.errors import AssetError, InputError, did_you_mean
from faceuv.files.paths import user_path

PREFIX = "asset:"
_DATA_FOLDER = "~/.local/share/faceuv"


@dataclass(frozen=True)
class Asset:
    """One file of the user: ``where`` to get its sources, and the ``command`` that converts them."""

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
            where="register at https://faces.dmi.unibas.ch/bfm/ (research use only, not to be passed on);"
            " docs/bfm2009.md lists the files",
            command="faceuv convert bfm --raw BFM_FOLDER --uv BFM_UV.mat",
        ),
        Asset(
            name="ict_facekit",
            filename="ict_facekit.safetensors",
            description="ICT-FaceKit Light, a whole head of 100 identity modes and 57 expressions",
            where="git clone https://github.com/ICT-VGL/ICT-FaceKit (MIT licence, 400 MB)",
            command="faceuv convert ict ICT-FaceKit",
        ),
        Asset(
            name="flame",
            filename="flame.safetensors",
            description="FLAME 2020, 2023 or 2023 Open with its landmark embeddings and UV chart",
            where="register at https://flame.is.tue.mpg.de/ (2023 Open is CC-BY-4.0, the others are for research);"
            " docs/flame.md lists the files",
            command="faceuv convert flame generic_model.pkl --landmarks flame_static_embedding.pkl"
            " flame_dynamic_embedding.npy --uv head_template.obj",
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
            name="stylegan2_ffhq256",
            filename="550000.pt",
            description="StyleGAN2 config-f of FFHQ at 256², generator and discriminator, in rosinality's layout",
            where="the checkpoint 'FFHQ, 256px, 550k iterations' that the page of"
            " https://github.com/rosinality/stylegan2-pytorch links to",
            command="mkdir -p ~/.local/share/faceuv && mv 550000.pt ~/.local/share/faceuv/",
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
    return [*([user_path(chosen)] if chosen else []), Path(data_home) / "faceuv"]


def assets_dir() -> Path:
    """The folder that converted assets are written to: the first of :func:`asset_folders`."""
    return asset_folders()[0]


def known_asset(name: str) -> Asset:
    """The entry of :data:`ASSETS`; the error lists the names."""
    if name not in ASSETS:
        raise InputError(f"no asset is called {name!r}; known: {', '.join(ASSETS)}{did_you_mean(name, ASSETS)}")
    return ASSETS[name]


def locate_asset(name: str) -> Path | None:
    """The path of a known asset, or None if there is no such file."""
    paths = [folder / known_asset(name).filename for folder in asset_folders()]
    return next((path for path in paths if path.is_file()), None)


def find_asset(name: str) -> Path:
    """The path of a known asset; the error names the searched folders and how to get the file."""
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


@dataclass(frozen=True)
class Missing:
    """A file or package of the user's that a recipe needs and that was not found.

    what     the file or package, and what it is
    where    where to get it
    command  the command that installs it or puts it in place
    looked   the places that were searched
    """

    what: str
    where: str
    command: str
    looked: Sequence[str] = ()

    @classmethod
    def asset(cls, name: str, also: Sequence[str | Path] = ()) -> Missing:
        """A known asset that is neither in the asset folders nor in the places ``also``."""
        asset = known_asset(name)
        places = tuple(str(place) for place in (*asset_folders(), *also))
        command = asset.command.replace(_DATA_FOLDER, str(assets_dir()))
        return cls(f"{asset.filename} ({asset.description})", asset.where, command, places)


class MissingAssets(AssetError):
    """All missing assets of a recipe, in one message of several lines.

    Args:
        needed: what is missing → the stages (or parts) that need it.
    """

    def __init__(self, needed: Mapping[Missing, Sequence[str]]) -> None:
        self.needed = dict(needed)
        count = len(self.needed)
        lines = [
            f"{count} thing{'s' if count > 1 else ''} that the recipe needs {'are' if count > 1 else 'is'} not here:"
        ]
        for number, (one, users) in enumerate(self.needed.items(), 1):
            lines.append(f"({number}) {one.what}, for {', '.join(dict.fromkeys(users))}")
            lines.append(f"    get it:   {one.where}")
            lines.append(f"    then run: {one.command}")
            if one.looked:
                lines.append(f"    it was looked for in {', '.join(one.looked)}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> Any:  # it travels between processes
        return type(self), (self.needed,)


def place(name: str) -> Path:
    """The path of a known asset; the path where it is expected, if there is no such file."""
    asset = known_asset(name)
    return locate_asset(asset.name) or assets_dir() / asset.filename
