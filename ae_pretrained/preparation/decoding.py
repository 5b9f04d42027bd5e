"""Every image of a source, decoded, cleaned and resized by all cores into arrays on disk."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ae_pretrained.constants import DECODING, IGNORE_INDEX, IMAGES, MASKS
from ae_pretrained.files import write_json
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.cleaning import (
    NO_FOREGROUND,
    VANISHED,
    VANISHED_AT_SCALE,
    mask_problem,
    remove_specks_and_holes,
)
from ae_pretrained.preparation.duplicates import THUMBNAIL, grey_thumbnail
from ae_pretrained.preparation.packing import Packing, create_packed, draw_anchors, write_packed
from ae_pretrained.preparation.processes import count_processes, process_pool
from ae_pretrained.preparation.resize import (
    Box,
    content_box,
    resize_image,
    resize_mask,
    scale_image,
    scale_mask,
    working_size,
)
from ae_pretrained.preparation.storage import THUMBNAILS, create_array, write_rows
from ae_pretrained.sources.base import DataError, Sample, Source
from ae_pretrained.sources.image_facts import (
    FULL_RANGE,
    DecodeOptions,
    ImageFacts,
    bit_depth_white,
    turn,
)
from ae_pretrained.sources.image_reader import largest_of_16_bits, read_with_facts

MIN_SIDE = 8  # px; a smaller image shows nothing, enlarged it is a blank
_CHUNK = 64
_PACKED_CHUNK = 4  # images that are kept whole can be large


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one image.

    Attributes:
        error: why the file is unusable, or None.
        mask_problem: why its mask is of no use, or None.
        size: original width and height.
        box: where its content lies within the square; of an image that is kept whole, 0, 0, width, height.
        pixels: of the resized mask, the pixels of each class and, last, the ignored ones within the content;
            empty without a mask.
        facts: what the image file said about itself.
    """

    error: str | None
    mask_problem: str | None
    size: tuple[int, int]
    box: Box
    pixels: tuple[int, ...]
    facts: ImageFacts = field(default_factory=ImageFacts)


def _fail(error: str) -> Outcome:
    return Outcome(error, None, (0, 0), (0, 0, 0, 0), ())


def _decode(
    sample: Sample, source: Source, params: DataParams, options: DecodeOptions
) -> tuple[Outcome, np.ndarray, np.ndarray | None]:
    """Image (h, w, 3) and mask (h, w) of a sample, as the arrays hold them; DataError for an unusable file."""
    image, facts = read_with_facts(sample.image, options)
    height, width = image.shape[:2]
    if min(width, height) < MIN_SIDE:
        raise DataError(
            f"{sample.image}: the image has {width} x {height} px; expected at least {MIN_SIDE} px a side"
        )
    box, small = _bring_image(image, params)
    if sample.mask is None:
        return Outcome(None, None, (width, height), box, (), facts), small, None
    if params.exif == "with_mask" and facts.orientation != 1:
        # Drawn on the pixels as stored, it has the size of these.
        stored = (width, height) if facts.orientation in (5, 6, 7, 8) else (height, width)
        mask = turn(source.mask_of(sample, *stored), facts.orientation)
    else:
        mask = source.mask_of(sample, height, width)
    mask = remove_specks_and_holes(mask, params.masks)
    small_mask = (
        scale_mask(mask, *box[2:]) if params.resize == "crop" else resize_mask(mask, params.image_size, box)
    )
    x0, y0, x1, y1 = box
    content = small_mask[y0:y1, x0:x1]
    counted = (*range(len(params.classes)), IGNORE_INDEX)
    pixels = tuple(int(np.count_nonzero(content == value)) for value in counted)
    problem = None if any(pixels[1:-1]) else _problem(small_mask, mask, params)
    return Outcome(None, problem, (width, height), box, pixels, facts), small, small_mask


def _bring_image(image: np.ndarray, params: DataParams) -> tuple[Box, np.ndarray]:
    """An image at the size that the arrays hold, and where its content lies within it."""
    height, width = image.shape[:2]
    if params.resize == "crop":
        width, height = working_size(width, height, params.scale)
        return (0, 0, width, height), scale_image(image, width, height)
    box = content_box(width, height, params.image_size, params.resize)
    return box, resize_image(image, params.image_size, box)


def _problem(small_mask: np.ndarray, mask: np.ndarray, params: DataParams) -> str | None:
    """Why a mask is of no use that shows no foreground when resized, or None."""
    found, before = mask_problem(small_mask), mask_problem(mask)
    if before is None:  # a region of a few pixels vanishes when the mask shrinks
        return VANISHED_AT_SCALE if params.resize == "crop" else VANISHED
    if found == before == NO_FOREGROUND and params.masks.empty == "background":
        return None
    return found


def _decode_chunk(
    part: tuple[int, Sequence[Sample], Packing | None],
    source: Source,
    params: DataParams,
    options: DecodeOptions,
    folder: Path,
    seed: int,
) -> list[Outcome]:
    """Decode a stretch of the samples, the first of which is row ``part[0]``, into the arrays of a folder.

    Squares are written together at the end, which takes a third less CPU; images that are kept whole one by one.
    """
    start, samples, packing = part
    count, side = len(samples), 0 if params.resize == "crop" else params.image_size
    thumbnails = np.zeros((count, THUMBNAIL, THUMBNAIL), dtype=np.uint8)
    images = np.zeros((count, side, side, 3), dtype=np.uint8)
    masks = np.full((count, side, side), IGNORE_INDEX, dtype=np.uint8)
    outcomes = []
    for place, sample in enumerate(samples):
        try:
            outcome, image, mask = _decode(sample, source, params, options)
            if packing is not None:
                packing.check(place, sample, outcome.box[2:])
        except DataError as error:
            outcomes.append(_fail(str(error)))
            continue
        outcomes.append(outcome)
        x0, y0, x1, y1 = outcome.box
        thumbnails[place] = grey_thumbnail(image[y0:y1, x0:x1])
        used = mask if outcome.mask_problem is None else None
        if packing is not None:
            anchors = draw_anchors(used, len(params.classes), sample.name, seed)
            write_packed(folder, start + place, int(packing.offsets[place]), image, used, anchors)
        elif side:
            images[place] = image
            if used is not None:
                masks[place] = used
    write_rows(folder / THUMBNAILS, start, thumbnails)
    if side:
        write_rows(folder / IMAGES, start, images)
        write_rows(folder / MASKS, start, masks)
    return outcomes


def _results(
    samples: Sequence[Sample],
    source: Source,
    params: DataParams,
    options: DecodeOptions,
    folder: Path,
    packing: Packing | None,
    seed: int,
) -> Generator[list[Outcome], None, None]:
    chunk = _PACKED_CHUNK if params.resize == "crop" else _CHUNK
    starts = range(0, len(samples), chunk)
    stretches = (slice(start, start + chunk) for start in starts)
    parts = (
        (stretch.start, samples[stretch], None if packing is None else packing.part(stretch))
        for stretch in stretches
    )
    work = partial(_decode_chunk, source=source, params=params, options=options, folder=folder, seed=seed)
    processes = count_processes(params.workers, len(starts))
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
    samples: Sequence[Sample],
    source: Source,
    params: DataParams,
    folder: Path,
    packing: Packing | None = None,
    seed: int = 0,
) -> list[Outcome]:
    """Decode every sample into arrays on disk. Memory does not grow with their number, save the outcomes.

    Writes ``images.npy`` (N, S, S, 3), ``masks.npy`` (N, S, S) with 255 all over where there is no usable mask, and
    ``thumbnails.npy`` (N, 32, 32), grey, into the folder: row n is sample n, of an unusable file it is blank. Images
    that are kept whole go into ``images.npy`` (P, 3) and ``masks.npy`` (P,), each where ``packing`` says.
    Also ``decoding.json``, where 16 bits, alpha or scale are not as by default, for models to carry along.

    Args:
        samples: what to decode.
        source: turns mask values into classes.
        params: size, resizing, cleaning, number of processes, what to do about an unusable file.
        folder: for the arrays; made where it is not there.
        packing: of ``params.resize`` ``crop``, which keeps images whole; None keeps thumbnails alone.
        seed: of the pixels that crops are centred on.

    Returns:
        What came of each sample.

    Raises:
        DataError: for the first unusable file (in the order of the samples) where ``params.on_error`` is ``stop``.
        OSError: when the arrays cannot be written.
    """
    count, size = len(samples), params.image_size
    folder.mkdir(parents=True, exist_ok=True)
    if params.resize != "crop":
        create_array(folder / IMAGES, (count, size, size, 3))
        create_array(folder / MASKS, (count, size, size))
    elif packing is not None:
        create_packed(folder, packing, len(params.classes))
    create_array(folder / THUMBNAILS, (count, THUMBNAIL, THUMBNAIL))
    options = decode_options(samples, params)
    stated: dict[str, Any] = {}
    if (options.white, options.alpha) != (FULL_RANGE, "matte"):
        stated = {"white": options.white, "alpha": options.alpha}
    if params.scale != 1.0:
        stated["scale"] = params.scale
    if stated:
        write_json(folder / DECODING, stated)
    outcomes: list[Outcome] = []
    bar = tqdm(total=count, desc="decode", unit="image", disable=None)
    # Closed on the way out of an error too: no process may go on writing into a folder that is being removed.
    with bar, closing(_results(samples, source, params, options, folder, packing, seed)) as results:
        for chunk in results:
            for outcome in chunk:
                if outcome.error is not None and params.on_error == "stop":
                    raise unusable(outcome.error)
            outcomes += chunk
            bar.update(len(chunk))
    return outcomes


def decode_options(samples: Sequence[Sample], params: DataParams) -> DecodeOptions:
    """How the files of a data set are decoded; only for ``data.sixteen_bits: found`` are files read for it.

    There is one scale for all images of 16 bits, so that what is brighter in one than in another stays brighter: the
    bit depth that the brightest needs, lone pixels left out. Files that cannot be read are passed over: they are
    reported when the images are decoded.
    """
    white = FULL_RANGE
    if params.sixteen_bits == "found":

        def largest(sample: Sample) -> int:
            try:
                return largest_of_16_bits(sample.image)
            except DataError:
                return 0

        with ThreadPoolExecutor(count_processes(params.workers, len(samples))) as pool:
            found = pool.map(largest, samples)
            bar = tqdm(found, total=len(samples), desc="16 bits", unit="image", disable=None)
            largest_found = max(bar, default=0)
        white = bit_depth_white(largest_found) if largest_found else FULL_RANGE
    return DecodeOptions(white, params.alpha, params.exif != "ignore")


def unusable(detail: str) -> DataError:
    """The error for a file at fault, with the two ways on."""
    return DataError(f"{detail}. Mend or remove the file, or leave such files out with data.on_error=skip")
