from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ae_pretrained.preparation.staging import IMAGES, MASKS, Staging, write_stretch
from ae_pretrained.sources.base import Record

SIZE = 4


def stage(folder: Path, hints: list[Any], stretch: int) -> tuple[Staging, dict[str, np.ndarray]]:
    """Random pixels of one record a hint, written in stretches."""
    rng = np.random.default_rng(0)
    count = len(hints)
    pixels = {
        IMAGES: rng.integers(0, 256, (count, SIZE, SIZE, 3), dtype=np.uint8),
        MASKS: rng.integers(0, 256, (count, SIZE, SIZE), dtype=np.uint8),
        "thumbnails": rng.integers(0, 256, (count, 32, 32), dtype=np.uint8),
    }
    records = [Record(str(row), Path("a"), None, hint, "", "") for row, hint in enumerate(hints)]
    staging = Staging.create(folder, records, SIZE)
    for start in range(0, count, stretch):
        part = slice(start, start + stretch)
        write_stretch(folder, start, staging.places[part], *(values[part] for values in pixels.values()))
    return staging, pixels


MIXED = [("trainval", "test", "test", "unlabelled")[row % 4] for row in range(300)]


@pytest.mark.parametrize(
    ("hints", "splits"),
    [
        (
            ["trainval"] * 200 + ["test"] * 99,
            {"train": range(180), "val": range(180, 200), "test": range(200, 299)},
        ),
        (
            MIXED,
            {
                "train": range(0, 300, 8),
                "val": range(4, 300, 8),
                "test": range(1, 300, 4),
                "unlabelled": [3, 7],
            },
        ),
        (MIXED, {"train": range(0, 150), "val": range(150, 200), "test": range(201, 300, 2)}),
        (["rest"] * 300, {"train": [5, 6, 299], "val": [4], "test": [0], "unlabelled": range(100, 290)}),
    ],
)
def test_every_split_gets_its_rows(tmp_path: Path, hints: list[Any], splits: dict[str, Any]) -> None:
    staging, pixels = stage(tmp_path / "all", hints, 64)
    assert np.array_equal(staging.thumbnails(), pixels["thumbnails"])
    assert np.array_equal(staging.read(MASKS, [9, 2, 240]), pixels[MASKS][[9, 2, 240]])
    splits = {name: list(rows) for name, rows in splits.items()}
    staging.hand_over(splits, tmp_path / "out")
    for name, rows in splits.items():
        files = [IMAGES] if name == "unlabelled" else [IMAGES, MASKS]
        assert sorted(path.name for path in (tmp_path / "out" / name).iterdir()) == files
        for file in files:
            assert np.array_equal(np.load(tmp_path / "out" / name / file), pixels[file][rows])
