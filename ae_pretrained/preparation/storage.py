"""Arrays on disk that are written piece by piece.

Not through a memory map: on a full disk the kernel ends a process that writes to one, while a write to a file is an
error that can be reported. The space is taken when the file is made, so that a disk too small is known at once.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from ae_pretrained.sources.base import DataError

_BLOCK = 64  # rows moved at a time


def create_array(path: Path, shape: tuple[int, ...]) -> None:
    """Make an ``.npy`` file of uint8 zeros.

    Raises:
        OSError: when the folder cannot be written or the disk has no room for the whole array.
    """
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, _header(shape))
        start, length = file.tell(), int(np.prod(shape, dtype=np.int64))
        file.truncate(start + length)
        if length and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), start, length)


def _header(shape: tuple[int, ...]) -> dict[str, object]:
    return {"descr": npy.dtype_to_descr(np.dtype(np.uint8)), "fortran_order": False, "shape": shape}


def write_rows(path: Path, start: int, rows: np.ndarray) -> None:
    """Write rows (n, …) uint8 into an array on disk, from row ``start`` on; processes may write disjoint rows."""
    with path.open("r+b") as file:
        npy.read_magic(file)
        shape, _, _ = npy.read_array_header_1_0(file)
        if rows.shape[1:] != shape[1:] or rows.dtype != np.uint8 or start + len(rows) > shape[0]:
            raise ValueError(f"{path}: rows {rows.shape} {rows.dtype} at {start} do not fit {shape} uint8")
        file.seek(start * int(np.prod(shape[1:])), os.SEEK_CUR)
        file.write(np.ascontiguousarray(rows).data)


def keep_rows(path: Path, rows: Sequence[int]) -> None:
    """Leave only some rows, in rising order, of an array on disk. The file is changed in place.

    Afterwards it holds the bytes that an array made for these rows alone would hold.
    """
    array = np.load(path, mmap_mode="r")
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        # No row is written over before it was read: a row only ever moves towards the front.
        if block[-1] != start + len(block) - 1:
            write_rows(path, start, array[block])
    shape = (len(rows), *array.shape[1:])
    offset = array.offset
    del array
    with path.open("r+b") as file:
        npy.write_array_header_1_0(file, _header(shape))
        if file.tell() != offset:
            raise ValueError(f"{path}: the header of {shape} takes {file.tell()} bytes, the old one {offset}")
        file.truncate(offset + int(np.prod(shape, dtype=np.int64)))


def replace_folder(temporary: Path, target: Path) -> None:
    """Move a finished folder into place; what was there before is removed once the new one stands."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.replace(old)
    temporary.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def require_space(folder: Path, needed: int) -> None:
    """Raise DataError when the disk of a folder has less room than ``needed`` bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{folder}: the arrays need {_size(needed)} while they are made, and {_size(free)} are free; make "
            "room, or use a smaller data.image_size"
        )


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
