"""What every importer has in common: a source whose classes, splits and masks come from an export."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.base import NOT_ANNOTATED, DataError, Finding, Listing, Sample, SplitHint
from ae_pretrained.sources.formats.export_files import (
    FileIndex,
    group_of_file,
    group_of_folder,
    split_of_folder,
    unique_names,
)
from ae_pretrained.sources.formats.named_mask import NamedMask, class_ids, class_names, is_background
from ae_pretrained.sources.split_lists import GroupBy, no_sub_folders

Unnamed = Literal["stop", "background", "ignore"]
_UNKNOWN = 256  # beside the class numbers and the ignored pixels


@dataclass(frozen=True, slots=True)
class AnnotatedSample(Sample):
    """An image whose annotation is part of a file that describes many.

    Attributes:
        annotation: that part, as text; ``mask`` is the file.
    """

    annotation: str = ""


def annotation_of(sample: Sample) -> str:
    """The part of a file of the export that describes a sample."""
    assert isinstance(sample, AnnotatedSample)
    return sample.annotation


@dataclass(frozen=True)
class Entry:
    """An image of an export.

    Attributes:
        image: its path from the root of the export.
        mask: file that holds its mask or shapes; None where nobody labelled it.
        split: ``train``, ``val``, ``test``, or None where the export does not say.
        annotation: see :class:`AnnotatedSample`; None where ``mask`` describes this image alone.
    """

    image: str
    mask: Path | None
    split: str | None
    annotation: str | None = None


class ExportSource(ABC):
    """Images and annotations of an export, read where they lie; nothing in the folder is changed.

    Args:
        root: folder of the export.
        classes: ``data.classes``, background first; None: all that the export names. Classes are known by their
            names, so their order here need not be that of the export.
        ignore_index: value of unlabelled pixels in masks of class numbers that come without names.
        unnamed: what pixels are whose class is not among ``classes``: an error (``stop``), ``background``, or
            unlabelled (``ignore``).
    """

    title: ClassVar[str]  # what users call the format
    expects: ClassVar[str]  # the files by which it is known

    def __init__(
        self,
        root: Path,
        classes: Sequence[str] | None = None,
        ignore_index: int = IGNORE_INDEX,
        unnamed: Unnamed = "stop",
    ) -> None:
        self.root = root
        self.notes: list[str] = []  # what listing() took for granted, for the user to read
        self.group_by: GroupBy = "none"  # data.group_by
        self.ignore_index = ignore_index
        self._unnamed = unnamed
        self._classes = None if classes is None else list(classes)

    @classmethod
    def find(cls, root: Path) -> str | None:
        """By which file or folder an export of this kind is known, or None; looks at names and first lines alone."""
        files = cls.annotation_files(root)
        return files[0].relative_to(root).as_posix() if files else None

    @classmethod
    def annotation_files(cls, root: Path) -> list[Path]:
        """The files that hold all annotations, where the format has such; :meth:`find` goes by the first."""
        raise NotImplementedError

    @abstractmethod
    def export_names(self) -> Iterable[str]:
        """The class names of the export, in its order."""

    @abstractmethod
    def read_listing(self) -> Listing:
        """What :meth:`listing` returns. As in the other two methods that read files, an error of Python about what is
        not as the format says becomes a DataError.
        """

    @abstractmethod
    def named_mask(self, sample: Sample, height: int, width: int) -> NamedMask:
        """The mask of an image of this size, with the class names of the export."""

    # Whether pixels that no shape covers are background, as in every format but masks.
    paints_on_background: ClassVar[bool] = True

    @property
    def numbered(self) -> bool:
        """Whether classes have no names in the export: they go by their place in ``classes``."""
        return False

    def listing(self) -> Listing:
        """Every image and every finding; nothing is decoded yet.

        Raises:
            DataError: when the export as a whole cannot be read, or holds no annotated image.
        """
        with self._explained(f"{self.root}: the export"):
            return self.read_listing()

    @property
    def classes(self) -> list[str]:
        """Class names, background first: those given, or all that the export names.

        Raises:
            DataError: when the export names no class.
        """
        if self._classes is None:
            with self._explained(f"{self.root}: the export"):
                found = class_names(self.export_names(), self.paints_on_background)
            if len(found) < 2:
                raise DataError(
                    f"{self.root}: {self.title}: names no class{' beside the background' if found else ''}; label "
                    "the images first, or export them with their annotations"
                )
            self._classes = found
        return self._classes

    def labels(self, sample: Sample, height: int, width: int) -> NamedMask:
        """The mask of an image, by class name.

        Raises:
            DataError: naming the file and the image, for an annotation that cannot be read.
        """
        with self._explained(f"{sample.mask}: the annotation of {sample.image.name}"):
            return self.named_mask(sample, height, width)

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Name the file where something is not as the format says, which can break anywhere."""
        try:
            yield
        except DataError:
            raise
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            said = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise DataError(f"{what} is not what {self.title} writes ({said}); export it again") from error

    def note(self, text: str) -> None:
        """Remember what was taken for granted."""
        if text not in self.notes:
            self.notes.append(text)

    def mask_of(self, sample: Sample, height: int, width: int) -> np.ndarray:
        """The class mask of an image.

        Args:
            sample: of :meth:`listing`, with a mask.
            height, width: of the decoded image.

        Returns:
            (height, width) uint8: positions in ``classes``, 255 where nobody labelled.

        Raises:
            DataError: for an annotation that cannot be read, is of another size, or holds an unknown class.
        """
        named = self.labels(sample, height, width)
        has_background = self.paints_on_background or is_background(self.classes[0])
        ids = class_ids(named.names, self.classes, has_background)
        unknown_as = {"stop": _UNKNOWN, "background": 0, "ignore": IGNORE_INDEX}[self._unnamed]
        table = np.array([unknown_as if number is None else number for number in ids], dtype=np.uint16)
        mask = table[named.values]
        if (mask == _UNKNOWN).any():
            counts = np.bincount(named.values.ravel(), minlength=len(ids))
            unknown = [
                f"{name!r} ({counts[value]} px)"
                for value, (name, number) in enumerate(zip(named.names, ids, strict=True))
                if number is None and counts[value]
            ]
            raise DataError(
                f"{sample.mask}: the annotation of {sample.image.name} holds {', '.join(unknown[:8])}, but "
                f"data.classes is {', '.join(self.classes)}. Write every class there as the export spells it, or say "
                "with data.unnamed_classes what such pixels are: background, or to be ignored"
            )
        return mask.astype(np.uint8)

    def make_listing(
        self,
        index: FileIndex,
        entries: Sequence[Entry],
        findings: list[Finding],
        no_images: Iterable[str] = (),
        groups: Mapping[str, str] | None = None,
    ) -> Listing:
        """Samples in order of name, and with them images beside the described ones, which nobody labelled.

        Args:
            index: of the export.
            entries: what it describes.
            findings: what else there is to say.
            no_images: image files that are no images to learn from: masks, and what ``findings`` speak of.
            groups: what a list beside the images says belongs together, by image.

        Raises:
            DataError: when no image has an annotation, one is described twice, there is no train split, or images
                are to be grouped by sub-folder and are in none.
        """
        labelled = [entry for entry in entries if entry.mask is not None]
        if not labelled:
            because = f"; {findings[0].detail}" if findings else ""
            because += f" (and {len(findings) - 1} more of the kind)" if len(findings) > 1 else ""
            raise DataError(
                f"{self.root}: {self.title}: no image with an annotation; expected {self.expects}{because}"
            )
        more = index.beside({entry.image for entry in entries}) - set(no_images)
        entries = [*entries, *(Entry(image, None, split_of_folder(image)) for image in more)]
        entries.sort(key=lambda entry: entry.image)
        for one, two in pairwise(entries):
            if one.image == two.image:
                raise DataError(
                    f"{self.root / one.image}: is described twice, by {one.mask} and by {two.mask}; remove one"
                )
        hints = self._split_hints({entry.split for entry in labelled})
        samples: list[Sample] = []
        held_out: list[Sample] = []
        names = unique_names(entry.image for entry in entries)
        folders = {entry.image: group_of_folder(entry.image) for entry in entries}
        if self.group_by == "none":
            folders = {}
        elif not any(folders.values()):
            raise DataError(no_sub_folders(self.root))
        for name, entry in zip(names, entries, strict=True):
            path = index.files[entry.image]
            group = (groups or {}).get(entry.image) or folders.get(entry.image) or group_of_file(entry.image)
            if entry.mask is not None:
                hint = hints[entry.split]
                if entry.annotation is None:
                    samples.append(Sample(name, path, entry.mask, hint, group=group))
                else:
                    samples.append(
                        AnnotatedSample(
                            name, path, entry.mask, hint, group=group, annotation=entry.annotation
                        )
                    )
            elif entry.split in ("val", "test"):
                detail = f"{path}: has no annotation, and {entry.split} images are not trained on"
                findings.append(Finding(entry.split, name, NOT_ANNOTATED, detail, False))
                held_out.append(Sample(name, path, None, hints.get(entry.split, "test"), group=group))
            else:
                samples.append(Sample(name, path, None, "unlabelled", group=group))
        return Listing(
            samples, sorted(findings, key=lambda finding: (finding.name, finding.reason)), held_out
        )

    def _split_hints(self, found: set[str | None]) -> dict[str | None, SplitHint]:
        """What the splits of the export are in the pipeline: what they leave open is drawn from train.

        A single split is no split. Without a test split, test images are drawn from those of train.
        """
        splits = found - {None}
        if len(found) == 1:
            if splits:
                self.note(f"all images are of {splits.pop()}: the splits are drawn")
            return dict.fromkeys(found, "rest")
        if not found & {"train", None}:
            raise DataError(
                f"{self.root}: {self.title}: there are images of {' and '.join(sorted(map(str, splits)))}, none of "
                "train; add that part of the export, or export without splits to have them drawn"
            )
        train: SplitHint = "rest"
        if "test" in splits:
            train = "train" if "val" in splits else "trainval"
        if "val" not in splits:
            self.note("there is no val split: its images are drawn from those of train")
        return {"train": train, None: train, "val": "val", "test": "test"}
