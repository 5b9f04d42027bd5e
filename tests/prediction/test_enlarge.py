from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ae_pretrained.prediction import enlarge
from ae_pretrained.prediction.enlarge import most_probable


def _probabilities(classes: int, height: int, width: int) -> np.ndarray:
    torch.manual_seed(height + width)
    return torch.randn(classes, height, width).mul(3).softmax(dim=0).numpy()


@pytest.mark.parametrize("size", [(64, 64), (375, 500), (500, 375), (7, 5), (1, 1), (3, 2000)])
@pytest.mark.parametrize("strip", [50, 2**18])
def test_is_bilinear_interpolation_then_argmax(
    size: tuple[int, int], strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enlarge, "_STRIP_PIXELS", strip)
    small = _probabilities(4, 24, 32)
    large = F.interpolate(torch.from_numpy(small)[None], size=size, mode="bilinear", align_corners=False)[0]
    mask, confidence = most_probable(small, *size)
    assert mask.shape == confidence.shape == size
    assert mask.dtype == np.uint8
    assert confidence.dtype == np.float32
    np.testing.assert_allclose(confidence, large.max(dim=0).values.numpy(), atol=1e-5)
    first, second = large.topk(2, dim=0).values
    clear = (first - second > 1e-5).numpy()
    assert np.array_equal(mask[clear], large.argmax(dim=0).numpy()[clear])


def test_is_not_the_enlarged_mask() -> None:
    """Enlarging the mask itself would leave steps of whole small pixels."""
    small = np.array([[[1.0, 0.4]], [[0.0, 0.6]]], dtype=np.float32)
    mask, _ = most_probable(small, 1, 100)
    assert mask[0, 0] == 0
    assert mask[0, -1] == 1
    assert np.flatnonzero(mask[0])[0] > 60  # the mask's own step would be at 50


def test_the_lower_class_wins_a_tie() -> None:
    assert not most_probable(np.full((3, 4, 4), 1 / 3, dtype=np.float32), 9, 9)[0].any()
