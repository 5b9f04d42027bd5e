"""What a run of prediction has done so far, so that an interrupted one goes on and does nothing twice.

Beside the results lies a hidden folder, ``.predictions``: ``run.json`` says with which model and options the run
works, and each shard (a stretch of the images) has a file of lines: the images that it took on, and one line for each
that is done, written after its mask and overlay. The tables are made of these at the end, and the folder goes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from ae_pretrained.errors import PipelineError
from ae_pretrained.files import write_json
from ae_pretrained.names import is_address
from ae_pretrained.prediction.destination import Destination
from ae_pretrained.prediction.prediction_tables import Row

JOURNALS = ".predictions"
_RUN = "run.json"


@dataclass(frozen=True)
class Task:
    """One image to predict.

    Attributes:
        image: its path or address, as the user wrote it.
        name: of its results, without their endings.
        tries: how often a process has ended while it worked on this image alone.
    """

    image: str
    name: str
    tries: int = 0


@dataclass(frozen=True)
class Shard:
    """A stretch of the images, which one worker predicts.

    Attributes:
        label: name of its journal, without the ending.
        tasks: its images.
        careful: one image after the other, since a process ended among them before.
    """

    label: str
    tasks: tuple[Task, ...]
    careful: bool = False


@dataclass
class Progress:
    """What journals say.

    Attributes:
        done: rows of the images that are done, by name of their results, with the image and its stamp.
        unfinished: images that a process took on and that are not done, since it was killed or failed.
        tries: how often a process ended in that way while it worked on an image alone, by image.
    """

    done: dict[str, tuple[str, list[int], Row]] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    tries: Counter[str] = field(default_factory=Counter)

    def row_of(self, task: Task, base: Path = Path()) -> Row | None:
        """The row of an image that is done and has not changed since; relative paths count from ``base``."""
        found = self.done.get(task.name)
        if found is None or found[0] != task.image or found[1] != stamp_of(task.image, base):
            return None
        return found[2]


def stamp_of(image: str, base: Path = Path()) -> list[int]:
    """Size and time of a file; nothing of an address, and of a file that is not there."""
    if is_address(image):
        return []
    try:
        facts = (base / image).stat()
    except OSError:
        return []
    return [facts.st_size, facts.st_mtime_ns]


def read_progress(files: Iterable[Path]) -> Progress:
    """Read journals; a last line that was torn by a power cut does not count."""
    progress = Progress()
    for file in files:
        unfinished: set[str] = set()
        tries: Counter[str] = Counter()
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                entry: dict[str, Any] = json.loads(line)
            except ValueError:
                continue
            if "shard" in entry:
                unfinished = set(entry["shard"])
            elif "begun" in entry:
                tries[entry["begun"]] += 1
            elif "left" in entry:  # on its own, by Ctrl-C or at the end: no image's fault
                unfinished.clear()
                tries.pop(entry["left"], None)
            else:
                unfinished.discard(entry["image"])
                tries.pop(entry["image"], None)
                if "row" in entry:
                    progress.done[entry["name"]] = (entry["image"], entry["stamp"], Row(**entry["row"]))
        progress.unfinished |= unfinished
        progress.tries.update(tries)
    progress.unfinished -= {image for image, _, _ in progress.done.values()}
    return progress


class ShardJournal:
    """Writes the journal of one shard, a line at a time."""

    def __init__(self, place: Destination, label: str) -> None:
        self._place, self._name = place, f"{JOURNALS}/{label}.jsonl"
        self.path = place.folder / self._name
        self.path.parent.mkdir(parents=True, exist_ok=True)
        place.fetch(self._name)
        self.before = read_progress([self.path] if self.path.is_file() else [])
        self._alone = ""
        self._file = self.path.open("a", encoding="utf-8")

    def _write(self, **entry: Any) -> None:
        self._file.write(json.dumps(entry, ensure_ascii=True) + "\n")
        self._file.flush()

    def publish(self) -> None:
        """Have the lines so far survive this machine, where the results are at an address."""
        self._place.put([self._name], keep=True)

    def take_on(self, tasks: Sequence[Task]) -> None:
        """Note which images this process is about to work on."""
        # On a line of its own, even if the last process tore its last line.
        self._file.write("\n")
        self._write(shard=[task.image for task in tasks])
        self.publish()

    def begin(self, task: Task) -> None:
        """Note that the process works on this image alone: if it is killed now, it was for that."""
        self._alone = task.image
        self._write(begun=task.image)
        self.publish()

    def end(self, task: Task) -> None:
        """Note that the image could not be read, and that the process has survived it."""
        self._write(image=task.image)

    def done(self, task: Task, stamp: list[int], row: Row) -> None:
        """Note that mask and overlay of an image are where they belong."""
        self._write(image=task.image, name=task.name, stamp=stamp, row=vars(row))

    def __enter__(self) -> ShardJournal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, KeyboardInterrupt | GeneratorExit | OSError):
            with suppress(OSError, PipelineError):  # the disk may be full
                self._write(left=self._alone)
                self.publish()
        with suppress(OSError):
            self._file.close()


class RunJournal:
    """The journals of a run, beside its results.

    Args:
        place: of the results.
        settings: JSON-like: what decides a result beside the image.
    """

    def __init__(self, place: Destination, settings: dict[str, Any]) -> None:
        self._place, self.folder, self.settings = place, place.folder / JOURNALS, settings
        place.fetch_folder(JOURNALS)
        self.progress = read_progress(sorted(self.folder.glob("*.jsonl")))
        try:
            self._found = json.loads((self.folder / _RUN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            self._found = {}
        self.fits = self._found.get("settings") == settings
        self.runs = int(self._found.get("runs", 0)) if self.fits else 0

    @property
    def is_there(self) -> bool:
        """Whether an interrupted run left something."""
        return self.folder.is_dir()

    def written(self) -> set[str]:
        """Names of the files that the interrupted run wrote."""
        return {name for _, _, row in self.progress.done.values() for name in (row.mask, row.overlay)}

    def planned(self, plan: str) -> bool:
        """Whether the interrupted run was about these very images and names (a digest of them)."""
        return self._found.get("plan") == plan

    def open(self, plan: str) -> None:
        """Begin, or go on; what an interrupted run of another model or other options left is removed."""
        if not self.fits:
            self.remove()
            self.progress = Progress()
        self.runs += 1
        write_json(self.folder / _RUN, {"settings": self.settings, "plan": plan, "runs": self.runs})
        self._place.put([f"{JOURNALS}/{_RUN}"], keep=True)

    def remove(self) -> None:
        """Leave nothing behind."""
        self._place.remove(JOURNALS)
