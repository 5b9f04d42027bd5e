"""A mask whose values stand for the class names of an export, and the canvas that shapes are painted on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.formats.rasterize import Region

BACKGROUND = "background"
_BACKGROUND_WORDS = {"background", "bg"}
_IGNORED_WORDS = {"ignore", "ignored", "void", "unlabeled", "unlabelled"}


@dataclass(frozen=True)
class NamedMask:
    """The classes of an image's pixels, by name.

    Attributes:
        values: (H, W) uint16, positions in ``names``.
        names: class names as the export has them.
    """

    values: np.ndarray
    names: Sequence[str]


class Canvas:
    """Shapes painted one over the other on background."""

    def __init__(self, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._values = np.zeros((height, width), dtype=np.uint16)
        self._numbers = {BACKGROUND: 0}

    def paint(self, name: str, region: Region) -> None:
        """Give the pixels of a region to a class; what lies beyond the image is cut off."""
        number = self._numbers.setdefault(name, len(self._numbers))
        height, width = region.mask.shape
        top, left = max(region.y, 0), max(region.x, 0)
        bottom, right = min(region.y + height, self.height), min(region.x + width, self.width)
        if top < bottom and left < right:
            mask = region.mask[top - region.y : bottom - region.y, left - region.x : right - region.x]
            self._values[top:bottom, left:right][mask] = number

    def finished(self) -> NamedMask:
        """What was painted."""
        return NamedMask(self._values, list(self._numbers))


def is_background(name: str) -> bool:
    """Whether a class is called background: ``Background``, ``_background_``, ``bg``."""
    return name.strip(" _").casefold() in _BACKGROUND_WORDS


def is_ignored(name: str) -> bool:
    """Whether a name stands for pixels that nobody labelled: ``void``, ``__ignore__``, ``unlabelled``."""
    return name.strip(" _").casefold() in _IGNORED_WORDS


def class_names(names: Iterable[str], background: bool) -> list[str]:
    """Names for ``data.classes``: each once, background first, without those that stand for no class.

    Args:
        names: in the order of the export.
        background: whether there is one although no name says so, as with shapes painted on nothing.
    """
    unique = list(dict.fromkeys(name for name in names if not is_ignored(name)))
    foreground = [name for name in unique if not is_background(name)]
    return [BACKGROUND, *foreground] if background or len(foreground) < len(unique) else foreground


def class_ids(names: Sequence[str], classes: Sequence[str], has_background: bool) -> list[int | None]:
    """For each name of an export its number among ``data.classes``, 255 to ignore it, or None if it is unknown.

    Args:
        names: of the export.
        classes: ``data.classes``.
        has_background: whether the first of them is background, however it is called there.
    """
    known = {name: number for number, name in enumerate(classes)}
    ids: list[int | None] = []
    for name in names:
        if name in known:
            ids.append(known[name])
        elif is_background(name) and has_background:
            ids.append(0)
        else:
            ids.append(IGNORE_INDEX if is_ignored(name) else None)
    return ids
