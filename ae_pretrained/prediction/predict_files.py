"""Segment image files and write masks, overlays and tables into a folder."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ae_pretrained.annotations.writers import AnnotationWriter
from ae_pretrained.errors import PipelineError
from ae_pretrained.names import shown
from ae_pretrained.prediction.image_results import write_results
from ae_pretrained.prediction.naming import (
    TABLES,
    check_no_file_is_replaced,
    check_no_image_is_replaced,
    earlier_results,
    result_names,
)
from ae_pretrained.prediction.predict_whole import predict_whole_images
from ae_pretrained.prediction.prediction_tables import Row, Unreadable, write_tables
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.prediction.streaming import InputImage, stream_images
from ae_pretrained.preparation.processes import count_processes

_WRITERS = 4


@dataclass(frozen=True)
class FolderResult:
    """Results, in the order of the images.

    Attributes:
        rows: one per image that was predicted.
        unreadable: one per image that could not be read.
    """

    rows: list[Row] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)


def predict_into(
    segmenter: Segmenter,
    images: Sequence[Path],
    folder: Path,
    *,
    batch_size: int = 16,
    flip_averaging: bool = True,
    window: int | None = None,
    overlap: float | None = None,
    overwrite: bool = False,
    annotations: AnnotationWriter | None = None,
    passed_over: Sequence[Path] = (),
    report: Callable[[Row | Unreadable], None] = lambda _: None,
    announce: Callable[[str], None] = lambda _: None,
) -> FolderResult:
    """Predict images and write ``STEM_mask.png``, ``STEM_overlay.png``, ``predictions.json`` and ``.csv``.

    Every file is written whole or not at all, and replaces one of the same name from an earlier run, as the
    ``predictions.json`` there lists them. Only the rows of the tables grow with the number of images.

    Args:
        segmenter: predicts.
        images: files; what cannot be read is left out and listed.
        folder: made where it is absent.
        batch_size: images, or windows of one, that go through the network at once.
        flip_averaging: average with the prediction for the mirror image.
        window, overlap: see :meth:`ae_pretrained.prediction.segmenter.Segmenter.windows`.
        overwrite: replace files that no earlier run wrote, too; never one of the images.
        annotations: writes the masks for an annotation tool too, into the same folder.
        passed_over: files that were found and are no images, to be listed.
        report: called for each image, in order, once its files are written.
        announce: called with a line on an image that will take long.

    Raises:
        PipelineError: for an argument out of its range, when no image can be read (nothing is written then), the
            folder cannot be written, or a result would replace one of the images or a file of somebody else. Save
            for unreadable images, this is found out before any work.
    """
    if batch_size < 1:
        raise PipelineError(f"batch_size: found {batch_size}, expected at least 1")
    segmenter.windows(window, overlap)
    names = result_names(images)
    check_no_image_is_replaced(images, names, folder)
    earlier = earlier_results(folder)
    extra = [] if annotations is None else _annotation_names(annotations, images, names)
    if not overwrite:
        check_no_file_is_replaced(names, folder, earlier, extra)
    result = FolderResult()
    try:
        _check_writable(folder)
        if segmenter.resize == "crop":
            items = predict_whole_images(
                segmenter,
                images,
                names,
                folder,
                batch_size=batch_size,
                flip_averaging=flip_averaging,
                window=window,
                overlap=overlap,
                announce=announce,
                annotations=annotations,
            )
        else:
            items = _predict_resized(
                segmenter, images, names, folder, batch_size, flip_averaging, annotations
            )
        with (
            tqdm(total=len(images), desc="predict", unit="image", delay=2, disable=None) as bar,
            closing(items),
        ):
            for item in items:
                _keep(item, result, report)
                bar.update()
        if not result.rows:
            raise PipelineError(f"none of {len(images)} images could be read; nothing was predicted")
        if annotations is not None:
            annotations.finish()
        write_tables(
            folder,
            result.rows,
            result.unreadable,
            segmenter.classes,
            flip_averaging,
            passed_over=passed_over,
            earlier=earlier,
        )
    except OSError as error:
        place = shown(error.filename) if error.filename else str(folder)
        raise PipelineError(
            f"{place}: cannot be written ({error.strerror}); free some space or choose another folder with --out"
        ) from None
    return result


def _annotation_names(
    annotations: AnnotationWriter, images: Sequence[Path], names: Sequence[str]
) -> list[str]:
    """The files for the annotation tool; PipelineError where two of them, or one and a table, have one name."""
    found = sorted({annotations.file_name(name) for name in names})
    if annotations.kind != "labelme" and len(known := Counter(image.name for image in images)) < len(images):
        twice = next(name for name, count in known.items() if count > 1)
        raise PipelineError(
            f"{twice}: {known[twice]} images are called so, and {annotations.kind} knows images by their name; "
            "rename them, or predict folder by folder"
        )
    for image, name in zip(images, names, strict=True):
        if annotations.file_name(name).casefold() in TABLES:
            raise PipelineError(
                f"{image}: its file for {annotations.kind} would be {annotations.file_name(name)}, which is the "
                "table of the results; rename the image"
            )
    return found


def _check_writable(folder: Path) -> None:
    """Find out before the first image, not after the last."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass


def _predict_resized(
    segmenter: Segmenter,
    images: Sequence[Path],
    names: Sequence[str],
    folder: Path,
    batch_size: int,
    flip_averaging: bool,
    annotations: AnnotationWriter | None,
) -> Generator[Row | Unreadable, None, None]:
    """Batch by batch: the next one is decoded and the last one written while the network is at work."""
    finish = partial(_finish, segmenter, names, folder, annotations)
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
    annotations: AnnotationWriter | None,
    image: InputImage,
    probabilities: np.ndarray | None,
) -> Row | Unreadable:
    """Mask and overlay of one image, written."""
    if image.pixels is None or probabilities is None:
        return Unreadable(shown(image.path), shown(image.error))
    prediction = segmenter.prediction(probabilities, *image.pixels.shape[:2])
    name = names[image.position]
    return write_results(image, image.pixels, prediction, folder, name, segmenter.classes, annotations)


def _keep(item: Row | Unreadable, result: FolderResult, report: Callable[[Row | Unreadable], None]) -> None:
    if isinstance(item, Row):
        result.rows.append(item)
    else:
        result.unreadable.append(item)
    report(item)
