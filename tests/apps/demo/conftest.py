"""Small models with random weights, as files, and the page over them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo, save_model

CLASSES = ("background", "cat", "dog")


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``segmenter.safetensors`` and ``autoencoder.safetensors``."""
    folder = tmp_path_factory.mktemp("weights")
    config = ModelConfig(
        features=(4, 8, 8), encoder_dropout=(0.0, 0.0, 0.0), decoder_dropout=(0.0, 0.0), norm="instance"
    )
    torch.manual_seed(3)
    save_model(UNet(config, 3), folder / "segmenter.safetensors", SegmenterInfo(CLASSES, 32, "stretch"))
    save_model(Autoencoder(config, 1), folder / "autoencoder.safetensors")
    return folder
