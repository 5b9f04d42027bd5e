"""Small prepared arrays and models for tests of the evaluation."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.unet import UNet
from ae_pretrained.params import Params, validate_params
from ae_pretrained.preparation.prepare import COLUMNS
from tests.conftest import committed_values

CLASSES = ["background", "cat", "dog"]


def params(**changes: Any) -> Params:
    """The committed parameters with changes; dots of keys are written as double underscores."""
    values = committed_values()
    for key, value in changes.items():
        section, name = key.split("__", 1)
        values[section][name] = value
    return validate_params(values)


def write_split(
    root: Path, split: str, images: np.ndarray, masks: np.ndarray | None, rows: list[dict[str, str]]
) -> None:
    """Add one split to arrays as ``prepare`` writes them; the content box is the whole image unless given."""
    side = images.shape[1]
    arrays = {
        "images.npy": images,
        "masks.npy": np.full(images.shape[:3], 255, np.uint8) if masks is None else masks,
    }
    root.mkdir(parents=True, exist_ok=True)
    for name, values in arrays.items():
        before = [np.load(root / name)] if (root / name).exists() else []
        np.save(root / name, np.concatenate([*before, values]))
    with (root / "index.csv").open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        if not file.tell():
            writer.writeheader()
        for place, row in enumerate(rows):
            size = {"width": str(side), "height": str(side), "box": f"0 0 {side} {side}"}
            writer.writerow({"split": split, "label_order": str(place)} | size | row)


def draw_split(
    root: Path, split: str, count: int, side: int = 32, seed: int = 0, only: str = ""
) -> tuple[np.ndarray, np.ndarray]:
    """Discs on noise: cats are bright, dogs dark, a band around each disc is ignored."""
    rng = np.random.default_rng(seed)
    images = rng.integers(90, 140, (count, side, side, 3), dtype=np.uint8)
    masks = np.zeros((count, side, side), dtype=np.uint8)
    rows = []
    across, down = np.meshgrid(np.arange(side), np.arange(side))
    for place in range(count):
        shown = only or ("cat", "dog")[place % 2]
        x, y = rng.uniform(0.35 * side, 0.65 * side, 2)
        distance = np.hypot(across - x, down - y)
        radius = rng.uniform(0.15, 0.3) * side
        images[place, distance < radius] = rng.integers(*((180, 250) if shown == "cat" else (5, 60)), 3)
        masks[place, distance < radius] = CLASSES.index(shown)
        masks[place, np.abs(distance - radius) < 1.5] = 255
        name = f"{shown}_breed_{place % 3}_{place}"
        rows.append({"name": name, "class": shown, "breed": name.rsplit("_", 1)[0]})
    write_split(root, split, images, masks, rows)
    return images, masks


def write_processed(root: Path, *, train: int = 12, test: int = 12, side: int = 32, only: str = "") -> Path:
    draw_split(root, "train", train, side, seed=1)
    draw_split(root, "test", test, side, seed=2, only=only)
    return root


def real_processed(root: Path, oxford: Path, count: int = 24, side: int = 32) -> Path:
    """Real images, the first few of cats and of dogs, brought to a small size."""
    lines = (oxford / "annotations" / "test.txt").read_text().splitlines()
    cats = [line.split() for line in lines if line.split()[2] == "1"]
    dogs = [line.split() for line in lines if line.split()[2] == "2"]
    for split, start in (("train", 0), ("test", count // 2)):
        chosen = [*cats[start : start + count // 2], *dogs[start : start + count // 2]]
        images = np.zeros((len(chosen), side, side, 3), dtype=np.uint8)
        masks = np.zeros((len(chosen), side, side), dtype=np.uint8)
        rows = []
        for place, (name, _, species, _) in enumerate(chosen):
            image = cv2.imread(str(oxford / "images" / f"{name}.jpg"))
            trimap = cv2.imread(str(oxford / "annotations" / "trimaps" / f"{name}.png"), cv2.IMREAD_GRAYSCALE)
            assert image is not None
            assert trimap is not None
            images[place] = cv2.resize(image[..., ::-1], (side, side), interpolation=cv2.INTER_AREA)
            small = cv2.resize(trimap, (side, side), interpolation=cv2.INTER_NEAREST)
            masks[place] = np.where(small == 3, 255, np.where(small == 1, int(species), 0))
            breed = name.rsplit("_", 1)[0]
            rows.append({"name": name, "class": CLASSES[int(species)], "breed": breed})
        write_split(root, split, images, masks, rows)
    return root


def config() -> ModelConfig:
    return ModelConfig((4, 8, 8), (0.0, 0.2, 0.2), (0.2, 0.0))


def tiny_unet(num_classes: int = 3) -> UNet:
    torch.manual_seed(0)
    return UNet(config(), num_classes)


def tiny_autoencoder() -> Autoencoder:
    torch.manual_seed(0)
    return Autoencoder(config(), skips=1)


class BrightnessSegmenter(nn.Module):
    """Knows the discs of :func:`draw_split` by their brightness: bright is cat, dark is dog."""

    def forward(self, x: Tensor) -> Tensor:
        grey = x.mean(dim=1)
        return torch.stack([0.25 - (grey - 0.45).abs(), grey - 0.65, 0.25 - grey], dim=1) * 20
