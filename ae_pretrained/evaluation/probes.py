"""What frozen features know: linear-probe and nearest-neighbour accuracy."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits


def _accuracy(
    model: object, train: np.ndarray, labels: list[str], test: np.ndarray, truth: list[str]
) -> float:
    pipeline = make_pipeline(StandardScaler(), model)
    # One thread: the order of a parallel sum, and with it the last digits, depends on the machine's load.
    with threadpool_limits(limits=1):
        pipeline.fit(train, labels)
        return float(np.mean(pipeline.predict(test) == np.asarray(truth)))


def linear_probe_accuracy(
    train: np.ndarray, train_labels: list[str], test: np.ndarray, test_labels: list[str]
) -> float:
    """Accuracy on test of a logistic regression fitted on train; features standardised over train.

    Args:
        train, test: (n, F) and (m, F) features.
        train_labels, test_labels: n and m labels; train holds at least two different ones.
    """
    return _accuracy(LogisticRegression(max_iter=1000), train, train_labels, test, test_labels)


def knn_accuracy(
    train: np.ndarray, train_labels: list[str], test: np.ndarray, test_labels: list[str], neighbors: int
) -> float:
    """Accuracy on test of the vote of the ``neighbors`` nearest train features (Euclidean, standardised).

    With fewer train images than ``neighbors`` all of them vote.
    """
    model = KNeighborsClassifier(n_neighbors=min(neighbors, len(train)))
    return _accuracy(model, train, train_labels, test, test_labels)
