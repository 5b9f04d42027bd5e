"""PNG written strip by strip (PNG specification, third edition, W3C 2025): the libraries want the image whole."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import BinaryIO

import numpy as np

_SUB = 1  # filter: the difference from the pixel to the left
_LEVEL = 1  # of photographs, higher levels save little and take several times as long


def write_png(file: BinaryIO, height: int, width: int, strips: Iterable[np.ndarray]) -> None:
    """Write an 8-bit RGB PNG.

    Args:
        file: open for writing.
        height, width: of the image, px.
        strips: (rows, width, 3) uint8 RGB from top to bottom, ``height`` rows together.
    """
    file.write(b"\x89PNG\r\n\x1a\n")
    _write_chunk(file, b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    compressor = zlib.compressobj(_LEVEL)
    for strip in strips:
        filtered = np.empty((len(strip), 1 + 3 * width), dtype=np.uint8)
        filtered[:, 0] = _SUB
        row = strip.reshape(len(strip), -1)
        filtered[:, 1:4] = row[:, :3]
        np.subtract(row[:, 3:], row[:, :-3], out=filtered[:, 4:])  # modulo 256, as the filter is defined
        _write_chunk(file, b"IDAT", compressor.compress(filtered.data))
    _write_chunk(file, b"IDAT", compressor.flush())
    _write_chunk(file, b"IEND", b"")


def _write_chunk(file: BinaryIO, kind: bytes, content: bytes) -> None:
    file.write(struct.pack(">I", len(content)) + kind)
    file.write(content)
    file.write(struct.pack(">I", zlib.crc32(content, zlib.crc32(kind))))
