from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from ae_pretrained.metrics.boundary import boundary_counts, boundary_iou, inner_boundary


def reference_boundary(mask: np.ndarray, width: int) -> np.ndarray:
    """mask_to_boundary of the authors of Boundary IoU, with the width given in pixels."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), dtype=np.uint8), iterations=width)[1:-1, 1:-1]
    return (mask.astype(np.uint8) - eroded).astype(bool)


def blobs(seed: int, side: int = 40) -> np.ndarray:
    noise = np.random.default_rng(seed).random((side, side)).astype(np.float32)
    return cv2.GaussianBlur(noise, (0, 0), 3) > 0.5


@pytest.mark.parametrize("width", [1, 2, 5])
def test_region_matches_the_authors_code(width: int) -> None:
    mask = blobs(0)
    found = inner_boundary(torch.from_numpy(mask), width).numpy()
    np.testing.assert_array_equal(found, reference_boundary(mask, width))


def test_score_matches_the_authors_code() -> None:
    truth, prediction = blobs(1), blobs(2)
    counts = boundary_counts(
        torch.from_numpy(prediction.astype(np.int64))[None],
        torch.from_numpy(truth.astype(np.uint8))[None],
        2,
        2,
    )
    found = boundary_iou(counts.numpy())
    for label in (0, 1):
        a, b = reference_boundary(truth == label, 2), reference_boundary(prediction == label, 2)
        assert found[label] == pytest.approx((a & b).sum() / (a | b).sum())


def test_perfect_prediction_and_absent_class() -> None:
    truth = torch.from_numpy(blobs(3).astype(np.uint8))[None]
    truth[0, :, 20:23] = 255
    prediction = torch.where(truth == 255, 2, truth.long())  # whatever it says on ignored pixels
    score = boundary_iou(boundary_counts(prediction, truth, 3, 2).numpy())
    assert score[:2].tolist() == [1.0, 1.0]
    assert np.isnan(score[2])


def test_sees_what_plain_iou_hardly_sees() -> None:
    truth = torch.zeros(1, 64, 64, dtype=torch.uint8)
    truth[0, 8:56, 8:56] = 1
    prediction = torch.zeros(1, 64, 64, dtype=torch.long)
    prediction[0, 11:53, 11:53] = 1
    assert boundary_iou(boundary_counts(prediction, truth, 2, 2).numpy())[1] == 0.0
