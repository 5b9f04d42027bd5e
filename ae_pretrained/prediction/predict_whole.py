"""Files for a model that sees images whole: one after the other, a window sliding over each.

Beside the network, memory holds the decoded image, its mask, and one band of probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from ae_pretrained.names import shown
from ae_pretrained.prediction.image_results import write_results
from ae_pretrained.prediction.prediction_tables import Row, Unreadable
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.prediction.streaming import read_input
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

    # A function of its own: its arrays are gone before the next image is read.
    def predicted(position: int, path: Path) -> Row | Unreadable:
        image = read_input(position, path, segmenter.decode, very_large=True)
        if image.pixels is None:
            return Unreadable(shown(path), shown(image.error))
        height, width = image.pixels.shape[:2]
        count = segmenter.count_windows(height, width, window, overlap)
        label = f"{shown(path.name)}, {width} x {height} px"
        try:
            with WindowProgress(label, count, announce) as progress:
                bands = segmenter.bands(image.pixels, flip_averaging, batch_size, window, overlap, progress)
                found = segmenter.segment(bands, height, width)
        except (SmallImageError, DataError) as error:
            return Unreadable(shown(path), f"{shown(path)}: {error}")
        return write_results(image, image.pixels, found, folder, names[position], segmenter.classes)

    for position, path in enumerate(images):
        yield predicted(position, path)
