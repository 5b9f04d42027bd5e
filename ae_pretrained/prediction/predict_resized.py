"""Files for a model that sees every image at one size: batch by batch, decoded and written beside the network."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from ae_pretrained.names import shown
from ae_pretrained.prediction.image_results import write_results
from ae_pretrained.prediction.prediction_tables import Row, Unreadable
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.prediction.streaming import InputImage, stream_images
from ae_pretrained.preparation.processes import count_processes

_WRITERS = 4


def predict_resized_images(
    segmenter: Segmenter,
    images: Sequence[Path],
    names: Sequence[str],
    folder: Path,
    batch_size: int,
    flip_averaging: bool,
) -> Generator[Row | Unreadable, None, None]:
    """Predict images and write their masks and overlays.

    The next batch is decoded and the last one written while the network is at work.
    """
    finish = partial(_finish, segmenter, names, folder)
    with (
        closing(stream_images(images, batch_size, segmenter.decode)) as batches,
        ThreadPoolExecutor(count_processes(_WRITERS, len(images)), thread_name_prefix="write") as pool,
    ):
        for batch in batches:
            yield from pool.map(finish, *_predicted(segmenter, batch, flip_averaging))


def _predicted(
    segmenter: Segmenter, batch: Sequence[InputImage], flip_averaging: bool
) -> tuple[Sequence[InputImage], list[np.ndarray | None]]:
    """The images of a batch, and the small probabilities of those that could be read."""
    readable = [image.pixels for image in batch if image.pixels is not None]
    maps: Iterator[np.ndarray] = iter(segmenter.probabilities(readable, flip_averaging=flip_averaging))
    return batch, [None if image.pixels is None else next(maps) for image in batch]


def _finish(
    segmenter: Segmenter,
    names: Sequence[str],
    folder: Path,
    image: InputImage,
    probabilities: np.ndarray | None,
) -> Row | Unreadable:
    """Mask and overlay of one image, written."""
    if image.pixels is None or probabilities is None:
        return Unreadable(shown(image.path), shown(image.error))
    prediction = segmenter.prediction(probabilities, *image.pixels.shape[:2])
    return write_results(image, image.pixels, prediction, folder, names[image.position], segmenter.classes)
