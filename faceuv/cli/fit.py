"""``faceuv fit``: pictures → coefficients, overlay pictures and meshes."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceuv.cli.arguments import COUNT, SIDE, real
from faceuv.cli.console import add_device, checked_device
from faceuv.cli.mesh_options import add_mesh_options, mesh_options
from faceuv.errors import InputError

if TYPE_CHECKING:
    from faceuv.cli.fit_folder import FitFolder
    from faceuv.data.images import PictureFile
    from faceuv.fitting import Fitter
    from faceuv.models.faces import FaceModel

_REGRESSORS = {"ProceduralFace": "zoo:regressor/weights.safetensors"}  # what starts a fit of a face model by itself
COARSE = {"type": "ProceduralFace", "rows": 97, "columns": 81}  # stands in while fitting the procedural face


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser("fit", help="fit the face model to pictures: coefficients, overlays, meshes")
    parser.add_argument("images", nargs="+", metavar="IMAGES", help="pictures, folders, globs or videos")
    parser.add_argument("--out", type=Path, default=Path("out/fit"), metavar="DIR", help="where to (out/fit)")
    parser.add_argument(
        "--detector",
        default="SyntheticLandmarks",
        help="a landmark detector by name, or a file of landmarks (.json, .npz, .safetensors)",
    )
    parser.add_argument(
        "--regressor",
        metavar="FILE",
        help="weights of the regressor that starts the fit; none starts from the mean face (default: the embedded one"
        " for ProceduralFace, none for other face models)",
    )
    parser.add_argument(
        "--schedule",
        default="fast",
        help="fast, precise (landmarks by hand), landmarks (only them) or published; default fast",
    )
    parser.add_argument(
        "--framing",
        choices=("pad", "crop", "align"),
        default="pad",
        help="pad: the whole picture; crop: its middle square; align: FFHQ's square around the face",
    )
    parser.add_argument("--size", type=SIDE, default=256, metavar="PX", help="side of the fitted square (default 256)")
    parser.add_argument("--every", type=COUNT, default=1, metavar="N", help="of a video, every N-th frame")
    parser.add_argument("--batch-size", type=COUNT, default=16, metavar="N", help="pictures at a time (default 16)")
    add_device(parser)
    parser.add_argument("--face-model", default="ProceduralFace", help="a face model by name")
    parser.add_argument("--renderer", default="torch", help="a renderer by name (default torch)")
    parser.add_argument(
        "--min-confidence",
        type=real(0, 1),
        default=0.0,
        metavar="C",
        help="count fits below this confidence as failed; 0.5 does so with all doubtful ones (default 0)",
    )
    add_mesh_options(parser)
    parser.add_argument("--no-meshes", action="store_true", help="write no .glb files")
    parser.add_argument("--overwrite", action="store_true", help="fit pictures again that are fitted already")
    parser.add_argument(
        "--launcher",
        choices=("none", "pytorch", "slurm", "mpi"),
        default="none",
        help="how several processes were started; each fits its share of the pictures",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Fit what is not fitted yet; 1 if no picture could be fitted."""
    from mmengine.dist import barrier, get_rank, get_world_size

    from faceuv.cli.console import console, require_positive
    from faceuv.cli.fit_folder import FitFolder
    from faceuv.data.images import find_pictures
    from faceuv.engine.compat.distributed import start_processes, stop_processes
    from faceuv.files.artefacts import check_writable

    if args.regressor is None:
        args.regressor = _REGRESSORS.get(args.face_model, "none")
    for option, value in (("--batch-size", args.batch_size), ("--every", args.every)):
        require_positive(option, value)
    files = find_pictures(args.images, every=args.every)
    for source in args.images:
        if Path(source).is_dir() and args.out.exists() and Path(source).samefile(args.out):
            raise InputError(
                f"--out {args.out} is the folder that the pictures are in, where the next run would take the sheet for"
                f" one of them; choose another, such as --out {args.out / 'fit'}"
            )
    start_processes(args.launcher)
    try:
        folder = FitFolder(args.out, _settings(args), meshes=not args.no_meshes, mesh_options=mesh_options(args))
        folder.check(files, overwrite=args.overwrite)
        share = files[get_rank() :: get_world_size()]
        waiting = [file for file in share if args.overwrite or not folder.is_finished(file)]
        if len(waiting) < len(share):
            console.print(f"{len(share) - len(waiting)} of {len(share)} pictures are fitted already")
        fitter = build_fitter(args) if waiting else None  # a misspelt option is an error before the folder is claimed
        check_writable(args.out)
        folder.claim()
        if fitter is not None:
            _work(args, folder, waiting, fitter)
        barrier()
        if get_rank() == 0:
            return folder.report(files)
        return 0
    finally:
        stop_processes()


def _settings(args: argparse.Namespace) -> dict[str, Any]:
    """What a fit depends on; fits of other settings do not share a folder. Files count by their contents."""
    from faceuv.files.artefacts import sha256_of
    from faceuv.files.locate import locate

    names = ("detector", "regressor", "schedule", "framing", "size", "face_model", "renderer", "min_confidence")
    found = {name: getattr(args, name) for name in names}
    for name in ("detector", "regressor"):
        if found[name] != "none" and (path := locate(found[name])).is_file():
            found[f"{name}_sha256"] = sha256_of(path)
    return found


def _work(args: argparse.Namespace, folder: FitFolder, files: list[PictureFile], fitter: Fitter) -> None:
    from mmengine.dist import get_rank
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from faceuv.cli.console import console
    from faceuv.fitting.pictures import fit_pictures

    failures = TextColumn("{task.fields[doubtful]} doubtful, {task.fields[failed]} failed")
    columns = (TextColumn("fitting"), BarColumn(), MofNCompleteColumn(), failures, TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=get_rank() != 0) as progress:
        task = progress.add_task("fitting", total=len(files), doubtful=0, failed=0)
        seen: Counter[str] = Counter()
        for result in fit_pictures(fitter, files, size=args.size, framing=args.framing, batch_size=args.batch_size):
            folder.write(result, fitter)
            seen[result.outcome] += 1
            progress.update(task, advance=1, doubtful=seen["doubtful"], failed=seen["failed"])


def build_fitter(args: argparse.Namespace) -> Fitter:
    """The fitter that the options describe, on its device."""

    from faceuv.files.locate import locate
    from faceuv.fitting import Fitter
    from faceuv.fitting.landmarks.precomputed import SUFFIXES
    from faceuv.models.readers.regressor import load_regressor
    from faceuv.registry import FACE_MODELS

    device = checked_device(args.device)
    regressor = None if args.regressor == "none" else load_regressor(locate(args.regressor)).eval()
    model: FaceModel = FACE_MODELS.build(args.face_model)
    if regressor is not None and regressor.layout != model.layout:
        raise InputError(
            f"the regressor {args.regressor} answers in {regressor.layout.groups}, {args.face_model} has"
            f" {model.layout.groups}: give one that was trained for it, or --regressor none"
        )
    from_file = Path(args.detector).suffix.lower() in SUFFIXES
    detector = {"type": "PrecomputedLandmarks", "path": args.detector} if from_file else args.detector
    return Fitter(
        model,
        args.renderer,
        detector,
        regressor,
        schedule=args.schedule,
        fit_model=COARSE if args.face_model == "ProceduralFace" else None,
        min_confidence=args.min_confidence,
    ).to(device)
