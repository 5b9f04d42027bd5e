"""Val and test stay as they are while images are chosen for train: figures of chosen images would be biased.

Val and test are frozen where the data say which images they are, by lists or by folders that are called like splits.
Where they do not, each new mask draws both anew, and chosen images come into them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pretrained.errors import PipelineError
from ae_pretrained.files import write_text
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.sources.base import DataError, Listing
from ae_pretrained.sources.name_lists import find_stem
from ae_pretrained.sources.registry import open_source
from ae_pretrained.sources.split_lists import list_files

LISTED_SOURCES = ("folder", "suffix_masks")  # those that read val.txt and test.txt
_DRAWN = ("rest", "trainval")
_STREAM = 7


class SelectionError(PipelineError):
    """Images cannot be chosen; the text says why and what to do."""


def are_frozen(listing: Listing) -> bool:
    """Whether the data say which images are val and test, and no image with a mask is in a part that is drawn of."""
    said = {sample.split for sample in (*listing.samples, *listing.held_out)}
    return said >= {"val", "test"} and said.isdisjoint(_DRAWN)


def check_frozen(listing: Listing, root: Path, params: DataParams, count: int) -> None:
    """Refuse a data set of which val and test are drawn.

    Raises:
        SelectionError: with the way on.
    """
    if are_frozen(listing):
        return
    if not any(sample.split in _DRAWN for sample in listing.samples) and not list_files(root):
        raise SelectionError(
            f"{root}: no image is in val or test yet, and these are drawn at random before anything is chosen: "
            f"`ae-pretrained label-next {count} --hold-out 0.2` writes val.txt and test.txt with 0.2 of all images "
            "each, for you to label"
        )
    why = (
        f"{root}: val and test are drawn from the images with masks (data.val_fraction, data.test_fraction), so that "
        "new masks would draw them anew and chosen images would be measured: the figures would be biased. "
    )
    if params.source not in LISTED_SOURCES:
        raise SelectionError(
            f"{why}data.source={params.source} has no lists that fix them: give the export folders or subsets for "
            "train, val and test where its format has them, or bring images and masks as a folder (source folder)"
        )
    if there := list_files(root):
        raise SelectionError(f"{why}{_lacking(there)}")
    raise SelectionError(
        f"{why}Fix them first: `ae-pretrained label-next {count} --hold-out 0` writes val.txt and test.txt with the "
        "images that are in val and test now; `--hold-out 0.2` adds images drawn at random, for you to label, until "
        "each of the two is 0.2 of all images"
    )


def _lacking(there: Sequence[str]) -> str:
    lacking = " and ".join(name for name in ("val.txt", "test.txt") if name not in there)
    return f"There is {', '.join(there)}; write {lacking} beside it, a name in each line"


@dataclass(frozen=True)
class HoldOut:
    """Names of the images of val and test, and which of them have no mask yet."""

    names: dict[str, list[str]]
    unlabelled: list[str]


def draw_hold_out(
    held: dict[str, list[str]],
    pool: Sequence[str],
    groups: Sequence[str],
    share: float,
    total: int,
    seed: int,
) -> HoldOut:
    """Val and test as they are, filled up at random from images without masks.

    Args:
        held: names of the images that are in ``val`` and in ``test`` now.
        pool: names of images without a mask.
        groups: of each, what it belongs to; those of one group go together. Empty: it stands alone.
        share: of all images that each of the two is to be at least, as nearly as whole groups allow.
        total: number of all images.
        seed: of the draw.

    Raises:
        SelectionError: when val or test comes out empty.
    """
    together: dict[str, list[str]] = {}
    for name, group in sorted(zip(pool, groups, strict=True)):
        together.setdefault(group or name, []).append(name)
    units = list(together.values())
    drawn = [units[place] for place in np.random.default_rng([seed, _STREAM]).permutation(len(units))]
    names = {split: list(members) for split, members in held.items()}
    unlabelled: list[str] = []
    for members in names.values():
        room = round(share * total) - len(members)
        left = []
        for unit in drawn:
            if len(unit) <= room:
                members += unit
                unlabelled += unit
                room -= len(unit)
            else:
                left.append(unit)
        drawn = left
        members.sort()
    if empty := [split for split, members in names.items() if not members]:
        raise SelectionError(
            f"--hold-out {share:g}: leaves {' and '.join(empty)} without an image, of {total} in all; say a larger "
            "share, such as 0.2"
        )
    return HoldOut(names, sorted(unlabelled))


def check_hold_out(listing: Listing, root: Path, params: DataParams, share: float) -> None:
    """Refuse a hold-out where val and test are fixed already, or cannot be fixed by lists.

    Raises:
        SelectionError: with the way on.
    """
    if not 0 <= share < 0.5:
        raise SelectionError(
            f"--hold-out: found {share:g}, expected a share of all images from 0 to below 0.5"
        )
    if are_frozen(listing):
        raise SelectionError(
            f"--hold-out: the data at {root} say already which images are in val and test; leave it out"
        )
    if params.source not in LISTED_SOURCES:
        raise SelectionError(
            f"--hold-out: writes val.txt and test.txt, which data.source={params.source} does not read (sources "
            f"{' and '.join(LISTED_SOURCES)} do)"
        )
    if there := list_files(root):
        raise SelectionError(f"--hold-out: {_lacking(there)}, or remove what is there")


def write_hold_out(root: Path, hold_out: HoldOut, params: DataParams) -> None:
    """Write ``val.txt`` and ``test.txt``; neither is left where the data cannot be read with them.

    Raises:
        SelectionError: when a name cannot stand in a list, or the splits are said by folders too.
    """
    stems = {name for members in hold_out.names.values() for name in members}
    for name in sorted(stems):
        entry = name.strip()
        if (
            entry.startswith("#")
            or not entry
            or len(entry.splitlines()) > 1
            or find_stem(entry, stems) != name
        ):
            raise SelectionError(f"--hold-out: {name!r} cannot stand in a list of names; rename that image")
    files = {split: root / f"{split}.txt" for split in hold_out.names}
    try:
        for split, path in files.items():
            write_text(path, "".join(f"{name}\n" for name in hold_out.names[split]))
        frozen = are_frozen(open_source(root, params).listing())
    except (DataError, OSError):
        _remove(files.values())
        raise
    if not frozen:
        _remove(files.values())
        raise SelectionError(f"--hold-out: lists at {root} do not fix val and test of these data")


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
