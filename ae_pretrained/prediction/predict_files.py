"""Segment image files and write masks, overlays and tables into a folder, or put them up at an address."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from tqdm import tqdm

from ae_pretrained.annotations.writers import AnnotationWriter
from ae_pretrained.errors import PipelineError
from ae_pretrained.names import is_address, shown
from ae_pretrained.prediction.destination import Destination, RemoteDestination
from ae_pretrained.prediction.journal import Progress, RunJournal, Shard, Task
from ae_pretrained.prediction.naming import (
    TABLES,
    check_no_file_is_replaced,
    check_no_image_is_replaced,
    earlier_results,
    result_names,
)
from ae_pretrained.prediction.predict_shard import Found, Manner, predict_shard
from ae_pretrained.prediction.prediction_tables import Row, Unreadable, write_tables
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.sources.plain_images import any_size

Engine = Literal["local", "ray"]
_SHARD = {"local": 1024, "ray": 128}  # images at most; small ones share themselves out evenly among workers
_SMALL_SHARD, _SHARES = 32, 64  # of ray: the smallest, and how many there are to be


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
    images: Sequence[Path | str],
    place: Destination,
    *,
    batch_size: int = 16,
    flip_averaging: bool = True,
    window: int | None = None,
    overlap: float | None = None,
    overwrite: bool = False,
    annotations: AnnotationWriter | None = None,
    passed_over: Sequence[Path | str] = (),
    engine: Engine = "local",
    cluster: str | None = None,
    report: Callable[[Row | Unreadable], None] = lambda _: None,
    announce: Callable[[str], None] = lambda _: None,
) -> FolderResult:
    """Predict images and write ``STEM_mask.png``, ``STEM_overlay.png``, ``predictions.json`` and ``.csv``.

    Every file is written whole or not at all, and replaces one of the same name from an earlier run, as the
    ``predictions.json`` there lists them. Only the rows of the tables grow with the number of images. The same call
    after one that was interrupted goes on where that was.

    Args:
        segmenter: predicts.
        images: files, and addresses such as ``s3://bucket/a.jpg``; what cannot be read is left out and listed.
        place: a folder or an address; of ``ray``, one that all workers see under this path.
        batch_size: images, or windows of one, that go through the network at once.
        flip_averaging: average with the prediction for the mirror image.
        window, overlap: see :meth:`ae_pretrained.prediction.segmenter.Segmenter.windows`.
        overwrite: replace files that no earlier run wrote, too; never one of the images.
        annotations: writes the masks for an annotation tool too, into the same folder, once all are there; not for
            an address.
        passed_over: files that were found and are no images, to be listed.
        engine: ``local``, this process, or ``ray``, the workers of a Ray cluster.
        cluster: of ``ray``: address of the cluster; None for that of RAY_ADDRESS, or one on this machine.
        report: called for each image once its files are written.
        announce: called with a line on an image that will take long, or on a run that goes on.

    Raises:
        PipelineError: for an argument out of its range, when no image can be read (nothing is written then), the
            place cannot be written, or a result would replace one of the images or a file of somebody else. Save
            for unreadable images, this is found out before any work.
    """
    if batch_size < 1:
        raise PipelineError(f"batch_size: found {batch_size}, expected at least 1")
    segmenter.windows(window, overlap)
    if annotations is not None and isinstance(place, RemoteDestination):
        raise PipelineError(
            f"--format: found {annotations.kind}, with results that go to {place}; files for an annotation tool are "
            "made from the masks in a folder: name one with --out, and copy it there"
        )
    manner = Manner(batch_size, flip_averaging, window, overlap)
    texts = [str(image) for image in images]
    names = result_names([Path(text) for text in texts])
    check_no_image_is_replaced(texts, names, str(place))
    tasks = [Task(text, name) for text, name in zip(texts, names, strict=True)]
    journal, plan = RunJournal(place, _settings(segmenter, manner)), _digest(repr(tasks).encode())
    earlier = earlier_results(place) | journal.written()
    extra = [] if annotations is None else _annotation_names(annotations, tasks)
    if not overwrite and not (journal.fits and journal.planned(plan)):
        check_no_file_is_replaced(names, place, earlier, extra)
    found: dict[str, Row | Unreadable] = {}
    try:
        place.check()
        if journal.is_there and not journal.fits:
            announce(
                f"{shown(str(place))}: an interrupted run of another model or other options is begun anew"
            )
        journal.open(plan)
        pending = []
        for task in tasks:
            if (row := journal.progress.row_of(task)) is None:
                pending.append(replace(task, tries=journal.progress.tries[task.image]))
            else:
                found[task.name] = row
        if found:
            announce(f"{len(found)} of {len(tasks)} images were done by an interrupted run")
        size = _SHARD[engine]
        if engine == "ray":
            size = min(size, max(_SMALL_SHARD, len(pending) // _SHARES))
        shards = _shards(pending, journal.progress, size, journal.runs)
        if engine == "ray":
            from ae_pretrained.prediction.ray_engine import predict_on_ray

            items = predict_on_ray(segmenter, shards, place, manner, cluster)
        else:
            items = _predict_here(segmenter, shards, place, manner, announce)
        with (
            tqdm(
                total=len(tasks), initial=len(found), desc="predict", unit="image", delay=2, disable=None
            ) as bar,
            closing(items),
        ):
            for task, item in items:
                found[task.name] = item
                report(item)
                bar.update()
        if annotations is not None:
            found |= _annotated(annotations, tasks, found, place.folder)
        result = _in_order(tasks, found)
        if not result.rows:
            journal.remove()
            raise PipelineError(f"none of {len(images)} images could be read; nothing was predicted")
        write_tables(
            place,
            result.rows,
            result.unreadable,
            segmenter.classes,
            flip_averaging,
            passed_over=passed_over,
            earlier=earlier,
        )
        journal.remove()
    except PipelineError:
        if not found:  # such as Ray that is not there: nothing is left behind
            with suppress(PipelineError):  # of a bucket that may not be written
                journal.remove()
        raise
    except OSError as error:
        where = shown(error.filename or str(place))
        raise PipelineError(
            f"{where}: cannot be written ({error.strerror}); free some space or choose another folder with --out"
        ) from None
    return result


def _annotation_names(annotations: AnnotationWriter, tasks: Sequence[Task]) -> list[str]:
    """The files for the annotation tool; PipelineError where two of them, or one and a table, have one name."""
    known = Counter(Path(task.image).name for task in tasks)
    if annotations.kind != "labelme" and len(known) < len(tasks):
        twice = next(name for name, count in known.items() if count > 1)
        raise PipelineError(
            f"{twice}: {known[twice]} images are called so, and {annotations.kind} knows images by their name; "
            "rename them, or predict folder by folder"
        )
    for task in tasks:
        if annotations.kind == "labelme" and is_address(task.image):
            raise PipelineError(
                f"{task.image}: labelme opens images of a file system alone; copy the images, and predict the copies"
            )
        if annotations.file_name(task.name).casefold() in TABLES:
            raise PipelineError(
                f"{task.image}: its file for {annotations.kind} would be {annotations.file_name(task.name)}, which "
                "is the table of the results; rename the image"
            )
    return sorted({annotations.file_name(task.name) for task in tasks})


def _annotated(
    annotations: AnnotationWriter, tasks: Sequence[Task], found: dict[str, Row | Unreadable], folder: Path
) -> dict[str, Row | Unreadable]:
    """The rows with their files for the annotation tool, which are made from the masks as they lie in the folder.

    So it does not matter which engine wrote them, and whether it was this run or one that was interrupted.
    """
    rows: dict[str, Row | Unreadable] = {}
    for number, task in enumerate(tasks):
        if isinstance(row := found[task.name], Row):
            with any_size(), Image.open(folder / row.mask, formats=("PNG",)) as image:
                mask = np.asarray(image)
            rows[task.name] = replace(
                row, annotation=annotations.add(number, Path(task.image), task.name, mask)
            )
    if rows:
        annotations.finish()
    return rows


def _settings(segmenter: Segmenter, manner: Manner) -> dict[str, object]:
    """What decides a result beside the image: a run goes on with the same alone."""
    model = None if segmenter.path is None else _digest(segmenter.path.read_bytes())
    return {
        "model": model or _digest(str(id(segmenter)).encode()),  # built in memory: this very one
        "flip_averaging": manner.flip_averaging,
        "window": manner.window,
        "overlap": manner.overlap,
    }


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _shards(tasks: Sequence[Task], progress: Progress, size: int, run: int) -> list[Shard]:
    """Stretches of the images; those among which a process ended are taken one by one."""
    groups = {
        careful: [task for task in tasks if (task.image in progress.unfinished) is careful]
        for careful in (False, True)
    }
    stretches = [
        (tuple(group[start : start + size]), careful)
        for careful, group in groups.items()
        for start in range(0, len(group), size)
    ]
    return [Shard(f"{run:03}-{n:06}", part, careful) for n, (part, careful) in enumerate(stretches)]


def _predict_here(
    segmenter: Segmenter,
    shards: Sequence[Shard],
    place: Destination,
    manner: Manner,
    announce: Callable[[str], None],
) -> Generator[Found, None, None]:
    for shard in shards:
        with closing(predict_shard(segmenter, shard, place, manner, announce=announce)) as items:
            yield from items


def _in_order(tasks: Sequence[Task], found: dict[str, Row | Unreadable]) -> FolderResult:
    result = FolderResult()
    for task in tasks:
        item = found[task.name]
        if isinstance(item, Row):
            result.rows.append(item)
        else:
            result.unreadable.append(item)
    return result
