"""Rows of a memory-mapped array, asked for before they are read.

Where an array is larger than memory, every page fault waits for the disk, one after the other, and fetches its
neighbourhood, which a random order never looks at. Asked for together, the rows of a batch come at once and alone.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from typing import Any

import numpy as np


def will_need(array: Any, rows: Iterable[int]) -> None:
    """Have the system fetch rows of an array; returns at once, and does nothing for one that is not a mapped file.

    Args:
        array: (N, …), possibly a slice of a memory-mapped one along N.
        rows: positions.
    """
    mapped = getattr(array, "_mmap", None)
    if not isinstance(mapped, mmap.mmap) or not hasattr(mmap, "MADV_WILLNEED"):
        return
    begin = array.ctypes.data - np.frombuffer(mapped, dtype=np.uint8).ctypes.data
    length = array.strides[0]
    for row in rows:
        start = begin + row * length
        page = start - start % mmap.PAGESIZE
        mapped.madvise(mmap.MADV_WILLNEED, page, start + length - page)
