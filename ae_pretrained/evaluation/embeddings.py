"""Embeddings of an encoder: pooled features, probes, PCA and t-SNE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits
from torch import nn
from tqdm import tqdm

from ae_pretrained.dataset.arrays import Split
from ae_pretrained.evaluation.inference import Compute, batches, load_images, load_valid
from ae_pretrained.evaluation.probes import knn_accuracy, linear_probe_accuracy
from ae_pretrained.models.memory_layout import place

MOST_EMBEDDED = 5_000  # images of a split: probes and PCA hold all embeddings in memory, some times over
LABELS = ("class", "breed")  # columns of the index that are probed
_FEWEST_FOR_TSNE = 5
_GRID = 2


@torch.inference_mode()
def pooled_features(
    encoder: nn.Module, split: Split, rows: np.ndarray, batch_size: int, compute: Compute, words: str
) -> np.ndarray:
    """Deepest features of some images, averaged over the quarters of the image, padding left out.

    Not averaged over the whole of it: after an instance norm the mean of a channel over its pixels is the same
    for every image, so that a global average would throw away all that the features say.

    Args:
        encoder: gives a list of feature maps, shallow to deep.
        rows: (n,) positions of the images in the split.
        words: label of the progress bar.

    Returns:
        (n, 4 K) float32 with K channels of the deepest stage.
    """
    place(encoder, compute.device)
    features = []
    with tqdm(total=len(rows), desc=words, unit="image", disable=None) as bar:
        for chosen in batches(rows, batch_size):
            with compute.precision():
                deepest = encoder(load_images(split, chosen, compute.device))[-1].float()
            valid = load_valid(split, chosen, compute.device).float()
            # A cell of the feature map counts by the share of its pixels that is no padding.
            weight = F.adaptive_avg_pool2d(valid, deepest.shape[-2:])
            total, share = (F.adaptive_avg_pool2d(part, _GRID) for part in (deepest * weight, weight))
            features.append((total / share.clamp(min=1e-6)).flatten(1).cpu().numpy())
            bar.update(len(chosen))
    return np.concatenate(features)


def labels_of(split: Split, rows: np.ndarray) -> dict[str, list[str]]:
    """Class and breed of some images; empty texts where unknown."""
    return {key: [split.column(key)[row] for row in rows.tolist()] for key in LABELS}


def probe_labels(
    train: np.ndarray,
    train_labels: Mapping[str, Sequence[str]],
    test: np.ndarray,
    test_labels: Mapping[str, Sequence[str]],
    neighbors: int,
) -> dict[str, Any]:
    """Linear-probe and kNN accuracy for class and breed, fitted on train, scored on test.

    A label that train does not know in two values or more, or test not at all, is left out and listed under
    ``not_probed``. ``majority`` is the accuracy of always guessing the most frequent label of train.

    Args:
        train, test: (n, K) and (m, K) embeddings.
        train_labels, test_labels: n and m texts under each of ``LABELS``, empty for unknown.
        neighbors: of the kNN probe.
    """
    probes: dict[str, Any] = {}
    missing = []
    for key in LABELS:
        known, truth = np.array(train_labels[key]), np.array(test_labels[key])
        fit, score = known != "", truth != ""
        values, counts = np.unique(known[fit], return_counts=True)
        if len(values) < 2 or not score.any():
            missing.append(key)
            continue
        data = (train[fit], known[fit].tolist(), test[score], truth[score].tolist())
        probes[key] = {
            "linear_probe": linear_probe_accuracy(*data),
            "knn": knn_accuracy(*data, neighbors),
            "majority": float(np.mean(truth[score] == values[counts.argmax()])),
        }
    probes["not_probed"] = missing
    return probes


@dataclass(frozen=True)
class PrincipalComponents:
    """The first two principal components.

    Attributes:
        points: (N, 2).
        explained: (2,) share of the variance.
    """

    points: np.ndarray
    explained: np.ndarray


def principal_components(features: np.ndarray) -> PrincipalComponents | None:
    """Project features on their first two principal components; None where all of them are alike.

    The sign of a component, which PCA leaves open, is chosen so that its largest loading is positive.
    """
    centred = features.astype(np.float64) - features.mean(axis=0, dtype=np.float64)
    spread = np.abs(centred).max()
    if spread <= 1e-6 * max(1.0, np.abs(features).max()):
        return None
    with threadpool_limits(limits=1):
        _, singular, directions = np.linalg.svd(centred, full_matrices=False)
        directions = directions[:2]
        largest = np.abs(directions).argmax(axis=1)
        directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
        points = centred @ directions.T
    explained = singular**2 / (singular**2).sum()
    lacking = 2 - points.shape[1]
    if lacking > 0:  # a single channel, or a single image
        points = np.pad(points, ((0, 0), (0, lacking)))
        explained = np.pad(explained, (0, lacking))
    return PrincipalComponents(points, explained[:2])


def tsne(
    features: np.ndarray, start: np.ndarray, perplexity: float, seed: int
) -> tuple[np.ndarray, float] | None:
    """Place images in the plane by t-SNE (van der Maaten and Hinton, 2008).

    Args:
        features: (n, K).
        start: (n, 2) first places, the principal components.
        perplexity: lowered to a third of the other points where images are few.
        seed: of the optimiser.

    Returns:
        (n, 2) places and the perplexity used; None for fewer than five images or features all alike.
    """
    count = len(features)
    if count < _FEWEST_FOR_TSNE or not start.std(axis=0)[0] > 0:
        return None
    used = min(perplexity, (count - 1) / 3)
    scaled = (start / start[:, 0].std() * 1e-4).astype(np.float32)
    # One thread: t-SNE is chaotic, and the order of a parallel sum would change the whole image.
    with threadpool_limits(limits=1):
        model = TSNE(perplexity=used, init=scaled, random_state=seed, learning_rate="auto")
        return model.fit_transform(features), used
