"""Files for a model that sees images whole: one after the other, a window sliding over each.

Beside the network, memory holds the decoded image, its mask, and one band of probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from ae_pretrained.files import write_bytes
from ae_pretrained.names import shown
from ae_pretrained.prediction.input_files import read_input_image
from ae_pretrained.prediction.naming import MASK, OVERLAY
from ae_pretrained.prediction.overlays import mask_png, write_overlay
from ae_pretrained.prediction.prediction_tables import Row, Unreadable
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.prediction.window_progress import WindowProgress
from ae_pretrained.sources.base import DataError
from ae_pretrained.windows import SmallImageError


def predict_whole_images(
    segmenter: Segmenter,
    images: Sequence[Path],
    names: Sequence[str],
    folder: Path,
    *,
    batch_size: int,
    flip_averaging: bool,
    window: int | None,
    overlap: float | None,
    announce: Callable[[str], None],
) -> Generator[Row | Unreadable, None, None]:
    """Predict images and write their masks and overlays; the arguments are those of ``predict_into``."""

    def predicted(path: Path, name: str) -> Row | Unreadable:
        try:
            pixels = read_input_image(path, str(path), segmenter.decode, very_large=True)
        except DataError as error:
            return Unreadable(shown(path), shown(str(error)))
        height, width = pixels.shape[:2]
        count = segmenter.count_windows(height, width, window, overlap)
        label = f"{shown(path.name)}, {width} x {height} px"
        try:
            with WindowProgress(label, count, announce) as progress:
                bands = segmenter.bands(pixels, flip_averaging, batch_size, window, overlap, progress)
                found = segmenter.segment(bands, height, width)
        except (SmallImageError, DataError) as error:
            return Unreadable(shown(path), f"{shown(path)}: {error}")
        mask, overlay = f"{name}{MASK}", f"{name}{OVERLAY}"
        write_bytes(folder / mask, mask_png(found.mask, len(segmenter.classes)))
        write_overlay(folder / overlay, pixels, found.mask, len(segmenter.classes))
        return Row(
            shown(path),
            width,
            height,
            found.class_name,
            found.mean_confidence,
            found.shares,
            mask,
            overlay,
        )

    for path, name in zip(images, names, strict=True):
        yield predicted(
            path, name
        )  # a function of its own: its arrays are gone before the next image is read
