"""Images kept whole, of all sizes: where each one lies in the arrays, which pixels crops are centred on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from tqdm import tqdm

from ae_pretrained.constants import ANCHORS, IGNORE_INDEX, IMAGES, MASKS
from ae_pretrained.names import named
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.processes import count_processes
from ae_pretrained.preparation.resize import working_size
from ae_pretrained.preparation.storage import create_array, reorder_rows, squeeze_stretches, write_rows
from ae_pretrained.sources.base import DataError, Sample
from ae_pretrained.sources.image_reader import read_size
from ae_pretrained.windows.packed import PackedArray, WindowArray, close_up

ANCHORS_PER_CLASS = 32
_FAR_OFF = 3.0  # a size that differs from the median by this factor is of another camera, or of another scale


@dataclass(frozen=True)
class Packing:
    """Where each image lies in the arrays.

    Attributes:
        sizes: (N, 2) int64 width and height of each image at the working scale; 0 of an unusable file.
        offsets: (N,) int64 first pixel of each.
    """

    sizes: np.ndarray
    offsets: np.ndarray

    @property
    def num_pixels(self) -> int:
        return int(self.sizes.prod(axis=1).sum())

    def part(self, rows: slice) -> Packing:
        """That of some of the images."""
        return Packing(self.sizes[rows], self.offsets[rows])

    def check(self, row: int, sample: Sample, size: Sequence[int]) -> None:
        """Raise DataError when an image was not decoded to the width and height that its header said."""
        if tuple(size) != tuple(self.sizes[row].tolist()):
            raise DataError(
                f"{sample.image}: decoded to {tuple(size)} px at data.scale, but its header says "
                f"{tuple(self.sizes[row].tolist())}; save it anew"
            )


def plan_packing(samples: Sequence[Sample], params: DataParams) -> Packing:
    """Read the sizes of all images from their headers, and lay them out one after the other."""

    def size(sample: Sample) -> tuple[int, int]:
        try:
            return working_size(*read_size(sample.image, params.exif != "ignore"), params.scale)
        except DataError:  # reported when the image is decoded
            return (0, 0)

    with ThreadPoolExecutor(count_processes(params.workers, len(samples))) as pool:
        found = pool.map(size, samples)
        listed = list(tqdm(found, total=len(samples), desc="sizes", unit="image", disable=None))
    sizes = np.array(listed, dtype=np.int64).reshape(-1, 2)
    pixels = sizes.prod(axis=1)
    return Packing(sizes, np.cumsum(pixels) - pixels)


def check_crop_size(sizes: np.ndarray, params: DataParams) -> None:
    """Raise DataError when no image is as large as the crops that training is to draw.

    Args:
        sizes: (N, 2) width and height at the working scale; 0 of an unusable file.
        params: side of the crops.
    """
    smaller_side = sizes.min(axis=1)
    if len(sizes) and 0 < smaller_side.max() < params.image_size:
        width, height = sizes[smaller_side.argmax()].tolist()
        raise DataError(
            f"data.image_size: crops of {params.image_size} px are larger than every one of the {len(sizes)} images, "
            f"the largest of which has {width} x {height} px at data.scale {params.scale:g}; use at most "
            f"{max(32, int(smaller_side.max()) // 32 * 32)}, or data.resize: pad"
        )


def size_warnings(samples: Sequence[Sample], sizes: np.ndarray, params: DataParams) -> list[str]:
    """What should be known of the sizes: images smaller than a crop, and images of another camera or scale.

    Args:
        samples: every image.
        sizes: (N, 2) width and height at the working scale; 0 of an unusable file.
        params: side of the crops.
    """
    usable = np.flatnonzero(sizes.min(axis=1) > 0) if len(sizes) else np.zeros(0, dtype=np.int64)
    if not len(usable):
        return []
    warnings = []
    files = [sample.image for sample in samples]
    small = usable[sizes[usable].min(axis=1) < params.image_size]
    if len(small):
        those = named([files[row] for row in small])
        warnings.append(
            f"{len(small)} of {len(usable)} images are smaller than the crops (data.image_size, {params.image_size} "
            f"px) and are filled up with their mirror image, which counts nowhere: {those}"
        )
    sides = sizes[usable].max(axis=1)
    median = float(np.median(sides))
    far = usable[(sides > _FAR_OFF * median) | (sides * _FAR_OFF < median)]
    if len(far):
        those = named([files[row] for row in far])
        warnings.append(
            f"{len(far)} of {len(usable)} images are more than {_FAR_OFF:g} times larger or smaller than most "
            f"(median longer side {median:.0f} px at data.scale): {those}. If they show the same "
            "things with more or fewer pixels, bring them to one scale first: data.resize: crop takes sizes as they "
            "are"
        )
    return warnings


def create_packed(folder: Path, packing: Packing, num_classes: int) -> None:
    """Make the arrays: ``images.npy`` (P, 3), ``masks.npy`` (P,), ``anchors.npy`` (N, C, 32, 2), all zero."""
    create_array(folder / IMAGES, (packing.num_pixels, 3))
    create_array(folder / MASKS, (packing.num_pixels,))
    create_array(folder / ANCHORS, (len(packing.sizes), num_classes, ANCHORS_PER_CLASS, 2), np.int32)


def write_packed(
    folder: Path,
    row: int,
    offset: int,
    image: np.ndarray,
    mask: np.ndarray | None,
    anchors: np.ndarray,
) -> None:
    """Write one image (h, w, 3), its mask (h, w) and its anchors into the arrays; no mask is 255 all over."""
    write_rows(folder / IMAGES, offset, image.reshape(-1, 3))
    if mask is None:
        mask = np.full(image.shape[:2], IGNORE_INDEX, dtype=np.uint8)
    write_rows(folder / MASKS, offset, mask.reshape(-1))
    write_rows(folder / ANCHORS, row, anchors[None])


def draw_anchors(mask: np.ndarray | None, num_classes: int, name: str, seed: int) -> np.ndarray:
    """Pixels that crops may be centred on, drawn for each image alone: other images change nothing.

    Args:
        mask: (h, w) uint8, None for an image without labels.
        num_classes: C, background included.
        name: of the image; part of the seed.
        seed: of the run.

    Returns:
        (C, 32, 2) int32 rows and columns: of each foreground class, its pixels; in place of background, pixels that
        are labelled, where only a part of the image is. -1 where there are none (as in an image labelled all over).
    """
    anchors = np.full((num_classes, ANCHORS_PER_CLASS, 2), -1, dtype=np.int32)
    if mask is None:
        return anchors
    rng = np.random.default_rng([seed, crc32(name.encode())])
    labelled = mask != IGNORE_INDEX
    for label in range(num_classes):
        if label == 0 and labelled.all():
            continue
        places = np.flatnonzero(labelled if label == 0 else mask == label)
        if len(places):
            chosen = rng.choice(places, ANCHORS_PER_CLASS)
            anchors[label] = np.stack(np.unravel_index(chosen, mask.shape), axis=1)
    return anchors


def read_close_ups(
    folder: Path, packing: Packing, rows: Sequence[int], side: int
) -> tuple[np.ndarray, np.ndarray]:
    """Close-ups from arrays that are still in the order of the samples; see ``windows.packed.close_up``.

    Returns:
        (n, side, side, 3) images and (n, side, side) masks, 255 beyond the images.
    """
    images, masks = (
        PackedArray(np.load(folder / file, mmap_mode="r"), packing.offsets, packing.sizes)
        for file in (IMAGES, MASKS)
    )
    anchors = np.load(folder / ANCHORS, mmap_mode="r")
    windows = [close_up(row, masks[row], anchors[row], side) for row in rows]
    return WindowArray(images, windows, side, masks=False)[:], WindowArray(masks, windows, side, masks=True)[
        :
    ]


def keep_packed(folder: Path, packing: Packing, order: Sequence[int]) -> np.ndarray:
    """Drop images that are in no split: pixels stay in the order of the samples, anchors follow ``order``.

    Returns:
        (len(order),) int64 first pixel of each image of ``order``.
    """
    kept = sorted(order)
    lengths = packing.sizes.prod(axis=1)
    stretches = [(int(packing.offsets[row]), int(lengths[row])) for row in kept]
    for file in (IMAGES, MASKS):
        squeeze_stretches(folder / file, stretches)
    reorder_rows(folder / ANCHORS, order)
    starts = np.cumsum(lengths[kept]) - lengths[kept]
    return starts[np.searchsorted(kept, order)]
