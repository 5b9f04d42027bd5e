from __future__ import annotations

from pathlib import Path

import pytest

from ae_pretrained.finetuning.finetune import finetune
from ae_pretrained.params import Params
from ae_pretrained.pretraining.pretrain import pretrain
from tests.processed import make_processed, tiny_params


@pytest.fixture(scope="session")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_processed(tmp_path_factory.mktemp("data"), tiny_params())


def run_pretrain(processed: Path, out: Path, params: Params) -> Path:
    """Pretrain into a folder; returns the weights file."""
    pretrain(
        processed,
        params=params.train_ae,
        image_size=params.data.image_size,
        model=params.model,
        runtime=params.runtime,
        seed=params.seed,
        weights=out / "autoencoder.safetensors",
        curve=out / "train_ae.csv",
        metrics=out / "train_ae.json",
        checkpoints=out / "checkpoints",
    )
    return out / "autoencoder.safetensors"


def run_finetune(processed: Path, out: Path, params: Params, autoencoder: Path | None = None) -> Path:
    """Train the segmenter into a folder; returns the weights file."""
    finetune(
        processed,
        autoencoder=autoencoder or out / "none.safetensors",
        params=params.train_seg,
        data=params.data,
        model=params.model,
        runtime=params.runtime,
        seed=params.seed,
        weights=out / "segmenter.safetensors",
        curve=out / "train_seg.csv",
        metrics=out / "train_seg.json",
        checkpoints=out / "checkpoints",
    )
    return out / "segmenter.safetensors"
