"""What the studio answers to a page: faces, galleries, pictures of methods, files. Knows nothing of HTTP."""

from __future__ import annotations

import base64
import contextlib
import json
import struct
import tempfile
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from faceuv.errors import FaceUVError, InputError
from faceuv.export import Animation
from faceuv.export.images import encode
from faceuv.export.video import save_video
from faceuv.face import Face
from faceuv.models.faces.arkit import NAMES
from faceuv.studio.photographs import FaceOfPicture, HeadsOfPhotographs, Photographs
from faceuv.studio.sources import Source, traits_of, with_hair
from faceuv.studio.wishes import Look, Wish, number

TEXTURE_SIZE = 1024
GALLERY, GALLERY_SIDE = 12, 96
TURNTABLE = {"frames": 24, "size": 256}
TURNTABLE_FPS = 12
MOST_FRAMES = 1800  # of a recorded animation: a minute at 30 a second
CACHED = 12
EXPORTS = {
    "glb": "model/gltf-binary", "obj": "application/zip", "png": "image/png", "gif": "image/gif", "html": "text/html",
    "safetensors": "application/octet-stream",
}  # fmt: skip


class Studio:
    """Answers the wishes of pages. What belongs to one page is its photographs; everything else is in the wish.

    Args:
        source: makes the faces.
        face_of: photograph → face; by default a textured head, see :mod:`faceuv.photo`.
        first: the wish that pages begin with.
    """

    def __init__(self, source: Source, *, face_of: FaceOfPicture | None = None, first: Wish | None = None) -> None:
        self.source = source
        self.photographs = Photographs(face_of or HeadsOfPhotographs())
        self.first = first or Wish("seed")
        self._one = threading.Lock()  # two cores: one face at a time is soonest for everybody
        self._closed = False
        self._faces: OrderedDict[Wish, Face] = OrderedDict()
        self._bytes: tuple[Wish, bytes] | None = None  # of the last person: pages begin with the same one

    def about(self) -> dict[str, Any]:
        """What a page needs to build its controls."""
        first = {"seed": self.first.seed, "truncation": self.first.truncation}
        return self.source.about() | {"exports": list(EXPORTS), "gallery": GALLERY, "first": first}

    def face(self, page: str, wish: Wish) -> Face:
        """The face of a wish; a photograph must be of this page."""
        photos = wish.photos()
        if wish.form == "photo":
            face = self.photographs.face(page, wish.photo)
            return with_hair(face, wish) if wish.hair else face
        with self._computing():
            if not photos and wish in self._faces:
                self._faces.move_to_end(wish)
                return self._faces[wish]
            with torch.no_grad():
                face = self._between_photos(page, wish) if photos else self.source.face(wish)
            if not photos:
                self._faces[wish] = face
                while len(self._faces) > CACHED:
                    self._faces.popitem(last=False)
            return face

    def _between_photos(self, page: str, wish: Wish) -> Face:
        if wish.form != "between" or wish.pair is None:
            raise InputError("a photograph's face has no code: it goes between two faces, not into mixing")
        first, second = (
            self.photographs.face(page, one.photo) if one.form == "photo" else self.source.face(one)
            for one in wish.pair
        )
        if second.face_model is not None and first.face_model is not second.face_model:
            first = first.to_model(second.face_model)
        return first.interpolate(second, wish.t)

    def shown(self, page: str, wish: Wish) -> bytes:
        """The face for the viewer: four bytes of length, its entry as JSON, its GLB."""
        face = self.face(page, wish)
        with self._computing():
            if self._bytes is not None and self._bytes[0] == wish:
                return self._bytes[1]
            made = face.on_page(_name(wish), texture_size=TEXTURE_SIZE)
            text = json.dumps(made.entry() | {"traits": traits_of(face)}).encode()
            answer = struct.pack("<I", len(text)) + text + made.glb
            if not wish.photos():
                self._bytes = wish, answer
        return answer

    @contextlib.contextmanager
    def _computing(self) -> Iterator[None]:
        """Alone, as long as the studio is open."""
        with self._one:
            self._check_open()
            yield

    def _check_open(self) -> None:
        if self._closed:
            raise InputError("the studio was stopped: start it again; this page goes on when it is back")

    def close(self) -> None:
        """End what is computed, at its next step, so that nothing stays in temporary folders."""
        self._closed = True
        with self._one:
            pass

    def prepare(self) -> None:
        """Make the first person before anybody asks; what is wrong with it is said to the page that asks."""
        with contextlib.suppress(FaceUVError):
            self.shown("", self.first)

    def gallery(self, page: str, wish: Wish) -> list[dict[str, Any]]:
        """Small pictures of the next people: seed and picture as a data address."""
        found = []
        for k in range(GALLERY):
            one = replace(wish, form="seed", seed=wish.seed + k, pair=None, photo="")
            face = self.face(page, one)
            with self._computing():
                picture = face.render(GALLERY_SIDE, centred=True)
            found.append({"seed": one.seed, "picture": _data_address(picture)})
        return found

    def methods(self, page: str, wish: Wish, yaw_deg: float) -> list[dict[str, str]]:
        """Pictures of the same code by each method in the same view."""
        if wish.photos():
            raise InputError("a photograph's face has no code for other methods to read")
        with self._computing():
            pictures = self.source.pictures(wish, yaw_deg)
        return [{"name": name, "picture": _data_address(picture)} for name, picture in pictures.items()]

    def export(self, page: str, wish: Wish, look: Look, kind: str, animation: Any = None) -> bytes:
        """A file of the face as it is shown, written in a temporary folder of its own."""
        if kind not in EXPORTS:
            raise InputError(f"the studio writes {', '.join(EXPORTS)}, got {kind!r}")
        face = looking(self.face(page, wish), look)
        with self._computing(), tempfile.TemporaryDirectory(prefix="faceuv-studio-") as folder:
            path = Path(folder) / f"face.{kind}"
            if kind == "png":
                path.write_bytes(encode(face.render(1024, centred=True)))
            elif kind == "gif":
                save_video(path, self._frames(face), fps=TURNTABLE_FPS)
            elif kind == "obj":
                return _zipped(face, Path(folder))
            elif animation is not None and kind == "glb":
                face.save(path, animation=read_animation(face, animation))
            else:
                face.save(path)
            return path.read_bytes()

    def _frames(self, face: Face) -> Iterator[Tensor]:
        for frame in face.turntable(centred=True, **TURNTABLE):
            self._check_open()
            yield frame

    def photograph(self, page: str, data: bytes) -> str:
        """The name of a photograph that a page sends."""
        with self._computing():
            return self.photographs.add(page, data)


def looking(face: Face, look: Look) -> Face:
    """A face in the expression, pose and light of a look."""
    if look.weights and face.coefficients is not None:
        known = {name: amount for name, amount in look.weights.items() if name in NAMES}
        others = {name: amount for name, amount in look.weights.items() if name not in NAMES}
        face = face.with_expression(torch.zeros_like(face.coefficients.expression))
        face = face.with_arkit(known) if known else face
        face = face.with_expression(**others) if others else face
    face = face.with_pose(look.yaw, look.pitch, look.roll)
    return face if look.light is None else face.with_lighting(torch.tensor(look.light).view(1, 3, 9))


def read_animation(face: Face, given: Any) -> Animation:
    """A recorded animation: ``times`` in seconds and ``weights``, one object of amounts per time."""
    if not isinstance(given, Mapping) or not isinstance(given.get("times"), list):
        raise InputError("an animation has times and weights")
    times, rows = given["times"], given.get("weights")
    if not isinstance(rows, list) or len(rows) != len(times) or not 0 < len(times) <= MOST_FRAMES:
        raise InputError(f"an animation has as many weights as times, 1 … {MOST_FRAMES:,} of them")
    looks = [Look.read({"weights": row}).weights for row in rows]
    known = face.mesh_file(texture_size=1).morph_targets
    targets = tuple(sorted({name for row in looks for name in row if name in known}))
    if not targets:
        raise InputError("nothing moved while the animation was recorded")
    seconds = np.array([number("a time", time, 0, 3600) for time in times])
    return Animation(
        seconds, np.array([[row.get(name, 0.0) for name in targets] for row in looks]), targets, name="studio"
    )


def _name(wish: Wish) -> str:
    return f"seed_{wish.seed}" if wish.form == "seed" else wish.form


def _zipped(face: Face, folder: Path) -> bytes:
    inside = folder / "obj"
    face.save(inside / "face.obj")
    archive = folder / "face.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(inside.iterdir()):
            file.write(path, path.name)
    return archive.read_bytes()


def _data_address(picture: Tensor) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(encode(picture.clamp(0, 1), kind='JPEG')).decode('ascii')}"
