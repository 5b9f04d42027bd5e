"""A small data set of another kind than pets: mosaics of three real textures, to be told apart pixel by pixel.

Brick, grass and gravel are photographs that ship with scikit-image (each 512 x 512 px, grey, public domain). Every
mosaic lays patches of them beside each other along smooth random borders; which texture a pixel shows is its class.
All patches are brought to the same mean and contrast, so that grey values alone do not tell the classes apart.

No pixel of a photograph is in two splits: training patches come from its left part, validation from a strip in the
middle and testing from its right part; ``val.txt`` and ``test.txt`` say so.

    python examples/textures.py textures
    ae-pretrained init textures-project --from textures --classes gravel,grass,brick
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, maximum_filter, minimum_filter
from skimage import data

SIDE = 96  # px, of a mosaic
CLASSES = ("gravel", "grass", "brick")
# Columns of the photographs that each split is cut from.
COLUMNS = {"train": (0, 272), "val": (272, 380), "test": (380, 512)}
UNLABELLED = 255
_MEAN, _CONTRAST = 118.0, 38.0


def mosaic(
    textures: list[np.ndarray], columns: tuple[int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """An image (SIDE, SIDE) uint8 and its mask; pixels on a border are unlabelled."""
    fields = np.stack([gaussian_filter(rng.standard_normal((SIDE, SIDE)), 14) for _ in textures])
    fields /= fields.std(axis=(1, 2), keepdims=True)
    # Two textures or all three, in changing shares.
    fields += rng.normal(0, 0.5, (len(textures), 1, 1))
    mask = fields.argmax(axis=0).astype(np.uint8)
    image = np.zeros((SIDE, SIDE))
    for label, texture in enumerate(textures):
        image = np.where(mask == label, _patch(texture, columns, rng), image)
    image = (image * _CONTRAST * rng.uniform(0.7, 1.2) + _MEAN + rng.normal(0, 12)).clip(0, 255)
    mask[maximum_filter(mask, 3) != minimum_filter(mask, 3)] = UNLABELLED
    return image.round().astype(np.uint8), mask


def _patch(texture: np.ndarray, columns: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A random piece of a texture's columns, mirrored at random, of mean 0 and variance 1."""
    left = rng.integers(columns[0], columns[1] - SIDE + 1)
    top = rng.integers(0, texture.shape[0] - SIDE + 1)
    piece = texture[top : top + SIDE, left : left + SIDE].astype(np.float64)
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    return (piece - piece.mean()) / piece.std()


def write_textures(root: Path, counts: dict[str, int], unlabelled: int, seed: int) -> None:
    """Write images/, masks/, unlabelled/, val.txt and test.txt."""
    textures = [getattr(data, name)() for name in CLASSES]
    for folder in ("images", "masks", "unlabelled"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for stream, (split, count) in enumerate(counts.items()):
        rng = np.random.default_rng([seed, stream])
        names = [f"{split}_{number:03}" for number in range(count)]
        for name in names:
            image, mask = mosaic(textures, COLUMNS[split], rng)
            Image.fromarray(image).save(root / "images" / f"{name}.png")
            Image.fromarray(mask).save(root / "masks" / f"{name}.png")
        if split != "train":
            (root / f"{split}.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    rng = np.random.default_rng([seed, len(counts)])
    for number in range(unlabelled):
        image, _ = mosaic(textures, COLUMNS["train"], rng)
        Image.fromarray(image).save(root / "unlabelled" / f"more_{number:03}.png")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder to write")
    parser.add_argument("--train", type=int, default=120)
    parser.add_argument("--val", type=int, default=40)
    parser.add_argument("--test", type=int, default=60)
    parser.add_argument("--unlabelled", type=int, default=120)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    counts = {"train": arguments.train, "val": arguments.val, "test": arguments.test}
    write_textures(arguments.folder, counts, arguments.unlabelled, arguments.seed)
    print(
        f"{sum(counts.values())} mosaics with masks and {arguments.unlabelled} without in {arguments.folder}"
    )


if __name__ == "__main__":
    main()
