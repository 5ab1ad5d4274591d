#!/usr/bin/env python
"""Print the import graph of faceuv by floor: who imports whom, circles, sizes. tests/test_floors.py holds the floors.

Every import counts, those inside functions and under TYPE_CHECKING as well.

    python tools/imports.py            # floors, imports that break them, circles between rooms, the biggest rooms
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "faceuv"

# From the ground up. A module belongs to the longest name that it begins with; it may import modules of its own room
# and of lower floors. Rooms on one floor do not import each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("faceuv.errors", "faceuv.home", "faceuv.lazy", "faceuv.version"),
    ("faceuv.checks", "faceuv.opencv", "faceuv.plugins"),
    ("faceuv.registry",),
    ("faceuv.structures",),
    ("faceuv.files", "faceuv.geometry"),
    ("faceuv.renderers", "faceuv.models.base"),
    ("faceuv.models.faces", "faceuv.models.stylegan2"),
    ("faceuv.models.directions", "faceuv.losses"),
    ("faceuv.export", "faceuv.models.base.code_space", "faceuv.models.base.parts"),
    ("faceuv.face",),
    ("faceuv.animation",),
    ("faceuv.models.base.face_generator", "faceuv.models.base.subject"),
    ("faceuv.synthetic",),
    ("faceuv.data",),
    ("faceuv.models.readers", "faceuv.models.stylegan2.training"),
    ("faceuv.fitting",),
    ("faceuv.photo", "faceuv.models.stylefaceuv", "faceuv.models.liftedgan"),
    ("faceuv.models.stylerig", "faceuv.models.inversion"),
    ("faceuv.figures",),
    ("faceuv.evaluation",),
    ("faceuv.engine",),
    ("faceuv.studio",),
    ("faceuv.cli",),
    ("faceuv.__main__",),
)
EVERYWHERE = ("faceuv", "faceuv.configs")
"""The package itself names its parts lazily, and recipes name them by their registered names."""


def modules() -> dict[str, Path]:
    """Module name → file."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path, known: Mapping[str, Path]) -> Iterator[tuple[str, int]]:
    """The modules of faceuv that a file imports, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names if alias.name.split(".")[0] == "faceuv")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "faceuv":
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield (full if full in known else node.module), node.lineno


def room(module: str) -> str | None:
    """The room of a module: the longest entry of :data:`FLOORS` that it begins with; None for :data:`EVERYWHERE`."""
    names = [name for floor in FLOORS for name in floor if module == name or module.startswith(f"{name}.")]
    if names:
        return max(names, key=len)
    if module in EVERYWHERE or module.startswith(tuple(f"{name}." for name in EVERYWHERE[1:])):
        return None
    return "?"


def graph() -> list[tuple[str, str, int]]:
    """(module, imported module, line) for every import inside the package."""
    known = modules()
    return [(name, target, line) for name, path in known.items() for target, line in imports(path, known)]


def breaches() -> list[str]:
    """Imports that go up, go sideways to another room of the floor, or concern a module without a floor."""
    height = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    found = []
    for module, target, line in graph():
        own, other = room(module), room(target)
        if "?" in (own, other):
            found.append(f"{module if own == '?' else target} stands on no floor; add it to FLOORS in tools/imports.py")
        elif own is not None and own != other and (other is None and target not in EVERYWHERE):
            found.append(f"{module}:{line} imports the recipe {target}")
        elif own is not None and other is not None and own != other and height[other] >= height[own]:
            found.append(f"{module}:{line} imports {target}: {own} may not import {other}")
    return sorted(set(found))


def circles() -> list[set[str]]:
    """Rooms that import each other, directly or through others."""
    edges: dict[str, set[str]] = {}
    for module, target, _ in graph():
        own, other = room(module), room(target)
        if own and other and own != other:
            edges.setdefault(own, set()).add(other)
    reach = {name: set(targets) for name, targets in edges.items()}
    for middle in list(reach):
        for name in reach:
            if middle in reach[name]:
                reach[name] |= reach.get(middle, set())
    rings = {frozenset(other for other in reach if other in reach[name] and name in reach[other]) for name in reach}
    return [set(ring) for ring in rings if len(ring) > 1]


def main() -> None:
    """Print the floors with their sizes, what breaks them, and circles."""
    sizes: dict[str, list[int]] = {}
    for module, path in modules().items():
        sizes.setdefault(room(module) or "faceuv", []).append(len(path.read_text(encoding="utf-8").splitlines()))
    for number, floor in reversed(list(enumerate(FLOORS))):
        row = [f"{name} ({len(sizes.get(name, []))} files, {sum(sizes.get(name, []))} lines)" for name in floor]
        print(f"{number:2}  {'   '.join(row)}")
    print(f"circles between rooms: {[sorted(ring) for ring in circles()] or 'none'}")
    broken = breaches()
    print("\n".join(broken) if broken else "every import goes down")


if __name__ == "__main__":
    main()
