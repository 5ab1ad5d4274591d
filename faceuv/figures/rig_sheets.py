"""The figures of StyleRig: transfer beside plain mixing of rows (its figure 5), several controls at once (figure 9)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from faceuv.errors import InputError
from faceuv.export.tables import picture_table
from faceuv.figures.figure_renderer import FigureRenderer, FigureStyle, ProgressCallback
from faceuv.models.base.codes import mix
from faceuv.models.stylerig.generator import StyleRigGenerator

if TYPE_CHECKING:
    from faceuv.models.base.face_generator import FaceGenerator


def rig_of(generator: FaceGenerator) -> StyleRigGenerator:
    """``generator``, if it has a rig."""
    if not isinstance(generator, StyleRigGenerator):
        raise InputError(
            f"this figure needs a generator with a rig (type StyleRig), {generator.name!r} is a"
            f" {type(generator).__name__}: load stylerig_64, or the work dir of a recipe that trains one"
        )
    return generator


def rig_mixing_grid(
    generator: FaceGenerator,
    targets: Sequence[int],
    sources: Sequence[int],
    *,
    style: FigureStyle | None = None,
    progress: ProgressCallback | None = None,
) -> Tensor:
    """StyleRig's figure 5: below each target (columns), for each source: its coarse, middle and fine rows copied over,
    and its pose, expression and light transferred by the rig."""
    rig = rig_of(generator)
    _check(targets, sources)
    controls = rig.controls
    renderer = FigureRenderer(
        rig, style, progress, total=len(targets) + len(sources) * (1 + (3 + len(controls)) * len(targets))
    )
    codes = [renderer.code(seed) for seed in targets]
    rows: list[list[Tensor | None]] = [[None, *(renderer.original(code) for code in codes)]]
    headings = ["targets"]
    layers = rig.num_layers
    edges = [round(k * layers / 3) for k in range(4)]
    for seed in sources:
        source = renderer.code(seed)
        picture = renderer.original(source)
        for name, low, high in zip(("coarse", "middle", "fine"), edges, edges[1:]):
            mixed = [mix(mix(code, source, low), code, high) for code in codes]
            rows.append([picture, *(renderer.original(code) for code in mixed)])
            headings.append(f"seed {seed}\n{name} rows")
        for control in controls:
            moved = [rig.transfer(code, source, control) for code in codes]
            rows.append([picture, *(renderer.original(code) for code in moved)])
            headings.append(f"seed {seed}\n{control}")
    return picture_table(rows, columns=["source", *(f"seed {seed}" for seed in targets)], rows=headings)


def transfer_grid(
    generator: FaceGenerator,
    targets: Sequence[int],
    sources: Sequence[int],
    *,
    style: FigureStyle | None = None,
    progress: ProgressCallback | None = None,
) -> Tensor:
    """StyleRig's figure 9: pairs of a target and a source, one per row: both, each control alone, then all at once."""
    rig = rig_of(generator)
    _check(targets, sources)
    if len(targets) != len(sources):
        raise InputError(f"every target has a source of its own: got {len(targets)} targets and {len(sources)} sources")
    controls = rig.controls
    several = len(controls) > 1
    renderer = FigureRenderer(rig, style, progress, total=len(targets) * (2 + len(controls) + several))
    rows = []
    for target, source in zip(targets, sources):
        code, other = renderer.code(target), renderer.code(source)
        edits = [rig.transfer(code, other, control) for control in controls]
        edits += [rig.transfer(code, other, controls)] if several else []
        rows.append([renderer.original(each) for each in (code, other, *edits)])
    columns = ["target", "source", *controls, *(["all of them"] if several else [])]
    return picture_table(rows, columns=columns, rows=[f"seeds {a}, {b}" for a, b in zip(targets, sources)])


def _check(targets: Sequence[int], sources: Sequence[int]) -> None:
    for name, seeds in (("targets", targets), ("sources", sources)):
        if not len(seeds):
            raise InputError(f"a figure needs at least one of {name}, got none")
    same = set(targets) & set(sources)
    if same:
        raise InputError(f"seed {min(same)} is a target and a source: a transfer needs two different faces")
