from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.fetch import fetch
from ae_pretrained.sources.original import FOLDERS
from tests.preparation.test_prepare import data_params
from tests.sources.layouts import square_mask


@pytest.fixture
def root(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, images, masks in FOLDERS:
        for folder in (images, masks):
            (tmp_path / "theirs" / folder).mkdir(parents=True)
        for number in range(6 if split == "train" else 2):
            image = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8))
            image.save(tmp_path / "theirs" / images / f"pet_{number}.jpg", quality=95)
            mask = Image.fromarray(square_mask(1 + number % 2))
            mask.save(tmp_path / "theirs" / masks / f"pet_{number}.png")
    return tmp_path / "theirs"


def run(root: Path, out: Path, **changes: Any) -> dict[str, Any]:
    params = data_params(source="original_project", root=str(root), **changes)
    fetch(params, out / "raw")
    prepare(out / "raw", out / "processed", params, 1, metrics_file=out / "prepare.json", plots=out / "plots")
    return dict(json.loads((out / "prepare.json").read_text()))


def test_splits_are_theirs(root: Path, tmp_path: Path) -> None:
    metrics = run(root, tmp_path)
    assert [metrics[f"num_{name}"] for name in ("train", "val", "test")] == [6, 2, 2]
    test = open_split(tmp_path / "processed", "test")
    assert test.column("name") == ["Test/pet_0", "Test/pet_1"]
    assert test.column("class") == ["cat", "dog"]
    assert set(np.unique(test.masks[1])) == {0, 2, 255}


def test_a_missing_folder_is_named(root: Path, tmp_path: Path) -> None:
    (root / "Val" / "processed_labels").rename(root / "Val" / "labels")
    with pytest.raises(DataError, match=r"has no Val/processed_labels; source 'original_project' expects"):
        run(root, tmp_path)


def test_a_missing_mask_is_named(root: Path, tmp_path: Path) -> None:
    (root / "Train" / "resized_label" / "pet_3.png").unlink()
    with pytest.raises(DataError, match=r"pet_3\.jpg: no mask pet_3\.\*"):
        run(root, tmp_path)
    metrics = run(root, tmp_path, on_error="skip")
    assert metrics["left_out"] == {"image without mask": 1}
    assert metrics["num_train"] == 5
