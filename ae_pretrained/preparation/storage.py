"""Arrays on disk that are written piece by piece, and the folder they end up in.

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

_PIECE = 2**24  # bytes moved at a time
THUMBNAILS = "thumbnails.npy"  # beside images and masks until near-duplicates were looked for


def create_array(path: Path, shape: tuple[int, ...], dtype: type[np.generic] = np.uint8) -> None:
    """Make an ``.npy`` file of zeros.

    Raises:
        OSError: when the folder cannot be written or the disk has no room for the whole array.
    """
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, _header(shape, np.dtype(dtype)))
        start, length = file.tell(), int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        file.truncate(start + length)
        if length and hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), start, length)


def _header(shape: tuple[int, ...], dtype: np.dtype) -> dict[str, object]:
    return {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}


def write_rows(path: Path, start: int, rows: np.ndarray) -> None:
    """Write rows (n, …) into an array on disk, from row ``start`` on; processes may write disjoint rows."""
    with path.open("r+b") as file:
        npy.read_magic(file)
        shape, _, dtype = npy.read_array_header_1_0(file)
        if rows.shape[1:] != shape[1:] or rows.dtype != dtype or start + len(rows) > shape[0]:
            raise ValueError(f"{path}: rows {rows.shape} {rows.dtype} at {start} do not fit {shape} {dtype}")
        file.seek(start * int(np.prod(shape[1:])) * dtype.itemsize, os.SEEK_CUR)
        file.write(np.ascontiguousarray(rows).data)


def reorder_rows(path: Path, order: Sequence[int]) -> None:
    """Make row i of an array on disk what row ``order[i]`` was; a row that ``order`` does not name is dropped.

    The file is changed in place, with one row in memory: no second copy is made, and each row that moves is written
    once. Afterwards it holds the bytes that an array made for these rows alone would hold.
    """
    with path.open("r+b") as file:
        npy.read_magic(file)
        (count, *inner), _, dtype = npy.read_array_header_1_0(file)
        start, length = file.tell(), int(np.prod(inner)) * dtype.itemsize

        def read(row: int) -> bytes:
            file.seek(start + row * length)
            return file.read(length)

        def write(row: int, content: bytes) -> None:
            file.seek(start + row * length)
            file.write(content)

        # What is dropped moves to the end, where it is cut off: every row has one place to go to.
        dropped = np.ones(count, dtype=bool)
        dropped[list(order)] = False
        source = [*order, *np.flatnonzero(dropped).tolist()]
        if len(source) != count:
            raise ValueError(
                f"{path}: a row is named twice, {len(order)} names for {count - dropped.sum()} rows"
            )
        moved = bytearray(count)
        for first in range(count):
            if moved[first] or source[first] == first:
                continue
            # Rows that follow each other into one another's places come round to the first one in the end.
            saved, place = read(first), first
            while source[place] != first:
                write(place, read(source[place]))
                moved[place] = True
                place = source[place]
            write(place, saved)
            moved[place] = True
        file.seek(0)
        npy.write_array_header_1_0(file, _header((len(order), *inner), dtype))
        if file.tell() != start:
            raise ValueError(f"{path}: a header for {len(order)} rows takes {file.tell()} bytes, not {start}")
        file.truncate(start + len(order) * length)


def squeeze_stretches(path: Path, stretches: Sequence[tuple[int, int]]) -> None:
    """Keep some stretches of an array on disk alone, one directly behind the other; what lay between them is gone.

    The file is changed in place, a piece at a time.

    Args:
        path: an ``.npy`` file.
        stretches: first row and number of rows of each, ascending and disjoint.
    """
    with path.open("r+b") as file:
        npy.read_magic(file)
        (_, *inner), _, dtype = npy.read_array_header_1_0(file)
        begin, length = file.tell(), int(np.prod(inner, dtype=np.int64)) * dtype.itemsize
        target = 0
        for start, count in stretches:
            if start != target:
                for piece in range(0, count * length, _PIECE):
                    file.seek(begin + start * length + piece)
                    content = file.read(min(_PIECE, count * length - piece))
                    file.seek(begin + target * length + piece)
                    file.write(content)
            target += count
        file.seek(0)
        npy.write_array_header_1_0(file, _header((target, *inner), dtype))
        if file.tell() != begin:
            raise ValueError(f"{path}: a header for {target} rows takes {file.tell()} bytes, not {begin}")
        file.truncate(begin + target * length)


def replace_folder(temporary: Path, target: Path) -> None:
    """Move a finished folder into place; what was there before is removed once the new one stands.

    Where the move fails, what was there before is put back. Between its two steps a killed process leaves neither in
    place, and :func:`restore_folder` puts the old one back.
    """
    old = _old(target)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.replace(old)
    try:
        temporary.replace(target)
    except BaseException:
        restore_folder(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def restore_folder(target: Path) -> None:
    """Put back what a move that was interrupted had set aside; nothing where none was."""
    if _old(target).exists() and not target.exists():
        _old(target).replace(target)


def _old(target: Path) -> Path:
    return target.with_name(f".{target.name}.old")


def require_space(folder: Path, needed: int, smaller: str = "data.image_size") -> None:
    """Raise DataError, naming the key to lower, when the disk of a folder has less room than ``needed`` bytes."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise DataError(
            f"{folder}: the arrays need {_size(needed)} while they are made, and {_size(free)} are free; make "
            f"room, or use a smaller {smaller}"
        )


def _size(count: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} GiB"
