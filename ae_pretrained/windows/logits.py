"""From a network's logits to probabilities: the one arithmetic that evaluation and prediction share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Logits = Callable[[np.ndarray], np.ndarray]
"""From images (N, 3, H, W) float32 in [0, 1] to logits (N, C, H, W) float32."""


def probabilities_of(logits: Logits, *, flip_averaging: bool) -> Callable[[np.ndarray], np.ndarray]:
    """What :func:`ae_pretrained.windows.sliding.slide` calls, made of a network.

    Args:
        logits: runs the network.
        flip_averaging: average with the prediction for the mirror image, mirrored back.

    Returns:
        A function from images (N, 3, H, W) float32 in [0, 1] to (N, C, H, W) float32 that sum to 1 over C.
    """

    def probabilities(images: np.ndarray) -> np.ndarray:
        maps = softmax(logits(images))
        if not flip_averaging:
            return maps
        mirrored = softmax(logits(np.ascontiguousarray(images[..., ::-1])))
        return (maps + mirrored[..., ::-1]) / 2

    return probabilities


def softmax(logits: np.ndarray) -> np.ndarray:
    """Softmax over axis 1, float32.

    Example:
        >>> softmax(np.zeros((1, 4), dtype=np.float32)).tolist()
        [[0.25, 0.25, 0.25, 0.25]]
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float32)
