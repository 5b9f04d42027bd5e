"""What params.yaml says about the masks: which number, or which colour, is which class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.sources.base import DataError, Sample
from ae_pretrained.sources.formats.label_colors import LabelColors, parse_label_colors
from ae_pretrained.sources.formats.named_mask import class_ids
from ae_pretrained.sources.mask_reader import open_mask, small_numbers
from ae_pretrained.sources.mask_values import check_size, class_numbers


@dataclass(frozen=True)
class MaskRule:
    """From a mask file to classes.

    Attributes:
        classes: names, background first.
        ignore_index: value of unlabelled pixels, where masks hold numbers.
        mask_values: the value of each class; empty: its number.
        threshold: where there is one class: from this value on it is the class; 0: no threshold.
        colors: class and colour in each entry; empty: masks hold numbers.
    """

    classes: Sequence[str]
    ignore_index: int = IGNORE_INDEX
    mask_values: Sequence[int] = ()
    threshold: int = 0
    colors: Sequence[str] = ()

    def class_mask(self, sample: Sample, height: int, width: int) -> np.ndarray:
        """The classes (height, width) uint8 of a sample's mask file, 255 where nobody labelled.

        Raises:
            DataError: naming the file, when it cannot be read, is of another size, holds what the rule does not name,
                or is a JPEG, unless a threshold makes up for that.
        """
        assert sample.mask is not None
        if self.colors:
            named = _label_colors(tuple(self.colors)).read(sample.mask)
            check_size(sample, named.values.shape, height, width)
            numbers = class_ids(named.names, self.classes, True)
            strange = [
                name
                for value, (name, number) in enumerate(zip(named.names, numbers, strict=True))
                if number is None and (named.values == value).any()
            ]
            if strange:
                raise DataError(
                    f"{sample.mask}: holds {', '.join(strange)} of data.colors, which is not among data.classes "
                    f"({', '.join(self.classes)}); spell them alike"
                )
            table = np.array([255 if number is None else number for number in numbers], dtype=np.uint8)
            return table[named.values]
        file = open_mask(sample.mask)
        check_size(sample, file.pixels.shape[:2], height, width)
        if self.threshold and file.pixels.ndim == 2:
            return (file.pixels >= self.threshold).astype(np.uint8)
        if file.lossy:
            raise DataError(
                f"{sample.mask}: is a {file.kind}, which changes the values of a mask. Export masks as PNG; for "
                "masks in black and white, set data.masks.threshold=128"
            )
        values = small_numbers(file, sample.mask)
        return class_numbers(values, sample, self.classes, self.ignore_index, self.mask_values)


@lru_cache
def _label_colors(colors: tuple[str, ...]) -> LabelColors:
    return LabelColors(parse_label_colors("\n".join(colors), "data.colors"), "data.colors")


def rule_of(params: DataParams) -> MaskRule:
    """The rule that the data section states."""
    return MaskRule(
        params.classes, params.ignore_index, params.mask_values, params.masks.threshold, params.colors
    )
