"""What a source says about each picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from ae_pretrained.errors import PipelineError

SplitHint = Literal["trainval", "train", "val", "test", "unlabelled"]


class DataError(PipelineError):
    """The data are not what a source expects; the text names the file."""


@dataclass(frozen=True)
class Record:
    """One picture of a source.

    Attributes:
        name: unique within the source.
        image: the picture.
        mask: its mask, or None where it has none.
        split: where the source puts it.
        species: foreground class name, or empty where unknown.
        breed: finer group, or empty where unknown; splits are stratified by species and breed.
    """

    name: str
    image: Path
    mask: Path | None
    split: SplitHint
    species: str
    breed: str


class Source(Protocol):
    """A kind of data set."""

    def records(self) -> list[Record]:
        """Every picture, in a fixed order."""
        ...

    def class_mask(self, values: np.ndarray, record: Record) -> np.ndarray:
        """The class mask (H, W) uint8, 255 on ignored pixels, from the values of a record's mask file."""
        ...
