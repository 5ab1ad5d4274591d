"""One function per figure: FaceGenerator → a table of pictures ``(3, H, W)`` in [0, 1], or frames of a turntable."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from faceuv.errors import InputError
from faceuv.export.images import contact_sheet
from faceuv.export.tables import angle_heading, picture_table
from faceuv.figures.figure_renderer import FigureRenderer, FigureStyle, ProgressCallback
from faceuv.geometry import named_light
from faceuv.models.directions import Direction

if TYPE_CHECKING:
    from faceuv.models.base.face_generator import FaceGenerator

Amounts = Mapping[str, float]

YAWS = (-60.0, -30.0, -15.0, 0.0, 15.0, 30.0, 60.0)
LIGHTS = ("front", "left", "right", "top", "bottom", "warm", "cool")
EXPRESSIONS: tuple[Amounts, ...] = (
    {"smile": 1.0},
    {"jaw_open": 0.7},
    {"brow_up": 1.0},
    {"blink": 1.0},
    {"frown": 1.0, "brow_down": 1.0},
    {"smile": 1.0, "jaw_open": 0.4},
)
SIGMAS = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
COARSE_ROWS = 4  # of a code: the layers of 4² and 8², which StyleGAN's authors call coarse


def yaw_strip(
    generator: FaceGenerator,
    seeds: Sequence[int],
    *,
    yaws: Sequence[float] = YAWS,
    style: FigureStyle | None = None,
    progress: ProgressCallback | None = None,
) -> Tensor:
    """Each seed in a row: the teacher's picture, then the face turned to ``yaws`` (degrees)."""
    _some(seeds=seeds, yaws=yaws)
    renderer = FigureRenderer(generator, style, progress, total=len(seeds) * (1 + len(yaws)))
    rows = []
    for seed in seeds:
        code = renderer.code(seed)
        rows.append([renderer.original(code), *(renderer.render(code, yaw_deg=yaw) for yaw in yaws)])
    return picture_table(rows, columns=["teacher", *map(angle_heading, yaws)], rows=_names(seeds))


def interpolation_strip(
    generator: FaceGenerator,
    first: int,
    second: int,
    *,
    steps: int = 6,
    style: FigureStyle | None = None,
    progress: ProgressCallback | None = None,
) -> Tensor:
    """From the code of one seed to that of another: the teacher's pictures, the renders, the grey shapes."""
    if steps < 2:
        raise InputError(f"an interpolation needs at least 2 steps, its ends, got {steps}")
    renderer = FigureRenderer(generator, style, progress, total=3 * steps)
    ends = renderer.code(first), renderer.code(second)
    shares = [k / (steps - 1) for k in range(steps)]
    columns = []
    for share in shares:
        code = generator.interpolate(*ends, share)
        columns.append([renderer.original(code), renderer.alone(code), renderer.shape(code)])
    headings = [f"seed {first}", *(f"{share:.2g}" for share in shares[1:-1]), f"seed {second}"]
    return picture_table(list(zip(*columns)), columns=headings, rows=["image", "render", "shape"])


def light_grid(
    generator: FaceGenerator,
    seeds: Sequence[int],
    *,
    lights: Sequence[str] = LIGHTS,
    style: FigureStyle | None = None,
    progress: ProgressCallback | None = None,
) -> Tensor:
    """Each seed in a row: the teacher's picture, the render under its own light, and under each of ``lights``."""
    _some(seeds=seeds, lights=lights)
    for name in lights:
        named_light(name)  # an unknown name is an error before anything is drawn
    renderer = FigureRenderer(generator, style, progress, total=len(seeds) * (2 + len(lights)))
    rows = []
    for seed in seeds:
        code = renderer.code(seed)
        rows.append([renderer.original(code), *(renderer.render(code, light=name) for name in (None, *lights))])
    own = "own light" if renderer.style.light is None else renderer.style.light
    return picture_table(rows, columns=["teacher", own, *lights], rows=_names(seeds))


def expression_grid(
    generator: FaceGenerator,
    seeds: Sequence[int],
    *,
    expressions: Sequence[Amounts] = EXPRESSIONS,
    style: FigureStyle | None = None,
    progress: ProgressCallback | None = None,
) -> Tensor:
    """Each seed in a row: the teacher's picture, the render with its own expression, and with each of ``expressions``
    (movements by name, 1 = full)."""
    _some(seeds=seeds, expressions=expressions)
    for name in {name for amounts in expressions for name in amounts}:
        generator.check_movement(name)
    renderer = FigureRenderer(generator, style, progress, total=len(seeds) * (2 + len(expressions)))
    rows = []
    for seed in seeds:
        code = renderer.code(seed)
        rows.append(
            [renderer.original(code), *(renderer.render(code, expression=amounts) for amounts in ({}, *expressions))]
        )
    own = "own expression\n" + _words(renderer.style.expression)
    return picture_table(rows, columns=["teacher", own.strip(), *map(_words, expressions)], rows=_names(seeds))


def mixing_grid(
    generator: FaceGenerator,
    coarse: Sequence[int],
    fine: Sequence[int],
    *,
    layer: int | None = None,
    style: FigureStyle | None = None,
    progress: ProgressCallback | None = None,
) -> Tensor:
    """Style mixing: rows of a code before ``layer`` from a seed of the left column, the others from one of the top
    row. The sources are shown as the teacher's pictures, the mixtures as renders. ``layer`` is 4 if absent, or the
    middle of codes with few rows."""
    _some(coarse=coarse, fine=fine)
    layer = min(COARSE_ROWS, max(1, generator.num_layers // 2)) if layer is None else layer
    renderer = FigureRenderer(generator, style, progress, total=(1 + len(coarse)) * (1 + len(fine)) - 1)
    across = [renderer.code(seed) for seed in fine]
    rows: list[list[Tensor | None]] = [[None, *map(renderer.original, across)]]
    for seed in coarse:
        down = renderer.code(seed)
        mixed = [generator.mix(down, code, layer) for code in across]
        rows.append([renderer.original(down), *map(renderer.render, mixed)])
    return picture_table(
        rows,
        columns=["", *(f"fine: seed {seed}" for seed in fine)],
        rows=["", *(f"coarse:\nseed {seed}" for seed in coarse)],
    )


def edit_strip(
    generator: FaceGenerator,
    seeds: Sequence[int],
    direction: Direction,
    *,
    sigmas: Sequence[float] = SIGMAS,
    style: FigureStyle | None = None,
    progress: ProgressCallback | None = None,
) -> Tensor:
    """Each seed in two rows, the teacher's pictures and the renders: codes moved along ``direction`` by ``sigmas``
    (its standard deviations). Coefficients and maps are those of the moved code."""
    _some(seeds=seeds, sigmas=sigmas)
    renderer = FigureRenderer(generator, style, progress, total=2 * len(seeds) * len(sigmas))
    rows, headings = [], []
    for seed in seeds:
        base = renderer.code(seed)
        moved = [generator.edit(base, direction, sigma) for sigma in sigmas]
        rows += [[renderer.original(code) for code in moved], [renderer.render(code) for code in moved]]
        headings += [f"seed {seed}\nteacher", f"seed {seed}\nours"]
    columns = [f"{direction.name} {sigma:+g} sd" if sigma else "unmoved" for sigma in sigmas]
    return picture_table(rows, columns=columns, rows=headings)


def turntable(
    generator: FaceGenerator,
    seeds: Sequence[int],
    *,
    frames: int = 48,
    swing_deg: float = 60.0,
    style: FigureStyle | None = None,
    progress: ProgressCallback | None = None,
) -> Iterator[Tensor]:
    """Frames ``(3, S, N·S)`` of the faces of N seeds side by side, which swing from the front to ±``swing_deg``
    and back: a seamless loop."""
    _some(seeds=seeds)
    if frames < 1:
        raise InputError(f"a turntable needs at least one frame, got {frames}")
    renderer = FigureRenderer(generator, style, progress, total=len(seeds) * frames)
    codes = [renderer.code(seed) for seed in seeds]
    for k in range(frames):
        yaw = swing_deg * math.sin(2 * math.pi * k / frames)
        yield contact_sheet([renderer.render(code, yaw_deg=yaw) for code in codes], columns=len(seeds), margin=0)


def _words(amounts: Amounts) -> str:
    """One line per movement."""
    return "\n".join(f"{name} {amount:g}" for name, amount in amounts.items())


def _names(seeds: Sequence[int]) -> list[str]:
    return [f"seed {seed}" for seed in seeds]


def _some(**given: Sequence[object]) -> None:
    for name, values in given.items():
        if len(values) == 0:
            raise InputError(f"a figure needs at least one of {name}, got none")
