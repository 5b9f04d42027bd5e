"""A network on an image of any size, window by window; memory does not grow with the image's height.

Windows overlap, and their probabilities are averaged with Gaussian weights, as in nnU-Net (Isensee et al., Nature
Methods 18, 2021). MONAI's ``sliding_window_inference`` does the same, but holds the probabilities of the whole image:
19 GB at 20,000 x 20,000 px and 12 classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ae_pretrained.errors import PipelineError
from ae_pretrained.windows.cutting import cut
from ae_pretrained.windows.placement import (
    SMALLEST_IMAGE,
    AxisWindows,
    SmallImageError,
    check_windows,
    windows_along,
)

Probabilities = Callable[[np.ndarray], np.ndarray]
"""From images (N, 3, h, w) float32 in [0, 1] to probabilities (N, C, h, w) float32 that sum to 1 over C."""
Bands = Iterator[tuple[int, np.ndarray]]
"""From top to bottom, first row and (C, rows, W) float32; every row of an image once."""

_BATCH_PIXELS = 2**20  # of all windows of a batch: they, and not the image, decide what the network needs


def slide(
    probabilities: Probabilities,
    image: np.ndarray,
    *,
    window: int,
    overlap: float,
    stride: int,
    batch_size: int = 16,
    halo: int = 0,
) -> Bands:
    """Probabilities of every pixel of an image, in bands from top to bottom.

    The image is reflected at its lower and right end up to a multiple of ``stride``. Starts and sides of windows are
    such multiples too, so that the network's deeper features lie where they lie in the whole image. A window is as
    long as the reflected image along an axis where that is shorter; an image that fits in one window is one call.

    Args:
        probabilities: runs the network, see :data:`Probabilities`.
        image: (H, W, 3) uint8 RGB, both sides at least 8 px; may be a read-only memory map.
        window: side of a window, px: a multiple of ``stride``, at least two of it.
        overlap: share of its side by which a window overlaps the next one at least, 0 to 0.75.
        stride: of the network's deepest features, px.
        batch_size: windows per call at most; together they have at most about a megapixel.
        halo: px at the edges of a window that do not count, save at the edges of the image. From half the network's
            receptive field on, the result is that of the whole image, as far as its norm allows (batch norm).

    Returns:
        Iterator over the bands, see :data:`Bands`. The next step writes into the same memory again. It holds C x
        ``window`` x W float32.

    Raises:
        PipelineError: for an argument out of its range, and an image that is too small.

    Example:
        >>> import numpy as np
        >>> from ae_pretrained.windows import Bands, class_map, probabilities_of
        >>> def brightness(images):  # of a network, its logits
        ...     return np.concatenate([1 - images[:, :1], images[:, :1]], axis=1)
        >>> image = np.full((100, 70, 3), 255, dtype=np.uint8)
        >>> network = probabilities_of(brightness, flip_averaging=True)
        >>> bands: Bands = slide(network, image, window=64, overlap=0.25, stride=32)
        >>> [(first, band.shape) for first, band in bands]
        [(0, (2, 32, 70)), (32, (2, 32, 70)), (64, (2, 36, 70))]
        >>> bands = slide(network, image, window=64, overlap=0.25, stride=32)
        >>> mask, confidence = class_map(bands, 100, 70)
        >>> int(mask.min()), round(float(confidence.mean()), 2)
        (1, 0.73)
    """
    check_windows(window, overlap, stride, halo)
    if batch_size < 1:
        raise PipelineError(f"batch_size: found {batch_size}, expected at least 1")
    height, width = image.shape[:2]
    if min(height, width) < SMALLEST_IMAGE:
        raise SmallImageError(
            f"an image of {width} x {height} px is too small; both sides must have at least {SMALLEST_IMAGE} px"
        )
    rows = windows_along(height, window, overlap, stride, halo)
    columns = windows_along(width, window, overlap, stride, halo)
    return _bands(probabilities, image, rows, columns, batch_size)


def _bands(
    probabilities: Probabilities,
    image: np.ndarray,
    rows: AxisWindows,
    columns: AxisWindows,
    batch_size: int,
) -> Bands:
    height, width = image.shape[:2]
    count = max(1, min(batch_size, _BATCH_PIXELS // (rows.side * columns.side)))
    sums: np.ndarray | None = None
    for place, (y0, by_row) in enumerate(zip(rows.starts, rows.weights, strict=True)):
        for first in range(0, len(columns.starts), count):
            starts = columns.starts[first : first + count]
            maps = probabilities(np.stack([_cut(image, y0, x0, rows.side, columns.side) for x0 in starts]))
            if sums is None:
                sums = np.zeros((maps.shape[1], rows.side, columns.starts[-1] + columns.side), np.float32)
            for planes, x0, by_column in zip(maps, starts, columns.weights[first:], strict=False):
                sums[:, :, x0 : x0 + columns.side] += planes * (by_row[:, None] * by_column)
        assert sums is not None
        if place + 1 == len(rows.starts):
            yield y0, sums[:, : height - y0, :width]
            return
        done = rows.starts[place + 1] - y0
        yield y0, sums[:, :done, :width]
        for plane in sums:  # one by one: where both parts overlap, numpy makes a copy
            plane[: rows.side - done] = plane[done:]
            plane[rows.side - done :] = 0


def _cut(image: np.ndarray, y0: int, x0: int, height: int, width: int) -> np.ndarray:
    """A window, (3, height, width) float32 in [0, 1], reflected where the image ends."""
    window = cut(image, y0, x0, height, width).transpose(2, 0, 1)
    return np.ascontiguousarray(window, dtype=np.float32) / np.float32(255)
