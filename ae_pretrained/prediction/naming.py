"""Names of result files: one per input image, and never that of an input image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ae_pretrained.errors import PipelineError

MASK, OVERLAY = "_mask.png", "_overlay.png"


def shown(path: Path | str) -> str:
    """A path as text that can be printed and written; what is not UTF-8 becomes a replacement character."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def result_names(images: Sequence[Path]) -> list[str]:
    """A name for the results of each image: its stem, or ``STEM_2``, ``STEM_3`` … if the stem is taken.

    Names that differ only in case count as the same: some file systems do not distinguish them.
    """
    stems = {image.stem.casefold() for image in images}
    taken: set[str] = set()
    names = []
    for image in images:
        name, count = image.stem, 1
        # The second `cat` must not take the name of an image that is called `cat_2`.
        while name.casefold() in taken or (count > 1 and name.casefold() in stems):
            count += 1
            name = f"{image.stem}_{count}"
        taken.add(name.casefold())
        names.append(name)
    return names


def check_no_image_is_replaced(images: Sequence[Path], names: Sequence[str], folder: Path) -> None:
    """Refuse to write a result over one of the input images.

    Raises:
        PipelineError: naming the first image that would be lost.
    """
    here = {image.resolve() for image in images}
    for image, name in zip(images, names, strict=True):
        for ending in (MASK, OVERLAY):
            if (folder / f"{name}{ending}").resolve() in here:
                raise PipelineError(
                    f"{folder / f'{name}{ending}'}: the result for {image} would replace this file, which is itself "
                    "among the images; choose another folder with --out, or leave earlier results out"
                )
