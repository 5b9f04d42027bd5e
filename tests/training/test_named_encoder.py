"""Pretraining that goes on from published weights, and a segmenter that goes on from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ae_pretrained.models.imagenet import EfficientNetLiteEncoder
from ae_pretrained.models.weights import load_autoencoder, load_unet
from tests.processed import make_processed, tiny_params
from tests.training.conftest import run_finetune, run_pretrain

CHANGES = {
    "data__image_size": 64,
    "data__synthetic__num_trainval": 16,
    "model__encoder": "efficientnet_lite0",
    "train_ae__init": "imagenet",
    "train_ae__epochs": 1,
    "train_ae__batch_size": 4,
    "train_ae__lr": 1e-7,
    "train_seg__init": "autoencoder",
    "train_seg__transfer": "encoder_decoder",
    "train_seg__epochs": 1,
    "train_seg__batch_size": 4,
    "train_seg__lr": 1e-7,
    "train_seg__freeze_epochs": -1,
}


@pytest.fixture(scope="module")
def arrays(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_processed(tmp_path_factory.mktemp("data"), tiny_params(**CHANGES))


def _distance(encoder: torch.nn.Module) -> float:
    """Largest difference of a weight from the published one; the norms' statistics follow the batches."""
    published = EfficientNetLiteEncoder()
    published.load_imagenet_weights()
    own = dict(encoder.named_parameters())
    return max(
        float((weight - own[name]).detach().abs().max()) for name, weight in published.named_parameters()
    )


def test_both_phases_go_on_from_published_weights(arrays: Path, tmp_path: Path) -> None:
    params = tiny_params(**CHANGES)
    pretrained = run_pretrain(arrays, tmp_path, params)
    autoencoder = load_autoencoder(pretrained)
    assert autoencoder.config.encoder == "efficientnet_lite0"
    assert _distance(autoencoder.encoder) < 1e-5
    segmenter, _ = load_unet(run_finetune(arrays, tmp_path, params, pretrained))
    for name, weight in autoencoder.encoder.state_dict().items():
        assert torch.equal(segmenter.encoder.state_dict()[name], weight), name  # it was frozen
    assert json.loads((tmp_path / "train_seg.json").read_text())["val_mean_iou"] >= 0


def test_from_scratch_the_same_encoder_is_random(arrays: Path, tmp_path: Path) -> None:
    params = tiny_params(**CHANGES | {"train_ae__init": "scratch"})
    assert _distance(load_autoencoder(run_pretrain(arrays, tmp_path, params)).encoder) > 0.1
