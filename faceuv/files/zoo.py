"""Small weights, one folder each: the weights (safetensors) and their model card ``card.md``.

``faceuv.files.zoo.path("teacher_64", "generator.safetensors")`` is a file; ``entries()`` lists what there is.

The entries of faceuv lie in its package. An installed package adds its own by the entry-point group ``faceuv.zoo``,
whose value is a folder of entries, written as a module::

    [project.entry-points."faceuv.zoo"]
    my_faces = "my_faces.zoo"
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from faceuv.errors import AssetError, UnknownName, did_you_mean

FOLDER = Path(__file__).parents[1] / "zoo"
CARD = "card.md"
PREFIX = "zoo:"
GROUP = "faceuv.zoo"


def folders() -> dict[str, Path]:
    """Entry → its folder, sorted; those of faceuv and those of installed packages."""
    found: dict[str, tuple[str, Path]] = {}
    for package, zoo in (("faceuv", FOLDER), *zoos_of_packages()):
        for folder in sorted(card.parent for card in zoo.glob(f"*/{CARD}")):
            if folder.name in found:
                raise AssetError(
                    f"two packages have a zoo entry {folder.name!r}: {found[folder.name][0]} and {package}; rename one"
                    " of them, or uninstall its package"
                )
            found[folder.name] = (package, folder)
    return {entry: found[entry][1] for entry in sorted(found)}


@cache
def zoos_of_packages() -> tuple[tuple[str, Path], ...]:
    """Package and folder of every zoo that an installed package declares. No code of the package runs."""
    declared = sorted(entry_points(group=GROUP), key=lambda point: (package_of(point), point.name))
    return tuple((package_of(point), _folder(point)) for point in declared)


def package_of(point: EntryPoint) -> str:
    """The package that declares an entry point."""
    return point.dist.name if point.dist is not None else "an unknown package"


def _folder(point: EntryPoint) -> Path:
    top, *below = point.value.split(".")
    spec = find_spec(top)
    roots = [] if spec is None else list(spec.submodule_search_locations or ())
    for root in roots:
        folder = Path(root).joinpath(*below)
        if folder.is_dir():
            return folder
    raise AssetError(
        f"the package {package_of(point)} declares the zoo {point.value!r} (entry-point group {GROUP!r}), which is no"
        " folder of it: put the folder into the package, or uninstall it"
    )


def entries() -> dict[str, list[str]]:
    """Entry → the names of its files of weights, both sorted."""
    return {entry: sorted(file.name for file in folder.glob("*.safetensors")) for entry, folder in folders().items()}


def path(entry: str, file: str) -> Path:
    """The path of one file of an entry; the error lists what there is."""
    known = folders()
    if entry not in known:
        raise UnknownName(
            f"the zoo has no entry {entry!r}; it has: {', '.join(known) or 'nothing'}{did_you_mean(entry, known)}"
        )
    found = known[entry] / file
    if ".." in Path(file).parts or Path(file).is_absolute() or not found.is_file():
        raise AssetError(f"the zoo's {entry!r} has no file {file!r}; it has: {', '.join(entries()[entry])}")
    return found


def card(entry: str) -> str:
    """The model card of an entry, Markdown."""
    return path(entry, CARD).read_text(encoding="utf-8")


def title(entry: str) -> str:
    """What an entry is, in one line: the heading of its card."""
    return card(entry).split("\n", 1)[0].lstrip("# ").strip()
