"""Random crops of whole images, each a function of a seeded draw: a resumed run sees what it would have seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.utils.data import Dataset

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.dataset.arrays import PaddingMasks, Split
from ae_pretrained.dataset.augmentation import Augmentation
from ae_pretrained.dataset.batches import ArrayBatches, Batch, TrainingOrder
from ae_pretrained.dataset.views import Views
from ae_pretrained.windows.cutting import content, cut, placed_around
from ae_pretrained.windows.packed import PackedArray


class Draw(NamedTuple):
    """One crop to be drawn.

    Attributes:
        position: among the crops of one pass over the data.
        place: in the epoch, over all processes; decides whose turn it is among the classes.
        seed: of the crop, with its place: seed and epoch of the run.
    """

    position: int
    place: int
    seed: tuple[int, int]


class CropBatches(Dataset[Batch]):
    """Crops of packed images, a batch at a time.

    One pass over the data is as many crops as have the pixels of the images: an image is drawn in proportion to its
    size, at least once. A share of the crops of labelled data is centred on a pixel of a foreground class instead,
    one class after the other, in any of the images that show it (nnU-Net, Isensee et al. 2021, does so for a third).
    Where an image is labelled in part, every crop has a labelled pixel in its middle, as near as the edge allows.

    Args:
        split: packed images.
        chosen: positions of the images that may be drawn.
        side: of a crop, px.
        margin: px around it that augmentation may bring in.
        foreground: share of the crops that are centred on a foreground class.
        labelled: whether masks are class masks; for the autoencoder they are 255 beyond the image and 0 on it.
    """

    def __init__(
        self,
        split: Split,
        chosen: np.ndarray,
        side: int,
        *,
        margin: int = 0,
        foreground: float = 0.0,
        labelled: bool = True,
    ) -> None:
        assert isinstance(split.images, PackedArray)
        assert split.anchors is not None
        self.split, self.side, self.margin = split, side, margin
        self.foreground, self.labelled = foreground, labelled
        pixels = split.images.sizes[chosen].prod(axis=1)
        times = np.maximum(1, np.rint(pixels / side**2).astype(np.int64))
        self.rows = np.repeat(chosen, times)
        anchors = split.anchors[chosen] if labelled and foreground > 0 else np.zeros((0, 1, 1, 2), np.int32)
        holds = anchors[:, 1:, 0, 0] >= 0
        self.showing = [chosen[shown] for shown in holds.T if shown.any()]
        self.classes = [1 + place for place, shown in enumerate(holds.T) if shown.any()]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, draws: Sequence[Draw]) -> Batch:
        """Images (n, 3, M, M) uint8 and masks (n, M, M) uint8, where M is the side with a margin on either side."""
        crops = [self._crop(draw) for draw in draws]
        images = torch.from_numpy(np.stack([image for image, _ in crops]))
        masks = torch.from_numpy(np.stack([mask for _, mask in crops]))
        return images.permute(0, 3, 1, 2), masks

    def _crop(self, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
        row, y, x = self.place(draw)
        images, masks = self.split.images, self.split.masks
        assert isinstance(images, PackedArray)
        width, height = images.sizes[row].tolist()
        y, x, side = y - self.margin, x - self.margin, self.side + 2 * self.margin
        x0, y0, x1, y1 = content(y, x, side, side, height, width)
        mask = np.full((side, side), IGNORE_INDEX, dtype=np.uint8)
        mask[y0:y1, x0:x1] = masks[row][y + y0 : y + y1, x + x0 : x + x1] if self.labelled else 0
        return cut(images[row], y, x, side, side), mask

    def place(self, draw: Draw) -> tuple[int, int, int]:
        """Position of the image, and first row and column of the crop (without margin) that a draw stands for."""
        rng = np.random.default_rng([*draw.seed, draw.place])
        images, anchors = self.split.images, self.split.anchors
        assert isinstance(images, PackedArray)
        assert anchors is not None
        if self.classes and rng.random() < self.foreground:
            turn = draw.place % len(self.classes)
            row, label = int(rng.choice(self.showing[turn])), self.classes[turn]
            y, x = self._anchor(row, label, rng)
            width, height = images.sizes[row].tolist()
            return row, *placed_around(y, x, self.side, height, width)
        row = int(self.rows[draw.position])
        width, height = images.sizes[row].tolist()
        y, x = (_anywhere(size, self.side, rng) for size in (height, width))
        middle = (min(y + self.side // 2, height - 1), min(x + self.side // 2, width - 1))
        in_part = self.labelled and anchors[row, 0, 0, 0] >= 0
        if in_part and self.split.masks[row][middle] == IGNORE_INDEX:
            y, x = placed_around(*self._anchor(row, 0, rng), self.side, height, width)
        return row, y, x

    def _anchor(self, row: int, label: int, rng: np.random.Generator) -> tuple[int, int]:
        assert self.split.anchors is not None
        y, x = rng.choice(self.split.anchors[row, label]).tolist()
        return y, x


def _anywhere(size: int, side: int, rng: np.random.Generator) -> int:
    """First pixel of a crop along an axis; a smaller image lies in its middle."""
    return (size - side) // 2 if size <= side else int(rng.integers(size - side + 1))


class CropOrder(TrainingOrder):
    """As TrainingOrder, of draws for CropBatches."""

    def __iter__(self) -> Iterator[list[Draw]]:  # type: ignore[override]
        for update, positions in enumerate(super().__iter__()):
            first = update * self.total + self.rank
            yield [
                Draw(position, first + number * self.world_size, (self.seed, self.epoch))
                for number, position in enumerate(positions)
            ]


def training_batches(
    split: Split,
    chosen: np.ndarray,
    side: int,
    augment: Augmentation | Views,
    *,
    foreground: float = 0.0,
    labelled: bool = True,
) -> ArrayBatches | CropBatches:
    """What a training draws its batches from: the images of a split, or crops of them where they are packed.

    Args:
        split: the images.
        chosen: positions of those that may be drawn.
        side: of a crop, px.
        augment: may bring in what surrounds a crop.
        foreground: share of the crops that are centred on a foreground class.
        labelled: whether masks are class masks; otherwise they say what is padding.
    """
    if isinstance(split.images, PackedArray):
        margin = augment.margin(side)
        return CropBatches(split, chosen, side, margin=margin, foreground=foreground, labelled=labelled)
    return ArrayBatches(split.images, split.masks if labelled else PaddingMasks(split), chosen)
