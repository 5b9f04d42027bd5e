from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from ae_pretrained.metrics.calibration import CalibrationHistogram


def test_error_matches_torchmetrics_over_batches() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(6, 3, 10, 10, generator=generator)
    truth = torch.randint(0, 3, (6, 10, 10), generator=generator)
    truth[torch.rand(truth.shape, generator=generator) < 0.2] = 255
    probabilities = logits.softmax(1)
    confidence, prediction = probabilities.max(1)
    histogram = CalibrationHistogram(15)
    for start in range(0, 6, 2):
        part = slice(start, start + 2)
        there = truth[part] != 255
        histogram.update(confidence[part][there], prediction[part][there] == truth[part][there])
    there = truth.flatten() != 255
    flat = probabilities.permute(0, 2, 3, 1).reshape(-1, 3)[there]
    expected = multiclass_calibration_error(flat, truth.flatten()[there], 3, n_bins=15)
    result = histogram.result()
    assert result.expected_error == pytest.approx(float(expected), abs=1e-6)
    assert result.count.sum() == there.sum()


def test_sure_and_right_is_perfect_and_lands_in_the_last_bin() -> None:
    histogram = CalibrationHistogram(4)
    histogram.update(torch.ones(5), torch.ones(5, dtype=torch.bool))
    assert histogram.result().expected_error == 0.0
    assert histogram.result().count.tolist() == [0, 0, 0, 5]
    assert np.isnan(histogram.result().accuracy[0])


def test_no_pixel_no_error() -> None:
    assert np.isnan(CalibrationHistogram(4).result().expected_error)


def test_counts_beyond_what_float32_can_count() -> None:
    histogram = CalibrationHistogram(2)
    histogram.sums[:] = 2.0**24
    histogram.update(torch.tensor([0.9]), torch.tensor([True]))
    assert histogram.result().count[1] == 2**24 + 1
