"""Where the first image of a JPEG file ends.

Behind it phones append what they like: the video of a motion photo, a depth map, further images (MPO, gain maps).
Those bytes hold markers by chance or of their own, so only the structure says whether the image itself is whole.
"""

from __future__ import annotations

import re

# FF 00 and FF D0 … D7 are part of the compressed data of a scan; FF FF is padding before a marker.
_MARKER = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_START_OF_IMAGE, _END_OF_IMAGE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
_WITHOUT_LENGTH = (0x01, _START_OF_IMAGE)


def end_of_jpeg(content: bytes) -> int | None:
    """Follow the segments of a JPEG from its start (ITU-T T.81, annex B).

    A segment is passed over by its length, so that a thumbnail inside one does not count.

    Args:
        content: bytes that begin with ``FF D8``.

    Returns:
        The number of bytes up to and with the end mark of the first image, or None where there is none after a
        scan: the file was cut short.
    """
    place, scanned = 2, False
    while found := _MARKER.search(content, place):
        marker, place = found[1][0], found.end()
        if marker == _END_OF_IMAGE:
            return place if scanned else None
        if marker in _WITHOUT_LENGTH:
            continue
        scanned |= marker == _START_OF_SCAN
        place += max(2, int.from_bytes(content[place : place + 2], "big"))
    return None
