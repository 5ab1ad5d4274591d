"""PNG files of large textures, several times as fast as Pillow's and as small where the picture has grain.

Each row is stored as its difference to the row above, and runs and frequencies alone are coded: the search for repeated
pieces, which takes nearly all the time, finds nothing in skin.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

_UP = 2  # the filter "difference to the row above"
_COLOUR_TYPES = {3: 2, 4: 6}


def fast_png(levels: np.ndarray) -> bytes:
    """A PNG file of ``levels (H, W, 3 or 4)`` uint8; the same bytes for the same picture."""
    height, width, channels = levels.shape
    rows = np.ascontiguousarray(levels).reshape(height, width * channels)
    filtered = np.empty((height, 1 + width * channels), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
    data = packer.compress(filtered.tobytes()) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
