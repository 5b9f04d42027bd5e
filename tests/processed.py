"""Small prepared data sets for tests that need arrays but no pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ae_pretrained.params import Params, read_params, validate_params
from benchmarks.material import prepared
from tests.conftest import ROOT


def tiny_params(**changes: Any) -> Params:
    """The committed parameters on a tiny scale; dots of changed keys are written as double underscores."""
    values = read_params(ROOT / "params.yaml")
    tiny = {
        "data__image_size": 32,
        "data__workers": 1,
        "data__synthetic": {"num_trainval": 40, "num_test": 8, "size": 64},
        "data__leak_check__enabled": False,
        "model__features": [4, 8, 8],
        "model__encoder_dropout": [0.0, 0.1, 0.1],
        "model__decoder_dropout": [0.1, 0.0],
        "train_ae__epochs": 3,
        "train_ae__batch_size": 8,
        "train_ae__skips": 1,
        "train_ae__precision": "32",
        "train_ae__loss__perceptual": 0.0,
        "train_ae__loss__latent": 0.0,
        "train_seg__epochs": 3,
        "train_seg__batch_size": 8,
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
