"""How result files are called: one name a photo, and never that of a photo."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ae_pretrained.errors import PipelineError

MASK, OVERLAY = "_mask.png", "_overlay.png"


def shown(path: Path | str) -> str:
    """A path as text that can be printed and written; names that are no UTF-8 get a replacement character."""
    return os.fsencode(path).decode("utf-8", errors="replace")


def result_names(photos: Sequence[Path]) -> list[str]:
    """A name for the results of each photo: its stem, and ``STEM_2``, ``STEM_3`` … where a stem comes again.

    Names that differ in case alone are the same one: some file systems do not tell them apart.
    """
    stems = {photo.stem.casefold() for photo in photos}
    taken: set[str] = set()
    names = []
    for photo in photos:
        name, count = photo.stem, 1
        # The name of a second `cat` is not to be that of a photo which is called `cat_2`.
        while name.casefold() in taken or (count > 1 and name.casefold() in stems):
            count += 1
            name = f"{photo.stem}_{count}"
        taken.add(name.casefold())
        names.append(name)
    return names


def check_no_photo_is_replaced(photos: Sequence[Path], names: Sequence[str], folder: Path) -> None:
    """Refuse to write a result over one of the photos.

    Raises:
        PipelineError: naming the first photo that would be lost.
    """
    here = {photo.resolve() for photo in photos}
    for photo, name in zip(photos, names, strict=True):
        for ending in (MASK, OVERLAY):
            if (folder / f"{name}{ending}").resolve() in here:
                raise PipelineError(
                    f"{folder / f'{name}{ending}'}: the result for {photo} would replace this file, which is itself "
                    "among the photos; choose another folder with --out, or leave earlier results out"
                )
