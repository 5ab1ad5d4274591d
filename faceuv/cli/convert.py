"""``faceuv convert``: files of other formats → files of faceuv."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from faceuv.files.assets import assets_dir, known_asset

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from faceuv.models.faces.base import FaceModel


def add_parser(subparsers: _SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``convert`` and what it converts to the command line."""
    parser = subparsers.add_parser("convert", help="convert model files that you hold to files of faceuv")
    kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    bfm = kinds.add_parser("bfm", help="Basel Face Model 2009 → bfm2009.safetensors")
    add_bfm_arguments(bfm)
    bfm.set_defaults(run=run)
    ict = kinds.add_parser("ict", help="ICT-FaceKit Light → ict_facekit.safetensors")
    add_ict_arguments(ict)
    ict.set_defaults(run=run_ict)
    flame = kinds.add_parser("flame", help="FLAME 2017, 2020, 2023 → flame.safetensors")
    add_flame_arguments(flame)
    flame.set_defaults(run=run_flame)


def add_bfm_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``convert bfm``."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--front", type=Path, metavar="MAT", help="the converted BFM_model_front.mat")
    source.add_argument(
        "--raw", type=Path, metavar="FOLDER", help="folder of 01_MorphableModel.mat, Exp_Pca.bin and the index files"
    )
    parser.add_argument(
        "--uv", metavar="MAT", help="UV file, v up (BFM_UV.mat); or the word cylindrical: unwrap by formula"
    )
    parser.add_argument(
        "--indices",
        type=Path,
        metavar="FOLDER",
        help="folder of BFM_front_idx.mat and BFM_exp_idx.mat, for a UV file of the full head"
        " (default: the model's folder)",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="what to write (default: where BFM2009 looks for it)")


def add_ict_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``convert ict``."""
    parser.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="a clone of https://github.com/ICT-VGL/ICT-FaceKit, or its folder FaceXModel",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="what to write (default: where ICTFaceKit looks)")


def run_ict(args: argparse.Namespace) -> int:
    """Read the OBJ files, write one file, and print what was written."""
    from rich.console import Console

    from faceuv.models.faces.ict import ICTFaceKit

    out = args.out or assets_dir() / known_asset("ict_facekit").filename
    with Console(stderr=True).status("reading ICT-FaceKit") as status:
        model = ICTFaceKit.from_folder(args.folder, progress=lambda name: status.update(f"reading {name}"))
    model.save(out)
    _print_written(out, model)
    print("ICT-FaceKit Light is under the MIT licence: keep its copyright notice with what you pass on")
    return 0


def run(args: argparse.Namespace) -> int:
    """Convert, write, and print what was written."""
    from faceuv.models.faces.bfm2009 import BFM2009

    out = args.out or assets_dir() / known_asset("bfm2009").filename
    model = BFM2009.from_files(front=args.front, raw=args.raw, uv=args.uv, indices=args.indices)
    model.save(out)
    _print_written(out, model)
    folded, faces = model.metadata["uv_folded_faces"], model.faces.shape[0]
    if folded > 0.005 * faces:
        print(f"note: {folded:,} faces turn over in the UV chart and share texels with others")
    return 0


def _print_written(out: Path, model: FaceModel) -> None:
    vertices, faces = model.mean.shape[0], model.faces.shape[0]
    modes = f"{model.layout.identity} + {model.layout.expression} + {model.layout.albedo} modes"
    print(f"wrote {out}: {vertices:,} vertices, {faces:,} faces, {modes}")


def add_flame_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of ``convert flame``."""
    parser.add_argument("model", type=Path, metavar="FILE", help="generic_model.pkl, flame2023.pkl, … or an .npz")
    parser.add_argument(
        "--landmarks",
        type=Path,
        nargs="+",
        required=True,
        metavar="FILE",
        help="flame_static_embedding.pkl and flame_dynamic_embedding.npy; or landmark_embedding.npy of DECA",
    )
    parser.add_argument(
        "--uv",
        required=True,
        metavar="FILE",
        help="head_template.obj or FLAME_texture.npz; or the word cylindrical: unwrap by formula",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="what to write (default: where FLAME looks for it)")


def run_flame(args: argparse.Namespace) -> int:
    """Convert FLAME's files, write, and print what was written."""
    from faceuv.models.faces.flame import FLAME

    out = args.out or assets_dir() / known_asset("flame").filename
    model = FLAME.from_files(args.model, landmarks=args.landmarks, uv=args.uv)
    model.save(out)
    vertices, faces = model.mean.shape[0], model.faces.shape[0]
    modes = f"{model.layout.identity} + {model.layout.expression - 10} modes and 10 of pose"
    print(f"wrote {out}: {vertices:,} vertices, {faces:,} faces, {modes}")
    print(
        f"landmarks are the nearest vertices, at most {model.metadata['landmark_error_mm']:.1f} mm from the embedding"
    )
    return 0
