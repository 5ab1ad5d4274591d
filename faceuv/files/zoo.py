"""Small weights of ours, one folder each: the weights (safetensors) and ``card.md``, which says what they are.

``faceuv.files.zoo.path("teacher_64", "generator.safetensors")`` is a file; ``entries()`` lists what there is.
"""

from __future__ import annotations

from pathlib import Path

from faceuv.errors import AssetError, UnknownName, did_you_mean

FOLDER = Path(__file__).parents[1] / "zoo"
CARD = "card.md"
PREFIX = "zoo:"


def entries() -> dict[str, list[str]]:
    """Entry → the names of its files of weights, both sorted."""
    folders = sorted(card.parent for card in FOLDER.glob(f"*/{CARD}"))
    return {folder.name: sorted(file.name for file in folder.glob("*.safetensors")) for folder in folders}


def path(entry: str, file: str) -> Path:
    """The path of one file of an entry; the error lists what there is."""
    known = entries()
    if entry not in known:
        raise UnknownName(
            f"the zoo has no entry {entry!r}; it has: {', '.join(known) or 'nothing'}{did_you_mean(entry, known)}"
        )
    found = FOLDER / entry / file
    if ".." in Path(file).parts or Path(file).is_absolute() or not found.is_file():
        raise AssetError(f"the zoo's {entry!r} has no file {file!r}; it has: {', '.join(known[entry])}")
    return found


def card(entry: str) -> str:
    """The model card of an entry, Markdown."""
    return path(entry, CARD).read_text(encoding="utf-8")
