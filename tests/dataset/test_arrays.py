from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from ae_pretrained.dataset.arrays import ArraysError, PaddingMasks, Split, open_split
from ae_pretrained.dataset.batches import ArrayBatches
from tests.evaluation.small import write_split

COUNTS = {"train": 5, "unlabelled": 2, "val": 3, "test": 4}
NAMES = [f"café, {number}" for number in range(14)]  # with what CSV has to quote


@pytest.fixture
def arrays(tmp_path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images and masks of the four splits that are written into ``tmp_path``."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (14, 6, 6, 3), dtype=np.uint8)
    masks = rng.integers(0, 3, (14, 6, 6), dtype=np.uint8)
    start = 0
    for split, count in COUNTS.items():
        part = slice(start, start + count)
        write_split(tmp_path, split, images[part], masks[part], [{"name": name} for name in NAMES[part]])
        start += count
    return images, masks


@pytest.mark.parametrize(
    ("splits", "part"),
    [
        (("train",), slice(0, 5)),
        (("unlabelled",), slice(5, 7)),
        (("val",), slice(7, 10)),
        (("test",), slice(10, 14)),
        (("train", "unlabelled"), slice(0, 7)),
    ],
)
def test_a_split_is_a_stretch_of_the_arrays_and_none_of_it_is_read(
    tmp_path: Path, arrays: tuple[np.ndarray, np.ndarray], splits: tuple[str, ...], part: slice
) -> None:
    split = open_split(tmp_path, *splits)
    assert len(split) == part.stop - part.start
    assert split.column("name") == NAMES[part]
    for found, whole in zip((split.images, split.masks), arrays, strict=True):
        assert isinstance(found, np.memmap)
        assert (found.shape, found.dtype) == (whole[part].shape, np.uint8)
        for rows in (1, slice(0, 2), np.array([1, 0, 1])):
            assert np.array_equal(found[rows], whole[part][rows])


def test_of_several_splits_one_may_be_empty(tmp_path: Path) -> None:
    write_split(tmp_path, "train", np.zeros((2, 4, 4, 3), np.uint8), None, [{"name": "a"}, {"name": "b"}])
    assert open_split(tmp_path, "train", "unlabelled").column("name") == ["a", "b"]
    with pytest.raises(
        ArraysError, match=r"index\.csv: no image is in unlabelled, found \{'train': 2\}; run `dvc"
    ):
        open_split(tmp_path, "unlabelled")


def test_padding_is_what_lies_outside_of_the_box(tmp_path: Path) -> None:
    boxes = [(0, 0, 6, 6), (1, 0, 5, 6), (0, 2, 6, 3), (2, 3, 3, 4)]
    rows = [{"name": str(box), "box": " ".join(map(str, box))} for box in boxes]
    write_split(tmp_path, "train", np.zeros((4, 6, 6, 3), np.uint8), None, rows)
    split = open_split(tmp_path, "train")
    expected = np.zeros((4, 6, 6), dtype=bool)
    for row, (x0, y0, x1, y1) in enumerate(boxes):
        expected[row, y0:y1, x0:x1] = True
    assert np.array_equal(split.valid(slice(None)), expected)
    chosen = np.array([3, 0, 3])
    assert np.array_equal(split.valid(chosen), expected[chosen])
    padding = PaddingMasks(split)[chosen]
    assert padding.dtype == np.uint8
    assert np.array_equal(padding, np.where(expected[chosen], 0, 255))


def test_a_batch_costs_the_memory_of_a_batch() -> None:
    """100,000 images of 512 px are 79 GB, which only the batch's share of may be touched."""
    count, side = 100_000, 512
    images = np.broadcast_to(np.arange(3, dtype=np.uint8), (count, side, side, 3))
    split = Split(images, images[..., 0], {"box": ["0 64 512 448"] * count})
    batches = ArrayBatches(split.images, PaddingMasks(split), np.arange(count))
    tracemalloc.start()
    try:
        shown, padding = batches[[7, 99_999]]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert torch.equal(shown[1, :, 100, 100], torch.arange(3, dtype=torch.uint8))
    assert (padding == 255).sum() == 2 * 128 * 512
    assert peak < 12e6  # the images 1.6 MB, their padding 0.5 MB, the boxes of all images 1.6 MB


def test_a_share_without_a_class_says_what_would_be_enough() -> None:
    columns = {"label_order": [str(rank) for rank in range(200)], "class": ["dog"] * 199 + ["cat"]}
    images = np.zeros((200, 1, 1, 3), np.uint8)
    split = Split(images, images[..., 0], columns)
    with pytest.raises(
        ArraysError, match=r"0\.1 of 200 .* are 20, and none of them shows cat; use at least 1"
    ):
        split.labelled(0.1)
    assert len(split.labelled(1.0)) == 200


def test_a_class_that_is_the_main_one_elsewhere_alone_is_no_hindrance() -> None:
    """Of many classes an image shows several, and some are never the main one but in an image or two."""
    columns = {"label_order": [str(rank) for rank in range(20)], "class": ["road"] * 19 + ["car"]}
    masks = np.full((20, 2, 2), 1, np.uint8)
    masks[19] = [[2, 2], [2, 0]]
    split = Split(np.zeros((20, 2, 2, 3), np.uint8), masks, columns)
    with pytest.raises(ArraysError, match="none of them shows car; use at least 1"):
        split.labelled(0.5)
    masks[3, 0, 0] = 2
    assert len(split.labelled(0.5)) == 10


def test_arrays_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ArraysError, match=r"images\.npy: no such file; run `dvc repro prepare` first"):
        open_split(tmp_path, "train")


def test_arrays_of_an_earlier_version(tmp_path: Path) -> None:
    write_split(tmp_path / "train", "train", np.zeros((1, 4, 4, 3), np.uint8), None, [{"name": "a"}])
    with pytest.raises(ArraysError, match=r"was prepared by an earlier version, .*; run `dvc repro prepare`"):
        open_split(tmp_path, "test")


@pytest.mark.usefixtures("arrays")
def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    index = tmp_path / "index.csv"
    lines = index.read_bytes().splitlines(keepends=True)

    def written(*changed: bytes, said: str) -> None:
        index.write_bytes(b"".join(changed))
        with pytest.raises(ArraysError, match=said):
            open_split(tmp_path, "train")

    written(*lines[:-1], said=r"lengths differ, .*'index\.csv': 13\}; run `dvc repro prepare`")
    written(*lines[:2], lines[-1], *lines[2:-1], said="images of other splits stand among those of train")
    written(lines[0].replace(b"split", b"part"), *lines[1:], said=r"index\.csv has no column 'split'")
    written(*lines[:3], b"a,train\n", *lines[4:], said=r"index\.csv, line 4: 2 values, not 10")
    written(said=r"index\.csv has no column 'split'")
    index.write_bytes(b"".join(lines))
    (tmp_path / "masks.npy").write_bytes(b"no array")
    with pytest.raises(ArraysError, match=r"not what prepare writes .*; run `dvc repro prepare`"):
        open_split(tmp_path, "train")
