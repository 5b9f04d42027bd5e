"""Evaluation of trained models on the test split: figures, tables and images."""

from __future__ import annotations

import importlib
from typing import Any

# Imported at first use: a stage that needs no Captum and no scikit-learn does not load them.
_LAZY = {
    "best_compute": "ae_pretrained.evaluation.inference",
    "grad_cam": "ae_pretrained.evaluation.explanations",
    "knn_accuracy": "ae_pretrained.evaluation.probes",
    "linear_probe_accuracy": "ae_pretrained.evaluation.probes",
}
__all__ = [*_LAZY]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LAZY[name]), name)
