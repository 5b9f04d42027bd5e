from __future__ import annotations

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from ae_pretrained.evaluation.probes import knn_accuracy, linear_probe_accuracy


def blobs(seed: int, distance: float) -> tuple[np.ndarray, list[str]]:
    rng = np.random.default_rng(seed)
    labels = ["cat", "dog"] * 30
    shift = np.array([0.0 if label == "cat" else distance for label in labels])[:, None]
    return rng.standard_normal((60, 4)) + shift, labels


def test_separable_labels_are_read_and_noise_is_not() -> None:
    for distance, low, high in ((6.0, 1.0, 1.0), (0.0, 0.2, 0.8)):
        train, test = blobs(0, distance), blobs(1, distance)
        assert low <= linear_probe_accuracy(*train, *test) <= high
        assert low <= knn_accuracy(*train, *test, 5) <= high


def test_knn_matches_sklearn_by_hand() -> None:
    (train, labels), (test, truth) = blobs(2, 1.0), blobs(3, 1.0)
    mean, std = train.mean(0), train.std(0)
    model = KNeighborsClassifier(7).fit((train - mean) / std, labels)
    expected = np.mean(model.predict((test - mean) / std) == np.array(truth))
    assert knn_accuracy(train, labels, test, truth, 7) == expected


def test_fewer_images_than_neighbours() -> None:
    train = np.array([[0.0], [1.0], [1.1]])
    assert knn_accuracy(train, ["a", "b", "b"], train, ["a", "b", "b"], 10) == 2 / 3
