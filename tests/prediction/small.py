"""Small models for the tests of prediction and export."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from ae_pretrained.models.config import ModelConfig, Norm
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo, save_model

CLASSES = ("background", "cat", "dog")


def small_unet(norm: Norm = "batch", seed: int = 0, classes: int = 3) -> UNet:
    """A U-Net of three stages with statistics and biases that are not the initial ones."""
    torch.manual_seed(seed)
    model = UNet(ModelConfig((4, 8, 8), (0.1, 0.1, 0.1), (0.1, 0.1), norm), classes)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("bias"):
                value.normal_(0, 0.3)
    model(torch.rand(4, 3, 24, 24))
    return model.eval()


def save_small(
    path: Path,
    resize: Literal["stretch", "pad", "crop"] = "stretch",
    norm: Norm = "batch",
    size: int = 32,
    scale: float = 1.0,
) -> Path:
    """A segmenter of three classes, saved."""
    save_model(small_unet(norm), path, SegmenterInfo(CLASSES, size, resize, scale=scale))
    return path


def random_image(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(height, width, 3) uint8 with large structures."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def save_image(path: Path, height: int = 40, width: int = 60, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(random_image(height, width, seed)).save(path)
    return path


def enormous_png() -> bytes:
    """The header of a grey PNG of 20,000 x 20,000 px: a few bytes that would become 400 million."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )
