from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import jaccard_score

from ae_pretrained.errors import PipelineError
from studies.score_masks import score_masks

CLASSES = ["sky", "pole", "road"]


def write(folder: Path, name: str, values: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    Image.fromarray(values).save(folder / name)


def test_scores_are_those_of_all_counted_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 4, (5, 8, 12), dtype=np.uint8)  # 3 counts nowhere
    predicted = np.where(rng.random(true.shape) < 0.5, true % 3, rng.integers(0, 3, true.shape)).astype(
        np.uint8
    )
    for index in range(5):
        write(tmp_path / "truth", f"image.{index}.png", true[index])
        write(tmp_path / "out", f"image.{index}_mask.png", predicted[index])
    found = score_masks(tmp_path / "out", tmp_path / "truth", CLASSES, ignore=3)
    counted = true != 3
    expected = jaccard_score(true[counted], predicted[counted], average=None)
    assert [found[name]["iou"] for name in CLASSES] == pytest.approx(expected)
    assert found["mean_iou"] == pytest.approx(expected.mean())
    low, high = found["mean_iou_ci95"]
    assert low < found["mean_iou"] < high
    assert found["num_images"] == 5


def test_what_cannot_be_compared_is_named(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"no _mask.png in it; run `ae-pretrained predict` first"):
        score_masks(tmp_path, tmp_path, CLASSES, 255)
    write(tmp_path / "out", "a_mask.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(PipelineError, match=r"truth/a.png: no such file"):
        score_masks(tmp_path / "out", tmp_path / "truth", CLASSES, 255)
    write(tmp_path / "truth", "a.png", np.zeros((4, 5), np.uint8))
    with pytest.raises(PipelineError, match=r"a_mask.png: \(4, 4\) pixels, and .* has \(4, 5\)"):
        score_masks(tmp_path / "out", tmp_path / "truth", CLASSES, 255)
