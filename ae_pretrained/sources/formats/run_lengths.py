"""Run-length codes of annotation tools: COCO, CVAT, Label Studio."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def coco_counts(text: str) -> list[int]:
    """The run lengths in COCO's compressed string (five bits a character, from the third on as differences).

    Raises:
        ValueError: for a string that breaks off or holds other characters.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text.encode():
        code = letter - 48
        if not 0 <= code < 64:
            raise ValueError(f"the run-length string holds {chr(letter)!r}")
        value |= (code & 0x1F) << shift
        shift += 5
        if code & 0x20:
            continue
        if code & 0x10:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("the run-length string breaks off")
    return counts


def expand_runs(counts: Sequence[int], size: int) -> np.ndarray:
    """Runs of zeros and ones, in turns and beginning with zeros, as (size,) bool.

    Raises:
        ValueError: when they do not add up to ``size``.
    """
    runs = np.asarray(counts, dtype=np.int64)
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != size:
        raise ValueError(f"the runs add up to {int(runs.sum())} pixels, expected {size}")
    return np.repeat(np.arange(len(runs)) % 2 == 1, runs)


def coco_mask(counts: Sequence[int] | str, height: int, width: int) -> np.ndarray:
    """A COCO run-length code, compressed or not, as (height, width) bool: it runs down the columns."""
    if isinstance(counts, str):
        counts = coco_counts(counts)
    return expand_runs(counts, height * width).reshape(width, height).T


def brush_mask(code: Sequence[int], height: int, width: int) -> np.ndarray:
    """The strokes in Label Studio's code of an RGBA image, as (height, width) bool: where alpha is not 0.

    The bytes are a stream of bits: the number of values (32 bits), the bits of a value less one (5), four sizes of a
    run's length less one (4 each), and then runs. A run is a bit that says whether one value is repeated, two bits
    that choose the size of the length, the length less one, and the value or the values.

    Raises:
        ValueError: for a stream that breaks off or is not of this size.
    """
    stream = _Bits(code)
    total, word = stream.read(32), stream.read(5) + 1
    if total != 4 * height * width:
        raise ValueError(f"the brush code holds {total} values, expected {height} x {width} x 4")
    sizes = [stream.read(4) + 1 for _ in range(4)]
    values = np.zeros(total, dtype=np.uint32)
    position = 0
    while position < total:
        repeated = stream.read(1)
        end = position + 1 + stream.read(sizes[stream.read(2)])
        if end > total:
            raise ValueError(f"the brush code runs over its {total} values")
        if repeated:
            values[position:end] = stream.read(word)
        else:
            values[position:end] = stream.read_many(end - position, word)
        position = end
    return values.reshape(height, width, 4)[..., 3] != 0


class _Bits:
    """A stream of bits, the highest of each byte first."""

    def __init__(self, code: Sequence[int]) -> None:
        self._bytes, self._position = bytes(code), 0

    def read(self, count: int) -> int:
        """The next bits as a number."""
        start, self._position = self._position, self._position + count
        if self._position > 8 * len(self._bytes):
            raise ValueError("the brush code breaks off")
        last = (self._position + 7) // 8
        number = int.from_bytes(self._bytes[start // 8 : last], "big") >> (8 * last - self._position)
        return number & ((1 << count) - 1)

    def read_many(self, count: int, bits: int) -> np.ndarray:
        """The next ``count`` numbers of ``bits`` bits each."""
        start, self._position = self._position, self._position + count * bits
        if self._position > 8 * len(self._bytes):
            raise ValueError("the brush code breaks off")
        part = np.frombuffer(self._bytes, dtype=np.uint8)[start // 8 : (self._position + 7) // 8]
        ones = np.unpackbits(part)[start % 8 :][: count * bits].reshape(count, bits)
        return np.asarray(ones @ (1 << np.arange(bits - 1, -1, -1, dtype=np.uint32)))
