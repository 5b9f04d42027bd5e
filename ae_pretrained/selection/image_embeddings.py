"""What images are compared by: features of the autoencoder, scaled and projected so that a cosine means something."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from torch import Tensor, nn

from ae_pretrained.evaluation.embeddings import pooled_features
from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.selection.squares import Squares

COMPONENTS = 64
_SMALLEST_SPREAD = 1e-6  # of a feature that is the same for all images: its rounding must not be blown up


class _DeepestStages(nn.Module):
    """The two deepest stages of an encoder as one feature map, of the size of the deepest."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Tensor) -> list[Tensor]:
        *_, shallower, deepest = self.encoder(x)
        return [torch.cat([F.adaptive_avg_pool2d(shallower, deepest.shape[-2:]), deepest], dim=1)]


def embed(encoder: nn.Module, squares: Squares, compute: Compute) -> np.ndarray:
    """(n, D) float64 features of images: the two deepest stages, averaged over the quarters of each square.

    Over quarters, as :func:`pooled_features` says; those of the windows of one image are averaged.
    """
    stages = _DeepestStages(encoder)
    features = pooled_features(stages, squares.split, squares.rows, squares.batch_size, compute, "embeddings")
    return squares.means(features.astype(np.float64))


def comparable(features: np.ndarray, fitted: np.ndarray) -> np.ndarray:
    """(n, K) float64 of length 1: features standardised and projected on at most 64 principal components.

    Args:
        features: (n, D).
        fitted: (n,) booleans: the images whose spread decides. The same ones in the same order give the same result,
            whichever of them are labelled.
    """
    mean, spread = features[fitted].mean(axis=0), features[fitted].std(axis=0)
    scaled = (features - mean) / np.where(spread > _SMALLEST_SPREAD, spread, np.inf)
    components = min(COMPONENTS, int(fitted.sum()), features.shape[1])
    projected = PCA(components, svd_solver="covariance_eigh").fit(scaled[fitted]).transform(scaled)
    length = np.linalg.norm(projected, axis=1, keepdims=True)
    return np.asarray(projected / np.maximum(length, 1e-12))
