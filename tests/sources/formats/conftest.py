"""Real images to make exports of."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import REAL_DATA


@pytest.fixture(scope="session")
def camvid() -> Path:
    """701 road scenes with masks of 11 classes and void, and the official lists."""
    folder = REAL_DATA / "camvid"
    if not (folder / "train.txt").is_file():
        pytest.skip(
            f"no real images at {folder}; set AE_PRETRAINED_REAL_DATA to the folder that holds camvid"
        )
    return folder
