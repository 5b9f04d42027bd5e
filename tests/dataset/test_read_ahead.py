from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np
import pytest

from ae_pretrained.dataset.read_ahead import will_need

PAGE = mmap.PAGESIZE


class Watched(mmap.mmap):
    """Notes what is asked for."""

    asked: list[tuple[int, int]]

    def madvise(self, option: int, start: int = 0, length: int | None = None) -> None:
        assert option == mmap.MADV_WILLNEED
        assert length is not None
        self.asked.append((start, start + length))
        super().madvise(option, start, length)


@pytest.mark.skipif(not hasattr(mmap, "MADV_WILLNEED"), reason="this system cannot be asked")
def test_the_pages_of_rows_of_a_slice(tmp_path: Path) -> None:
    """Rows of 3 pages and a half, behind a header of 128 bytes, from row 2 of the file on."""
    row = PAGE * 7 // 2
    np.save(tmp_path / "a.npy", np.zeros((9, row), dtype=np.uint8))
    array = np.load(tmp_path / "a.npy", mmap_mode="r")[2:]
    with (tmp_path / "a.npy").open("rb") as file:
        watched = Watched(file.fileno(), 0, access=mmap.ACCESS_READ)
    watched.asked = []
    header = (tmp_path / "a.npy").stat().st_size - 9 * row
    array = np.ndarray.__new__(np.memmap, (7, row), np.uint8, watched, header + 2 * row)
    array._mmap = watched
    will_need(array, [0, 5])
    starts = [header + number * row for number in (2, 7)]
    assert watched.asked == [(start // PAGE * PAGE, start + row) for start in starts]


def test_other_arrays_are_left_alone() -> None:
    will_need(np.zeros((3, 2), dtype=np.uint8), [0, 2])
    will_need(object(), [0])
