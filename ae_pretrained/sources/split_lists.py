"""Files beside the images that say what is in which split, and what belongs together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from ae_pretrained.sources.base import DataError, Finding, SplitHint
from ae_pretrained.sources.name_lists import find_stem, read_groups, read_names

GroupBy = Literal["none", "folder"]
SplitLists = dict[SplitHint, set[str]]  # images of each list that is there
_LISTS: tuple[SplitHint, ...] = ("train", "val", "test")


def list_files(root: Path) -> list[str]:
    """Which of ``train.txt``, ``val.txt`` and ``test.txt`` are there."""
    return [f"{split}.txt" for split in _LISTS if (root / f"{split}.txt").is_file()]


def read_split_lists(root: Path, images: Mapping[str, str], findings: list[Finding]) -> SplitLists:
    """Images by split, of the lists that are there.

    Args:
        root: folder of the lists.
        images: by every name that a list may call them.
        findings: gets a fault for each entry that is no image.

    Raises:
        DataError: for an image in two lists, and for a train list alone.
    """
    found: SplitLists = {}
    everywhere: dict[str, str] = {}
    for split in _LISTS:
        path = root / f"{split}.txt"
        if not path.is_file():
            continue
        found[split] = set()
        for entry in read_names(path):
            stem = find_stem(entry, images)
            image = images.get(stem, stem)
            if image in everywhere:
                raise DataError(
                    f"{path}: {entry!r} is already in {everywhere[image]}; an image is in one split only"
                )
            everywhere[image] = path.name
            if stem in images:
                found[split].add(image)
            else:
                findings.append(_absent(path, entry, split))
    if found.keys() == {"train"}:
        raise DataError(
            f"{root / 'train.txt'}: there is no val.txt and no test.txt beside it; name the images of val and test "
            "there, or remove train.txt to have all splits drawn"
        )
    return found


def read_group_list(root: Path, images: Mapping[str, str], findings: list[Finding]) -> dict[str, str]:
    """Groups by image, of ``groups.csv`` where it is there. Arguments as of :func:`read_split_lists`."""
    path = root / "groups.csv"
    if not path.is_file():
        return {}
    listed, absent = read_groups(path, images.keys())
    findings += [_absent(path, name, "") for name in absent]
    return {images[stem]: group for stem, group in listed.items()}


def split_of(image: str, lists: SplitLists) -> SplitHint | None:
    """The split of an image by lists or by folders that are called like splits; None: it is in no list, and left out.

    What is missing is drawn: val from train, and test from train too.
    """
    train: SplitHint = "rest" if "test" not in lists else "trainval" if "val" not in lists else "train"
    for split, names in lists.items():
        if image in names:
            return train if split == "train" else split
    return None if "train" in lists else train


def no_sub_folders(images: Path) -> str:
    """The error where images are to be grouped by sub-folder, and are in none."""
    return (
        f"{images}: data.group_by=folder (`--group-by folder`) keeps the images of one sub-folder together, but no "
        "image is in a sub-folder (those called images, train, val and the like aside). Leave it out, or move the "
        "images of each patient or scene into a folder of its own"
    )


def _absent(path: Path, entry: str, split: str) -> Finding:
    detail = f"{path}: names {entry!r}, but there is no such image"
    return Finding(split, entry, "listed but absent", detail, True)
