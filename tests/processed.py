"""Small prepared data sets for tests that need arrays but no pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ae_pretrained.params import Params, validate_params
from benchmarks.material import prepared
from tests.conftest import committed_values

# What makes any run small: images, network, batches.
SMALL: dict[str, Any] = {
    "data.image_size": 32,
    "data.workers": 1,
    "data.synthetic.size": 64,
    "model.features": [4, 8, 8],
    "model.encoder_dropout": [0.0, 0.1, 0.1],
    "model.decoder_dropout": [0.1, 0.0],
    "model.norm": "instance",
    "train_ae.batch_size": 8,
    "train_ae.skips": 1,
    "train_seg.batch_size": 8,
    "train_seg.lr": 0.002,
}


def tiny_params(**changes: Any) -> Params:
    """The committed parameters on a tiny scale; dots of changed keys are written as double underscores."""
    values = committed_values()
    tiny = {
        **{key.replace(".", "__"): value for key, value in SMALL.items()},
        "data__synthetic__num_trainval": 40,
        "data__synthetic__num_test": 8,
        "data__leak_check__enabled": False,
        "train_ae__epochs": 3,
        "train_ae__precision": "32",
        "train_ae__loss__perceptual": 0.0,
        "train_ae__loss__latent": 0.0,
        "train_seg__epochs": 3,
        "train_seg__precision": "32",
        "train_seg__init": "scratch",
    }
    for key, value in {**tiny, **changes}.items():
        *sections, name = key.split("__")
        section = values
        for part in sections:
            section = section[part]
        section[name] = value
    return validate_params(values)


def make_processed(folder: Path, params: Params) -> Path:
    """Draw and prepare the embedded data set below a folder; returns the folder of the arrays."""
    return prepared(params, folder)
