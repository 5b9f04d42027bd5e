"""Every picture of a source, decoded, cleaned and resized by all cores into one array on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ae_pretrained.data.cleaning import mask_problem, remove_specks_and_holes
from ae_pretrained.data.decode import read_mask, read_picture
from ae_pretrained.data.records import DataError, Record, Source
from ae_pretrained.data.resize import Box, content_box, resize_mask, resize_picture
from ae_pretrained.params.data import DataParams

_CHUNK = 64


@dataclass(frozen=True)
class Outcome:
    """What came of one picture.

    Attributes:
        error: why the file is unusable, or None.
        mask_problem: why its mask is of no use, or None.
        size: original width and height.
        box: where its content lies within the square.
    """

    error: str | None
    mask_problem: str | None
    size: tuple[int, int]
    box: Box


_Decoded = tuple[Outcome, np.ndarray | None, np.ndarray | None]


def _decode(record: Record, source: Source, params: DataParams) -> _Decoded:
    size = params.image_size
    try:
        picture = read_picture(record.image)
        height, width = picture.shape[:2]
        box = content_box(width, height, size, params.resize)
        small = resize_picture(picture, size, box)
        if record.mask is None:
            return Outcome(None, None, (width, height), box), small, None
        values = read_mask(record.mask)
        if values.shape != (height, width):
            raise DataError(
                f"{record.mask}: the mask has {values.shape[1]} x {values.shape[0]} px, its picture "
                f"{record.image.name} has {width} x {height} px"
            )
        mask = remove_specks_and_holes(source.class_mask(values, record), params.masks)
        small_mask = resize_mask(mask, size, box)
        # A pet of a few pixels can vanish when the mask shrinks: what counts is what training would see.
        problem = mask_problem(mask) or mask_problem(small_mask)
        return Outcome(None, problem, (width, height), box), small, small_mask
    except DataError as error:
        return Outcome(str(error), None, (0, 0), (0, 0, 0, 0)), None, None


def _decode_chunk(records: Sequence[Record], source: Source, params: DataParams) -> list[_Decoded]:
    import cv2

    cv2.setNumThreads(1)  # the processes are the parallelism
    return [_decode(record, source, params) for record in records]


def _results(records: Sequence[Record], source: Source, params: DataParams) -> Iterator[list[_Decoded]]:
    chunks = [records[start : start + _CHUNK] for start in range(0, len(records), _CHUNK)]
    work = partial(_decode_chunk, source=source, params=params)
    workers = min(params.workers or os.cpu_count() or 1, len(chunks))
    if workers == 1:
        yield from map(work, chunks)
        return
    with ProcessPoolExecutor(workers) as pool:
        # A few chunks ahead of the writer, not all: results wait in memory.
        ahead = [pool.submit(work, chunk) for chunk in chunks[: 2 * workers]]
        for position in range(len(chunks)):
            yield ahead.pop(0).result()
            if (following := position + 2 * workers) < len(chunks):
                ahead.append(pool.submit(work, chunks[following]))


def decode_all(
    records: Sequence[Record], source: Source, params: DataParams, folder: Path
) -> tuple[np.ndarray, np.ndarray, list[Outcome]]:
    """Decode every record into arrays on disk.

    Args:
        records: what to decode.
        source: turns mask values into classes.
        params: size, resizing, cleaning, number of processes.
        folder: where the arrays are kept.

    Returns:
        Memory-mapped images (N, S, S, 3) and masks (N, S, S), uint8, in the order of the records, and what
        came of each; rows of unusable files are undefined.
    """
    size, count = params.image_size, len(records)
    images = np.lib.format.open_memmap(
        folder / "images.npy", mode="w+", dtype=np.uint8, shape=(count, size, size, 3)
    )
    masks = np.lib.format.open_memmap(
        folder / "masks.npy", mode="w+", dtype=np.uint8, shape=(count, size, size)
    )
    outcomes: list[Outcome] = []
    with tqdm(total=count, desc="decode", unit="picture", disable=None) as bar:
        for chunk in _results(records, source, params):
            for outcome, image, mask in chunk:
                row = len(outcomes)
                if image is not None:
                    images[row] = image
                if mask is not None:
                    masks[row] = mask
                outcomes.append(outcome)
            bar.update(len(chunk))
    return images, masks, outcomes
