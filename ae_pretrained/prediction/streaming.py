"""Images in batches: the next batch is decoded while the current one is worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.image_facts import DecodeOptions
from ae_pretrained.sources.image_reader import read_first_page

_BATCH_PIXELS = 48_000_000  # ends a batch of large images early: memory holds two batches


@dataclass(frozen=True)
class InputImage:
    """An image to predict: its file, and its pixels or the reason why there are none.

    Attributes:
        position: its place among all.
        pixels: (H, W, 3) uint8 RGB, None where the file cannot be read.
        error: why it cannot be read.
        pages: pages or frames of the file, of which the first is the image.
    """

    position: int
    path: Path
    pixels: np.ndarray | None
    error: str = ""
    pages: int = 1


def read_input(
    position: int, path: Path, options: DecodeOptions | None, *, very_large: bool = False
) -> InputImage:
    """Decode a file for a model; see :func:`ae_pretrained.sources.image_reader.read_image` for ``very_large``."""
    try:
        pixels, pages = read_first_page(path, options or DecodeOptions(), very_large=very_large)
        return InputImage(position, path, pixels, pages=pages)
    except DataError as error:
        return InputImage(position, path, None, str(error))


def _next_batch(
    pending: Iterator[tuple[int, Path]], batch_size: int, options: DecodeOptions | None
) -> list[InputImage]:
    batch: list[InputImage] = []
    held = 0
    while len(batch) < batch_size and held < _BATCH_PIXELS:
        item = next(pending, None)
        if item is None:
            break
        batch.append(read_input(*item, options))
        pixels = batch[-1].pixels
        held += 0 if pixels is None else pixels.shape[0] * pixels.shape[1]
    return batch


def stream_images(
    paths: Sequence[Path], batch_size: int, options: DecodeOptions | None = None
) -> Generator[list[InputImage], None, None]:
    """Decode images in order, in batches of at most ``batch_size`` images and some 48 megapixels."""
    pending = iter(enumerate(paths))
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
        future = pool.submit(_next_batch, pending, batch_size, options)
        while batch := future.result():
            future = pool.submit(_next_batch, pending, batch_size, options)
            yield batch
