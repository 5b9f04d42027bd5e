"""Every image of a source, decoded, cleaned and resized by all cores into arrays on disk."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.cleaning import VANISHED, mask_problem, remove_specks_and_holes
from ae_pretrained.preparation.duplicates import THUMBNAIL, grey_thumbnail
from ae_pretrained.preparation.image_reader import read_image, read_mask
from ae_pretrained.preparation.processes import count_processes, process_pool
from ae_pretrained.preparation.resize import Box, content_box, resize_image, resize_mask
from ae_pretrained.preparation.staging import Place, Staging, write_stretch
from ae_pretrained.sources.base import DataError, Record, Source

MIN_SIDE = 8  # px; a smaller image shows nothing, enlarged it is a blank
_CHUNK = 64


@dataclass(frozen=True)
class Outcome:
    """What came of one image.

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


def _fail(error: str) -> Outcome:
    return Outcome(error, None, (0, 0), (0, 0, 0, 0), ())


def _decode(
    record: Record, source: Source, params: DataParams
) -> tuple[Outcome, np.ndarray, np.ndarray | None]:
    """Image (S, S, 3) and mask (S, S) of a record; raises DataError for an unusable file."""
    size = params.image_size
    image = read_image(record.image)
    height, width = image.shape[:2]
    if min(width, height) < MIN_SIDE:
        raise DataError(
            f"{record.image}: the image has {width} x {height} px; expected at least {MIN_SIDE} px a side"
        )
    box = content_box(width, height, size, params.resize)
    small = resize_image(image, size, box)
    if record.mask is None:
        return Outcome(None, None, (width, height), box, ()), small, None
    values = read_mask(record.mask)
    if values.shape != (height, width):
        turned = " (turned by its EXIF; turn the mask too)" if values.shape == (width, height) else ""
        raise DataError(
            f"{record.mask}: the mask has {values.shape[1]} x {values.shape[0]} px, its image "
            f"{record.image.name} has {width} x {height} px{turned}"
        )
    mask = remove_specks_and_holes(source.class_mask(values, record), params.masks)
    small_mask = resize_mask(mask, size, box)
    x0, y0, x1, y1 = box
    content = small_mask[y0:y1, x0:x1]
    counted = (*range(len(params.classes)), IGNORE_INDEX)
    pixels = tuple(int(np.count_nonzero(content == value)) for value in counted)
    # A pet of a few pixels can vanish when the mask shrinks: what counts is what training would see.
    problem = None if any(pixels[1:-1]) else mask_problem(small_mask)
    if problem is not None and mask_problem(mask) is None:
        problem = VANISHED
    return Outcome(None, problem, (width, height), box, pixels), small, small_mask


def _decode_chunk(
    part: tuple[int, Sequence[Record], Sequence[Place]], source: Source, params: DataParams, folder: Path
) -> list[Outcome]:
    """Decode a stretch of the records into the files of a staging."""
    start, records, places = part
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
    write_stretch(folder, start, places, images, masks, thumbnails)
    return outcomes


def _results(
    records: Sequence[Record], source: Source, params: DataParams, staging: Staging
) -> Generator[list[Outcome], None, None]:
    parts = [
        (start, records[start : start + _CHUNK], staging.places[start : start + _CHUNK])
        for start in range(0, len(records), _CHUNK)
    ]
    work = partial(_decode_chunk, source=source, params=params, folder=staging.folder)
    processes = count_processes(params.workers, len(parts))
    if processes == 1:
        yield from map(work, parts)
        return
    try:
        with process_pool(processes) as pool:
            yield from pool.map(work, parts)
    except BrokenProcessPool:
        raise DataError(
            "a decoding process was ended from outside, most likely because memory ran out; use fewer with "
            f"data.workers (now {processes})"
        ) from None


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
    staging = Staging.create(folder, records, params.image_size)
    outcomes: list[Outcome] = []
    bar = tqdm(total=len(records), desc="decode", unit="image", disable=None)
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
