from __future__ import annotations

import os
import resource
import tempfile
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.preparation import storage
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.preparation.storage import create_array, reorder_rows, replace_folder, write_rows
from ae_pretrained.sources.base import DataError
from tests.preparation.test_prepare import data_params, run
from tests.sources.layouts import write_official


def test_rows_written_piece_by_piece(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (7, 3, 5), dtype=np.uint8)
    create_array(tmp_path / "a.npy", (7, 3, 5))
    write_rows(tmp_path / "a.npy", 4, rows[4:])
    assert not np.load(tmp_path / "a.npy")[:4].any()
    write_rows(tmp_path / "a.npy", 0, rows[:4])
    assert np.array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), rows)
    with pytest.raises(ValueError, match="do not fit"):
        write_rows(tmp_path / "a.npy", 5, rows[4:])
    with pytest.raises(ValueError, match="do not fit"):
        write_rows(tmp_path / "a.npy", 0, rows.astype(float))
    create_array(tmp_path / "none.npy", (0, 3))
    assert np.load(tmp_path / "none.npy").shape == (0, 3)


def test_a_folder_takes_the_place_of_another(tmp_path: Path) -> None:
    for name in ("new", "place"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").write_text(name)
    replace_folder(tmp_path / "new", tmp_path / "place")
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_a_move_that_fails_leaves_the_old_folder(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "old.txt").touch()
    with pytest.raises(FileNotFoundError):
        replace_folder(tmp_path / "absent", tmp_path / "place")
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["old.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_what_a_killed_move_had_set_aside_is_there_for_the_next_run(tmp_path: Path) -> None:
    write_official(tmp_path / "raw")
    run(tmp_path / "raw", tmp_path)
    (tmp_path / "processed").rename(tmp_path / ".processed.old")
    (tmp_path / "raw" / "images" / "Tabby_0.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="Tabby_0"):
        run(tmp_path / "raw", tmp_path)
    assert len(open_split(tmp_path / "processed", "test")) == 4
    assert not (tmp_path / ".processed.old").exists()


def test_too_little_space_is_known_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_official(tmp_path / "raw")
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(storage.shutil, "disk_usage", lambda _: usage(10**6, 10**6 - 4096, 4096))
    with pytest.raises(DataError, match=r"need 272 KiB while they are made, and 4 KiB are free"):
        run(tmp_path / "raw", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["raw"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond this: what a full disk does to a writer, in a form that a test can arrange."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [1_000, 150_000])
def test_a_write_that_fails_leaves_nothing(tmp_path: Path, size: int) -> None:
    write_official(tmp_path / "raw")
    (tmp_path / "processed").mkdir()
    (tmp_path / "processed" / "earlier").touch()
    with (
        largest_file(size),
        pytest.raises(DataError, match=r"cannot be written .*Check the rights and the free"),
    ):
        run(tmp_path / "raw", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "processed"}
    assert (tmp_path / "processed" / "earlier").is_file()


@contextmanager
def nobody() -> Iterator[None]:
    """Root may write anywhere: for a while, be somebody else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_read_only_folder(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_official(place / "raw")
        (place / "out").mkdir()
        place.chmod(0o755)
        (place / "out").chmod(0o555)
        with (
            nobody(),
            pytest.raises(DataError, match=r"out/\.processed\.part: cannot be written \(Permission denied\)"),
        ):
            prepare(
                place / "raw",
                place / "out" / "processed",
                data_params(),
                1,
                metrics_file=place / "out" / "prepare.json",
                plots=place / "out" / "plots",
            )
        assert not list((place / "out").iterdir())


@pytest.mark.parametrize(
    "order",
    [
        range(1000),
        range(999),
        [0, 2, 3, 500, 999],
        range(1, 1000, 2),
        range(999, -1, -1),
        [*range(500, 1000), *range(250)],
        np.random.default_rng(1).permutation(1000).tolist(),
        np.random.default_rng(2).permutation(1000)[:731].tolist(),
        [999],
        [],
    ],
)
def test_rows_in_another_order_are_the_bytes_of_an_array_of_their_own(tmp_path: Path, order: Any) -> None:
    rows = np.random.default_rng(0).integers(0, 256, (1000, 3, 5), dtype=np.uint8)
    old, new, order = tmp_path / "old.npy", tmp_path / "new.npy", list(order)
    create_array(old, rows.shape)
    write_rows(old, 0, rows)
    reorder_rows(old, order)
    create_array(new, (len(order), 3, 5))
    write_rows(new, 0, rows[order])
    assert old.read_bytes() == new.read_bytes()


def test_a_row_in_two_places_is_refused(tmp_path: Path) -> None:
    create_array(tmp_path / "a.npy", (4, 2))
    with pytest.raises(ValueError, match="a row is named twice, 3 names for 2 rows"):
        reorder_rows(tmp_path / "a.npy", [0, 3, 0])
