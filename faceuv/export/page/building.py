"""The HTML page: viewer, lights and faces in one file that needs no network."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from faceuv.errors import InputError
from faceuv.export.glb import glb_bytes
from faceuv.export.mesh_file import METRES_PER_DECIMETRE, MeshFile
from faceuv.files.artefacts import atomic_path
from faceuv.geometry.lighting import light_names, named_light

SCRIPTS = (
    "math",
    "glb",
    "head",
    "light",
    "shaders",
    "target",
    "strands",
    "painter",
    "pace",
    "expressions",
    "panel",
    "pointer",
    "app",
    "main",
)
# Nothing is fetched and nothing is sent: the browser refuses even if somebody adds a line that tries.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
LIGHT_VALUES = 27
MOST_BYTES = 400_000_000


@dataclass(frozen=True, eq=False)
class PageFace:
    """A face of a page.

    name      shown on the page
    glb       a binary glTF file
    light     27 SH coefficients, 9 of each colour, that the face brings; None: the studio light
    view      angles ``yaw``, ``pitch``, ``roll`` in degrees that it is first seen at, and ``light``, a name
    frame     ``middle (3,)`` metres, ``distance`` and ``reach`` decimetres and ``focal``: what the picture shows, see
              :func:`frame_of`; None: the whole mesh
    picture   a small picture for the list of faces, as a data address
    """

    name: str
    glb: bytes
    light: Sequence[float] | None = None
    view: Mapping[str, Any] = field(default_factory=dict)
    frame: Mapping[str, Any] | None = None
    picture: str | None = None

    def __post_init__(self) -> None:
        if self.glb[:4] != b"glTF":
            raise InputError(
                f"{self.name}: a face of a page is a binary glTF file, and these bytes do not begin as one"
            )
        if self.light is not None and len(self.light) != LIGHT_VALUES:
            raise InputError(f"{self.name}: a light has {LIGHT_VALUES} SH coefficients, got {len(self.light)}")

    @classmethod
    def of_mesh(cls, mesh: MeshFile, **settings: Any) -> PageFace:
        """Of a mesh file: quantised, its diffuse texture as JPEG."""
        return cls(mesh.name, glb_bytes(mesh, texture_kind="jpeg", quantised=True), **settings)

    def entry(self) -> dict[str, Any]:
        """What the viewer reads beside the GLB, as JSON values."""
        given = {"light": self.light and list(self.light), "frame": self.frame, "picture": self.picture}
        return {"name": self.name, "view": dict(self.view)} | {key: value for key, value in given.items() if value}


def frame_of(middle: Sequence[float], distance: float, reach: float, focal: float) -> dict[str, Any]:
    """What a picture shows: ``middle (3,)`` decimetres, in whose midst the camera's axis runs at ``distance``
    decimetres; everything lies within ``reach`` of it. ``focal`` is in units of the shorter side."""
    metres = [float(value) * METRES_PER_DECIMETRE for value in middle]
    return {"middle": metres, "distance": float(distance), "reach": float(reach), "focal": float(focal)}


def page_html(faces: Sequence[PageFace], *, title: str = "faceuv", bare: bool = False) -> str:
    """The page. ``bare`` begins with its controls folded away, for small frames in other pages."""
    data = {
        "title": title,
        "bare": bare,
        "lights": lights(),
        "faces": [{"id": f"face-{k}", **face.entry()} for k, face in enumerate(faces)],
    }
    blocks = [f'<script type="application/octet-stream" id="face-{k}">{packed(face.glb)}</script>'
              for k, face in enumerate(faces)]  # fmt: skip
    return document(title, POLICY, data, SCRIPTS, blocks)


def document(title: str, policy: str, data: Mapping[str, Any], scripts: Sequence[str], blocks: Sequence[str]) -> str:
    """An HTML document with the viewer: its stage, its data as JSON, blocks, and scripts by name, which run last."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    code = packed("\n".join(source(f"{name}.js") for name in scripts).encode())
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title><style>{source("page.css")}</style></head>
<body><div id="stage" data-drop="drop a .glb file"><canvas tabindex="0" aria-label="the face in 3D"></canvas>
<div id="hint">drag turns · Shift + drag moves the light · wheel zooms</div>
<button id="toggle" type="button" aria-label="controls" aria-expanded="true">☰</button>
<div id="say" role="alert"></div></div><aside id="panel" aria-label="controls"></aside>
<noscript>This page shows a face in 3D and needs JavaScript.</noscript>
<script type="application/json" id="data">{text}</script>
{"".join(blocks)}
<script type="application/octet-stream" id="code">{code}</script>
<script>{source("unpack.js")}</script></body></html>
"""


def checked_page(path: str | Path) -> Path:
    """The path of a page, if its name says so."""
    if Path(path).suffix.lower() not in (".html", ".htm"):
        raise InputError(f"a page is written to a .html file, got {Path(path).name!r}")
    return Path(path)


def save_page(path: str | Path, faces: Sequence[PageFace], *, title: str = "faceuv") -> Path:
    """Write the page of some faces, atomically."""
    path = checked_page(path)
    if not faces:
        raise InputError("a page needs at least one face")
    text = page_html(faces, title=title)
    if len(text) > MOST_BYTES:
        raise InputError(
            f"a page of {len(faces)} faces would have {len(text) / 1e6:.0f} MB, and browsers open"
            f" {MOST_BYTES / 1e6:.0f} MB: give fewer faces or a smaller texture size"
        )
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def embedded(page: str, *, height: int = 480) -> str:
    """The page as a frame inside another page, such as a notebook's; it can reach neither that page nor a network."""
    return (
        f'<iframe sandbox="allow-scripts allow-downloads" style="width:100%;height:{height}px;border:0"'
        f' title="face in 3D" srcdoc="{html.escape(page)}"></iframe>'
    )


def lights() -> dict[str, list[float]]:
    """The named lights, 27 SH coefficients each."""
    return {name: [round(value, 5) for value in named_light(name).flatten().tolist()] for name in light_names()}


def packed(data: bytes) -> str:
    """A GLB or the viewer's code for a page: compressed, as text; the same for the same bytes."""
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii")


def viewer_size() -> int:
    """Bytes of a page without faces."""
    return len(page_html([]).encode())


@cache
def source(name: str) -> str:
    """A file of the viewer, shortened."""
    text = files(__package__).joinpath("viewer", name).read_text(encoding="utf-8")
    return shortened(text)


def shortened(text: str) -> str:
    """A script or a style sheet without its comments, indentation and the spaces around signs."""
    lines = (re.sub(r"\s{2,}// .*$", "", line.strip()) for line in text.splitlines())
    code = "\n".join(line for line in lines if line and not line.startswith("//"))
    code = _TOKENS.sub(lambda found: found[1] or (found[2] or "").strip(" "), code)
    return re.sub(r"(?<=[;{,])\n(?!#)", "", code)  # a shader's #ifdef begins a line


# A text in quotes, which stays, or a sign with the spaces around it ("a + +b" would need its space).
_TOKENS = re.compile(r"""("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|( *[=+\-*/<>?:,;&|!(){}\[\]] *)""")
