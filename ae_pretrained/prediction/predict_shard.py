"""Predict a shard: copies of remote images, a journal, and no image that stops the others."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path, PurePosixPath

from ae_pretrained.names import is_address, shown
from ae_pretrained.prediction.destination import Destination
from ae_pretrained.prediction.journal import Shard, ShardJournal, Task, stamp_of
from ae_pretrained.prediction.predict_resized import predict_resized_images
from ae_pretrained.prediction.predict_whole import predict_whole_images
from ae_pretrained.prediction.prediction_tables import Row, Unreadable
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.sources.addresses import copy_from
from ae_pretrained.sources.base import DataError

_COPIES = 64  # remote images that lie here at once
_CONNECTIONS = 8
_MOST_TRIES = 2  # processes that an image may end


@dataclass(frozen=True)
class Manner:
    """How images are predicted; see :func:`ae_pretrained.prediction.predict_files.predict_into`."""

    batch_size: int = 16
    flip_averaging: bool = True
    window: int | None = None
    overlap: float | None = None


Found = tuple[Task, Row | Unreadable]
Items = Generator[Row | Unreadable, None, None]


def predict_shard(
    segmenter: Segmenter,
    shard: Shard,
    place: Destination,
    manner: Manner,
    *,
    base: Path = Path(),
    announce: Callable[[str], None] = lambda _: None,
) -> Generator[Found, None, None]:
    """Predict the images of a shard that are not done yet, and yield each with its row.

    If a process ended within this shard before, its images are taken one by one. One that ended two processes in that
    way (a fault in a decoder, no memory left) is named as unreadable.

    Args:
        segmenter: predicts.
        shard: its images.
        place: of the results.
        manner: how.
        base: from where relative paths count.
        announce: called with a line on an image that will take long.

    Raises:
        OSError: when a result cannot be written.
        DataError: the same, at an address.
    """
    with ShardJournal(place, shard.label) as journal:
        before = journal.before
        journal.take_on(shard.tasks)
        pending = []
        for task in shard.tasks:
            if (row := before.row_of(task, base)) is not None:
                yield task, row
            else:
                pending.append(task)
        careful = shard.careful or bool(before.unfinished)
        groups = [[task] for task in pending] if careful else [pending]
        for group in groups:
            if careful:
                task = group[0]
                if task.tries + before.tries[task.image] >= _MOST_TRIES:
                    error = f"{shown(task.image)}: ended the process that worked on it, {_MOST_TRIES} times"
                    yield task, Unreadable(shown(task.image), f"{error}; cut it into parts, or leave it out")
                    continue
                journal.begin(task)
            stamps = [stamp_of(task.image, base) for task in group]
            items = _predicted(segmenter, group, place.folder, manner, base, announce)
            if careful:
                items = _survived(group[0], items)
            finished = zip(group, stamps, items, strict=True)
            while part := list(islice(finished, place.at_once)):
                place.put(
                    [name for *_, item in part if isinstance(item, Row) for name in (item.mask, item.overlay)]
                )
                for task, stamp, item in part:
                    if isinstance(item, Row):
                        journal.done(task, stamp, item)
                    else:
                        journal.end(task)
                journal.publish()
                yield from ((task, item) for task, _, item in part)


def _survived(task: Task, items: Items) -> Items:
    """One image alone: whatever its decoder raises is said of it. What cannot be written is no image's fault."""
    try:
        yield from items
    except OSError:
        raise
    except Exception as error:
        yield Unreadable(shown(task.image), shown(f"{task.image}: {type(error).__name__}: {error}"))


def _predicted(
    segmenter: Segmenter,
    tasks: Sequence[Task],
    folder: Path,
    manner: Manner,
    base: Path,
    announce: Callable[[str], None],
) -> Items:
    if not any(is_address(task.image) for task in tasks):
        paths = [base / task.image for task in tasks]
        items = _from_files(segmenter, paths, [task.name for task in tasks], folder, manner, announce)
        for task, path, item in zip(tasks, paths, items, strict=True):
            yield _as_written(item, path, task.image)
        return
    for start in range(0, len(tasks), _COPIES):
        part = tasks[start : start + _COPIES]
        with tempfile.TemporaryDirectory() as copies, ThreadPoolExecutor(_CONNECTIONS) as pool:
            places = [_place(Path(copies), number, task, base) for number, task in enumerate(part)]
            faults = list(pool.map(_copied, part, places))
            there = [number for number, fault in enumerate(faults) if not fault]
            items = _from_files(
                segmenter,
                [places[number] for number in there],
                [part[number].name for number in there],
                folder,
                manner,
                announce,
            )
            for task, place, fault in zip(part, places, faults, strict=True):
                item = Unreadable(shown(task.image), shown(fault)) if fault else next(items)
                yield _as_written(item, place, task.image)


def _place(copies: Path, number: int, task: Task, base: Path) -> Path:
    if not is_address(task.image):
        return base / task.image
    return copies / str(number) / PurePosixPath(task.image).name


def _copied(task: Task, place: Path) -> str:
    """Copy a remote image here; returns what is wrong, or nothing."""
    if is_address(task.image):
        try:
            copy_from(task.image, place)
        except DataError as error:
            return str(error)
    return ""


def _from_files(
    segmenter: Segmenter,
    paths: Sequence[Path],
    names: Sequence[str],
    folder: Path,
    manner: Manner,
    announce: Callable[[str], None],
) -> Items:
    if segmenter.resize != "crop":
        return predict_resized_images(
            segmenter, paths, names, folder, manner.batch_size, manner.flip_averaging
        )
    return predict_whole_images(
        segmenter,
        paths,
        names,
        folder,
        batch_size=manner.batch_size,
        flip_averaging=manner.flip_averaging,
        window=manner.window,
        overlap=manner.overlap,
        announce=announce,
    )


def _as_written(item: Row | Unreadable, path: Path, image: str) -> Row | Unreadable:
    """A row that names the image as the user did, wherever it was read from."""
    name = shown(image)
    if isinstance(item, Row):
        return replace(item, file=name)
    return Unreadable(name, item.error.replace(shown(path), name))
