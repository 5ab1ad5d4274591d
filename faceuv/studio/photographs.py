"""Photographs that pages send: bounded, decoded, made into faces, and kept in memory for the page that sent them."""

from __future__ import annotations

import secrets
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from faceuv.errors import AssetError, InputError
from faceuv.face import Face

if TYPE_CHECKING:
    import torch

    from faceuv.photo import PhotoHeads

MOST_BYTES = 25_000_000
MOST_PIXELS = 40_000_000
KEPT, KEPT_OF_ONE = 32, 4  # faces of photographs in memory, of all pages and of one
FORMATS = ("JPEG", "PNG", "WEBP")
_BEGINNINGS = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG", "WEBP": b"RIFF"}

FaceOfPicture = Callable[[Path], Face]


class Photographs:
    """Faces of photographs by page and name; no page sees those of another.

    Args:
        face_of: a picture file → its face.
    """

    def __init__(self, face_of: FaceOfPicture) -> None:
        self.face_of = face_of
        self._kept: OrderedDict[tuple[str, str], Face] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, page: str, data: bytes) -> str:
        """The name of a new photograph of ``page``. It lies on disk only while it is read, in a folder of its own."""
        kind = check_photograph(data)
        with tempfile.TemporaryDirectory(prefix="faceuv-studio-") as folder:
            path = Path(folder) / f"photograph.{kind.lower()}"
            path.write_bytes(data)
            face = self.face_of(path)
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._kept[page, name] = face
            own = [key for key in self._kept if key[0] == page]
            for key in own[: max(len(own) - KEPT_OF_ONE, 0)]:
                del self._kept[key]
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return name

    def face(self, page: str, name: str) -> Face:
        """The face of a photograph that this page sent."""
        with self._lock:
            found = self._kept.get((page, name))
        if found is None:
            raise InputError(
                "the studio has no such photograph any more (it was restarted, or others came): send it again"
            )
        return found


def check_photograph(data: bytes) -> str:
    """The format of a picture file whose size is allowed; it is not decoded yet."""
    if len(data) > MOST_BYTES:
        raise InputError(f"the photograph has {len(data) / 1e6:.0f} MB; at most {MOST_BYTES / 1e6:.0f} MB are read")
    kind = next((name for name, begin in _BEGINNINGS.items() if data.startswith(begin)), None)
    if kind is None:
        raise InputError(f"expected a photograph as {', '.join(FORMATS)}, and the file begins as none of them")
    with tempfile.SpooledTemporaryFile(MOST_BYTES + 1) as file:
        file.write(data)
        file.seek(0)
        try:
            with Image.open(file, formats=[kind]) as picture:
                width, height = picture.size
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise AssetError(f"the photograph cannot be read: {str(error)[:100]}") from error
    if width * height > MOST_PIXELS:
        raise InputError(
            f"the photograph has {width} × {height} pixels; at most {MOST_PIXELS // 10**6} megapixels are read"
        )
    return kind


class HeadsOfPhotographs:
    """Photograph → textured head of its largest face by :class:`~faceuv.photo.PhotoHeads`, on a device; its networks
    are read at the first photograph."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.device = device
        self._maker: PhotoHeads | None = None

    def __call__(self, path: Path) -> Face:
        from faceuv.data.images import read_picture
        from faceuv.photo import PhotoHeads
        from faceuv.photo.making import ENOUGH_PIXELS

        maker = self._maker = self._maker or PhotoHeads(device=self.device)
        (made,) = maker.of(read_picture(path, enough=ENOUGH_PIXELS), "the photograph", most=1)
        if isinstance(made, str):
            raise InputError(f"no head could be fitted to the photograph: {made}")
        return made.face
