"""Every picture of a source, decoded, cleaned and resized by all cores into arrays on disk."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from ae_pretrained.data.cleaning import VANISHED, mask_problem, remove_specks_and_holes
from ae_pretrained.data.constants import IGNORE_INDEX
from ae_pretrained.data.decode import read_mask, read_picture
from ae_pretrained.data.leaks import THUMBNAIL, grey_thumbnail
from ae_pretrained.data.records import DataError, Record, Source
from ae_pretrained.data.resize import Box, content_box, resize_mask, resize_picture
from ae_pretrained.data.storage import create_array, write_rows
from ae_pretrained.params.data import DataParams

MIN_SIDE = 8  # px; a smaller picture shows nothing, enlarged it is a blank
_CHUNK = 64


@dataclass(frozen=True)
class Outcome:
    """What came of one picture.

    Attributes:
        error: why the file is unusable, or None.
        mask_problem: why its mask is of no use, or None.
        size: original width and height.
        box: where its content lies within the square.
        pixels: of the resized mask, the pixels of each class and, last, the ignored ones within the content;
            empty without a mask.
    """

    error: str | None
    mask_problem: str | None
    size: tuple[int, int]
    box: Box
    pixels: tuple[int, ...]


@dataclass(frozen=True)
class Staging:
    """Arrays of every record, in the order of the records; rows of unusable files are zeros.

    Attributes:
        images: file of an (N, S, S, 3) array.
        masks: file of an (N, S, S) array.
        thumbnails: file of an (N, 32, 32) array of grey values.
    """

    images: Path
    masks: Path
    thumbnails: Path

    @classmethod
    def create(cls, folder: Path, count: int, size: int) -> Staging:
        """Make the files, at full length."""
        folder.mkdir(parents=True)
        staging = cls(folder / "images.npy", folder / "masks.npy", folder / "thumbnails.npy")
        create_array(staging.images, (count, size, size, 3))
        create_array(staging.masks, (count, size, size))
        create_array(staging.thumbnails, (count, THUMBNAIL, THUMBNAIL))
        return staging


def _fail(error: str) -> Outcome:
    return Outcome(error, None, (0, 0), (0, 0, 0, 0), ())


def _decode(
    record: Record, source: Source, params: DataParams
) -> tuple[Outcome, np.ndarray, np.ndarray | None]:
    """Picture (S, S, 3) and mask (S, S) of a record; raises DataError for an unusable file."""
    size = params.image_size
    picture = read_picture(record.image)
    height, width = picture.shape[:2]
    if min(width, height) < MIN_SIDE:
        raise DataError(
            f"{record.image}: the picture has {width} x {height} px; expected at least {MIN_SIDE} px a side"
        )
    box = content_box(width, height, size, params.resize)
    small = resize_picture(picture, size, box)
    if record.mask is None:
        return Outcome(None, None, (width, height), box, ()), small, None
    values = read_mask(record.mask)
    if values.shape != (height, width):
        turned = " (turned by its EXIF; turn the mask too)" if values.shape == (width, height) else ""
        raise DataError(
            f"{record.mask}: the mask has {values.shape[1]} x {values.shape[0]} px, its picture "
            f"{record.image.name} has {width} x {height} px{turned}"
        )
    mask = remove_specks_and_holes(source.class_mask(values, record), params.masks)
    small_mask = resize_mask(mask, size, box)
    x0, y0, x1, y1 = box
    content = small_mask[y0:y1, x0:x1]
    pixels = tuple(np.count_nonzero(content == value) for value in (*range(len(params.classes)), IGNORE_INDEX))
    # A pet of a few pixels can vanish when the mask shrinks: what counts is what training would see.
    problem = None if any(pixels[1:-1]) else mask_problem(small_mask)
    if problem is not None and mask_problem(mask) is None:
        problem = VANISHED
    return Outcome(None, problem, (width, height), box, pixels), small, small_mask


def _decode_chunk(
    part: tuple[int, Sequence[Record]], source: Source, params: DataParams, staging: Staging
) -> list[Outcome]:
    """Decode a stretch of the records into its rows."""
    cv2.setNumThreads(1)  # the processes are the parallelism
    start, records = part
    size = params.image_size
    images = np.zeros((len(records), size, size, 3), dtype=np.uint8)
    masks = np.zeros((len(records), size, size), dtype=np.uint8)
    thumbnails = np.zeros((len(records), THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    outcomes = []
    for row, record in enumerate(records):
        try:
            outcome, image, mask = _decode(record, source, params)
        except DataError as error:
            outcomes.append(_fail(str(error)))
            continue
        x0, y0, x1, y1 = outcome.box
        images[row], thumbnails[row] = image, grey_thumbnail(image[y0:y1, x0:x1])
        if mask is not None:
            masks[row] = mask
        outcomes.append(outcome)
    write_rows(staging.images, start, images)
    write_rows(staging.masks, start, masks)
    write_rows(staging.thumbnails, start, thumbnails)
    return outcomes


def count_processes(wanted: int, jobs: int) -> int:
    """How many processes to start: ``wanted``, or one a core where that is 0, and never more than there are jobs."""
    # Not the cores of the machine, but those that this process may use: containers and batch systems give few.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(wanted or cores, jobs))


def _results(
    records: Sequence[Record], source: Source, params: DataParams, staging: Staging
) -> Generator[list[Outcome], None, None]:
    parts = [(start, records[start : start + _CHUNK]) for start in range(0, len(records), _CHUNK)]
    work = partial(_decode_chunk, source=source, params=params, staging=staging)
    processes = count_processes(params.workers, len(parts))
    if processes == 1:
        yield from map(work, parts)
        return
    pool = ProcessPoolExecutor(processes)
    try:
        yield from pool.map(work, parts)
    except BrokenProcessPool:
        raise DataError(
            "a decoding process was ended from outside, most likely because memory ran out; use fewer with "
            f"data.workers (now {processes})"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def decode_all(
    records: Sequence[Record], source: Source, params: DataParams, folder: Path
) -> tuple[Staging, list[Outcome]]:
    """Decode every record into arrays on disk. Memory does not grow with their number, save the outcomes.

    Args:
        records: what to decode.
        source: turns mask values into classes.
        params: size, resizing, cleaning, number of processes, what to do about an unusable file.
        folder: made for the arrays.

    Returns:
        The arrays and what came of each record.

    Raises:
        DataError: for the first unusable file (in the order of the records) where ``params.on_error`` is ``stop``.
        OSError: when the arrays cannot be written.
    """
    staging = Staging.create(folder, len(records), params.image_size)
    outcomes: list[Outcome] = []
    bar = tqdm(total=len(records), desc="decode", unit="picture", disable=None)
    # Closed on the way out of an error too: no process may go on writing into a folder that is being removed.
    with bar, closing(_results(records, source, params, staging)) as results:
        for chunk in results:
            for outcome in chunk:
                if outcome.error is not None and params.on_error == "stop":
                    raise unusable(outcome.error)
            outcomes += chunk
            bar.update(len(chunk))
    return staging, outcomes


def unusable(detail: str) -> DataError:
    """The error for a file at fault, with the two ways on."""
    return DataError(f"{detail}. Mend or remove the file, or leave such files out with data.on_error=skip")
