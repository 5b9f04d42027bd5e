"""What a source says about each image."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ae_pretrained.errors import PipelineError

# trainval: val is drawn from these. rest: test is drawn from these, and val too where the source brings none.
SplitHint = Literal["rest", "trainval", "train", "val", "test", "unlabelled"]


class DataError(PipelineError):
    """The data are not what a source expects; the text names the file."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a source.

    Attributes:
        name: unique within the source.
        image: the image.
        mask: its mask, or None where it has none.
        split: where the source puts it.
        class_name: foreground class that it shows; empty where only the mask can tell.
        breed: kind within the class, or empty where unknown; splits are stratified by class and breed.
        group: of images that belong together (one scene, one video); empty where it stands alone. It stays in one
            split.
    """

    name: str
    image: Path
    mask: Path | None
    split: SplitHint
    class_name: str = ""
    breed: str = ""
    group: str = ""


NO_MASK, NOT_ANNOTATED = "no mask", "not annotated"
LACKS_MASK = (NO_MASK, NOT_ANNOTATED)  # reasons of findings that a mask puts an end to


@dataclass(frozen=True)
class Finding:
    """A file, or an entry of a list, that becomes no sample.

    Attributes:
        split: split that it would have been in, or empty.
        name: the file, or the entry of the list.
        reason: the kind of finding, a few words; findings are counted by it.
        detail: what was found, what was expected and what to do.
        fault: whether it stops the run unless ``data.on_error`` is ``skip``; otherwise it is only listed.
    """

    split: str
    name: str
    reason: str
    detail: str
    fault: bool


@dataclass(frozen=True)
class Listing:
    """What a source holds: the images in a fixed order, and what is none.

    Attributes:
        held_out: images of val and test that have no mask: nothing can be measured on them, so they are no samples.
    """

    samples: list[Sample]
    findings: list[Finding]
    held_out: list[Sample] = field(default_factory=list)


class Source(Protocol):
    """A kind of data set."""

    def listing(self) -> Listing:
        """Every image and every finding; nothing is decoded yet."""
        ...

    def mask_of(self, sample: Sample, height: int, width: int) -> np.ndarray:
        """The class mask of a sample that has one.

        Args:
            sample: of the listing.
            height, width: of its decoded image.

        Returns:
            (height, width) uint8, 255 on ignored pixels.

        Raises:
            DataError: naming the file, when the mask cannot be read, is of another size, or holds unknown values.
        """
        ...
