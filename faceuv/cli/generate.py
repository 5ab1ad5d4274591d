"""``faceuv generate``: the paper's figures, and files of faces, from a generator of faces.

A figure is two functions: one adds its options, one turns them into jobs. All jobs are made, and with them everything
checked, before the first picture is drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceuv.cli import generate_options
from faceuv.cli.mesh_options import mesh_options
from faceuv.cli.render import parse_amounts
from faceuv.errors import InputError, did_you_mean
from faceuv.files.names import file_names

if TYPE_CHECKING:
    from torch import Tensor

    from faceuv.figures import FigureStyle, ProgressCallback
    from faceuv.models.base.face_generator import FaceGenerator
    from faceuv.models.directions import Direction


@dataclass(frozen=True)
class Job:
    """One file: ``write(path, progress)``."""

    file: str
    write: Callable[[Path, ProgressCallback], object]


@dataclass(frozen=True)
class Request:
    """The options of the command line, the generator of faces, and the style of the figures."""

    args: argparse.Namespace
    generator: FaceGenerator
    style: FigureStyle

    def sheet(self, name: str, figure: Callable[..., Tensor], *subject: Any, **options: Any) -> Job:
        """A job that draws one of :mod:`faceuv.figures` into a PNG."""

        def write(path: Path, progress: ProgressCallback) -> None:
            from faceuv.export import save_png

            save_png(path, figure(self.generator, *subject, style=self.style, progress=progress, **options))

        return Job(f"{name}.png", write)


def yaw(request: Request) -> list[Job]:
    """The teacher's picture, and the face at several yaws."""
    from faceuv.figures import yaw_strip

    _check_yaws(request, "--yaws", request.args.yaws)
    return [request.sheet("yaw", yaw_strip, request.args.seeds, yaws=request.args.yaws)]


def interpolation(request: Request) -> list[Job]:
    """From each seed to the next: image, render, grey shape."""
    from faceuv.figures import interpolation_strip

    seeds, steps = request.args.seeds, request.args.steps
    if steps < 2:
        raise InputError(f"--steps must be at least 2, the two ends, got {steps}")
    if len(seeds) < 2:
        raise InputError(f"an interpolation goes from one seed to another: --seeds needs two or more, got {seeds[0]}")
    return [request.sheet(f"interpolation_{a}_{b}", interpolation_strip, a, b, steps=steps) for a, b in pairwise(seeds)]


def lights(request: Request) -> list[Job]:
    """Faces under named lights."""
    from faceuv.figures import light_grid
    from faceuv.geometry import named_light

    for name in request.args.lights:
        named_light(name)
    return [request.sheet("lights", light_grid, request.args.seeds, lights=request.args.lights)]


def expressions(request: Request) -> list[Job]:
    """Faces with named expressions."""
    from faceuv.figures import expression_grid

    chosen = [amounts(words) for words in request.args.expressions]
    for name in {name for movements in chosen for name in movements}:
        request.generator.check_movement(name)
    return [request.sheet("expressions", expression_grid, request.args.seeds, expressions=chosen)]


def mixing(request: Request) -> list[Job]:
    """Coarse styles of some seeds with fine styles of others."""
    from faceuv.figures import mixing_grid

    fine, layer, rows = request.args.fine, request.args.layer, request.generator.num_layers
    _check_seeds("--fine", fine)
    if layer is not None and not 0 <= layer <= rows:
        raise InputError(f"--layer must lie in 0 … {rows}, the rows of this generator's codes, got {layer}")
    return [request.sheet("mixing", mixing_grid, request.args.seeds, fine, layer=layer)]


def rig(request: Request) -> list[Job]:
    """StyleRig: rows copied from another face, beside its pose, expression and light."""
    from faceuv.figures.rig_sheets import rig_mixing_grid

    return [_rigged(request, "rig", rig_mixing_grid)]


def transfer(request: Request) -> list[Job]:
    """StyleRig: pose, expression and light of other faces, singly and at once."""
    from faceuv.figures.rig_sheets import transfer_grid

    if len(request.args.sources) != len(request.args.seeds):
        raise InputError(f"--sources needs one seed for each of --seeds, got {len(request.args.sources)}")
    return [_rigged(request, "transfer", transfer_grid)]


def _rigged(request: Request, name: str, figure: Callable[..., Tensor]) -> Job:
    from faceuv.figures.rig_sheets import rig_of

    rig_of(request.generator)
    _check_seeds("--sources", request.args.sources)
    same = set(request.args.seeds) & set(request.args.sources)
    if same:
        raise InputError(f"seed {min(same)} is among --seeds and --sources: a transfer needs two different faces")
    return request.sheet(name, figure, request.args.seeds, request.args.sources)


def edits(request: Request) -> list[Job]:
    """Codes moved along directions, with coefficients and maps of the moved codes."""
    from faceuv.figures import edit_strip

    found = _directions(request)
    names = [direction.name for direction in found]
    several = [name + (f"_{k}" if names.count(name) > 1 else "") for k, name in enumerate(names)]
    names = file_names([f"edits_{name}" for name in several])
    return [
        request.sheet(name, edit_strip, request.args.seeds, direction, sigmas=request.args.sigmas)
        for name, direction in zip(names, found)
    ]


def turntable(request: Request) -> list[Job]:
    """Faces side by side that swing to both sides, as an animation."""
    from faceuv.cli.console import require_positive
    from faceuv.export.video import check_video, save_video
    from faceuv.figures import turntable as frames_of

    args = request.args
    require_positive("--frames", args.frames)
    style = replace(request.style, over=args.over or "studio")  # the teacher's picture flickers from yaw to yaw
    _check_yaws(replace(request, style=style), "--swing-deg", [args.swing_deg])
    file = f"turntable.{args.video}"
    check_video(file, fps=args.fps)

    def write(path: Path, progress: ProgressCallback) -> None:
        swing = frames_of(
            request.generator, args.seeds, frames=args.frames, swing_deg=args.swing_deg, style=style, progress=progress
        )
        save_video(path, swing, fps=args.fps)

    return [Job(file, write)]


def faces(request: Request) -> list[Job]:
    """Each face as a textured mesh, and as a file that ``faceuv render`` reads."""
    from faceuv.figures import FigureRenderer

    renderer, args = FigureRenderer(request.generator, request.style), request.args

    def write(path: Path, progress: ProgressCallback, *, seed: int) -> None:
        options = {} if path.suffix == ".safetensors" else mesh_options(args)
        renderer.sample(seed).save(path, **options)
        progress(1, 1)

    kinds = (args.mesh, "safetensors")
    return [Job(f"face_{seed:04d}.{kind}", partial(write, seed=seed)) for seed in args.seeds for kind in kinds]


def _directions(request: Request) -> list[Direction]:
    """The directions that ``--direction`` names: files, files of the zoo, or names that the generator knows."""
    from faceuv.files import zoo
    from faceuv.models.directions import load_directions

    known, found = dict(request.generator.directions), []
    for word in request.args.direction or list(known):
        if word in known:
            found.append(known[word])
            continue
        if not word.startswith(zoo.PREFIX) and not Path(word).suffix:
            raise InputError(
                f"no direction is called {word!r}; this generator knows: {', '.join(known) or 'none'}"
                f"{did_you_mean(word, known)}. A file ends in .safetensors"
            )
        found += load_directions(_of_zoo(word), request.generator.teacher)
    if not found:
        raise InputError(f"{request.args.generator} knows no directions: name files of them with --direction")
    return found


def _of_zoo(word: str) -> Path:
    """``zoo:entry`` stands for the one file of weights of that entry."""
    from faceuv.files import zoo
    from faceuv.files.locate import locate

    files = zoo.entries().get(word.removeprefix(zoo.PREFIX), []) if word.startswith(zoo.PREFIX) else []
    return locate(f"{word}/{files[0]}" if len(files) == 1 else word)


Jobs = Callable[[Request], list[Job]]
Options = Callable[[argparse.ArgumentParser], None]

FIGURES: dict[str, tuple[Jobs, Options]] = {
    "yaw": (yaw, generate_options.add_yaw),
    "interpolation": (interpolation, generate_options.add_interpolation),
    "lights": (lights, generate_options.add_lights),
    "expressions": (expressions, generate_options.add_expressions),
    "mixing": (mixing, generate_options.add_mixing),
    "edits": (edits, generate_options.add_edits),
    "rig": (rig, generate_options.add_sources),
    "transfer": (transfer, generate_options.add_sources),
    "turntable": (turntable, generate_options.add_turntable),
    "faces": (faces, generate_options.add_faces),
}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``generate`` and its figures to the command line."""
    parser = subparsers.add_parser("generate", help="figures, turntables and files of generated faces")
    kinds = parser.add_subparsers(dest="figure", metavar="FIGURE", required=True)
    chosen = {**{name: (name,) for name in FIGURES}, "all": tuple(FIGURES)}
    for word, names in chosen.items():
        about = "every one of these" if word == "all" else FIGURES[word][0].__doc__
        kind = kinds.add_parser(word, help=about, description=about)
        generate_options.add_common(kind)
        for name in names:
            FIGURES[name][1](kind)
        kind.set_defaults(run=run, figures=names)


def run(args: argparse.Namespace) -> int:
    """Load, check, then draw and write one file after the other."""
    from faceuv.cli.console import checked_device, console
    from faceuv.figures import FigureStyle
    from faceuv.files.artefacts import check_writable
    from faceuv.models.base.face_generator import FaceGenerator

    _check_seeds("--seeds", args.seeds)
    style = FigureStyle(
        args.size, args.over or "teacher", args.seam, args.light, parse_amounts(args.expression), args.truncation
    )
    device = checked_device(args.device)
    with console.status(f"loading {args.generator}"):
        request = Request(args, FaceGenerator.load(args.generator, renderer=args.renderer).to(device), style)
    out = check_writable(args.out)
    chosen = list(args.figures)
    if len(chosen) > 1:  # a figure that is asked for by its name says itself what it lacks
        for name, lack in {name: _lack(name, request) for name in chosen}.items():
            if lack is not None:
                console.print(f"left out {name}: {lack}")
                chosen.remove(name)
    jobs = [job for name in chosen for job in FIGURES[name][0](request)]
    for job in jobs:
        with _Progress(job.file) as progress:
            job.write(out / job.file, progress)
        console.print(f"wrote {out / job.file}")
    return 0


def _lack(figure: str, request: Request) -> str | None:
    """What ``faceuv generate all`` lacks for a figure, if anything."""
    if figure == "expressions" and request.generator.face_model is None:
        return f"the faces of a {type(request.generator).__name__} have no expressions"
    if figure == "interpolation" and len(request.args.seeds) < 2:
        return f"it goes from one seed to another, and --seeds has one, {request.args.seeds[0]}"
    if figure in ("rig", "transfer") and "rig" not in request.generator.networks():
        return f"a {type(request.generator).__name__} has no rig"
    if figure == "transfer" and len(request.args.sources) != len(request.args.seeds):
        return "it needs one of --sources for each of --seeds"
    if figure == "edits" and not request.generator.directions and not request.args.direction:
        return "it knows no directions, and --direction names none"
    return None


class _Progress:
    """A progress bar on a terminal."""

    def __init__(self, file: str) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        from faceuv.cli.console import console

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.task = self.bar.add_task(file, total=None)

    def __enter__(self) -> ProgressCallback:
        self.bar.start()
        return lambda done, wanted: self.bar.update(self.task, completed=done, total=wanted)

    def __exit__(self, *error: object) -> None:
        self.bar.stop()


def amounts(words: str) -> dict[str, float]:
    """``"smile=1+jaw_open=0.4"`` → movements by name."""
    return parse_amounts(words.split("+"))


def _check_seeds(option: str, seeds: Sequence[int]) -> None:
    for seed in seeds:
        if not 0 <= seed < 2**63:
            raise InputError(f"{option} are whole numbers from 0 on, got {seed}")


def _check_yaws(request: Request, option: str, yaws: Sequence[float]) -> None:
    from faceuv.models.base.code_space import YAW_LIMIT

    for angle in yaws:
        if not abs(angle) <= YAW_LIMIT:
            raise InputError(f"{option} must lie in -{YAW_LIMIT:g} … {YAW_LIMIT:g} degrees, got {angle:g}")
    if not request.generator.turns and request.style.over == "teacher":
        raise InputError(
            f"{request.args.generator} has no editor that turns codes (F_yaw), so the teacher shows no other yaw:"
            " --over studio draws the faces before a plain wall"
        )
