from __future__ import annotations

import numpy as np
import pytest
import torch

from ae_pretrained.windows import best_classes, class_map, probabilities_of, slide, softmax
from tests.prediction.small import random_image
from tests.windows.networks import by_color, logits_of


def test_is_the_most_probable_class_and_the_lower_of_equals() -> None:
    maps = np.random.default_rng(0).random((5, 30, 20)).round(1).astype(np.float32)  # many ties
    mask, best = best_classes(maps)
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, maps.argmax(axis=0))
    assert np.array_equal(best, maps.max(axis=0))


def test_bands_become_a_mask() -> None:
    image = random_image(200, 120)
    mask, confidence = class_map(slide(by_color, image, window=64, overlap=0.25, stride=32), 200, 120)
    expected = by_color(image.transpose(2, 0, 1)[None].astype(np.float32) / 255)[0]
    np.testing.assert_allclose(confidence, expected.max(axis=0), atol=1e-6)
    first, second = np.sort(expected, axis=0)[:-3:-1]
    clear = first - second > 1e-5
    assert np.array_equal(mask[clear], expected.argmax(axis=0)[clear])


@pytest.mark.parametrize("flip", [True, False])
def test_probabilities_are_those_of_pytorch(flip: bool) -> None:
    torch.manual_seed(0)
    network = torch.nn.Conv2d(3, 4, 3, padding=1)
    images = torch.rand(2, 3, 10, 12)
    with torch.inference_mode():
        expected = network(images).softmax(1)
        if flip:
            expected = (expected + network(images.flip(-1)).softmax(1).flip(-1)) / 2
    found = probabilities_of(logits_of(network), flip_averaging=flip)(images.numpy())
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)


def test_softmax_of_large_logits() -> None:
    assert np.array_equal(softmax(np.array([[1000.0, 0.0]], np.float32)), [[1.0, 0.0]])
