"""One's own images: ``images/`` and ``masks/``, paired by stem.

A mask holds class numbers, in the order of ``data.classes``, and ``data.ignore_index`` where nobody labelled; or
what ``data.mask_values``, ``data.masks.threshold`` or ``data.colors`` say. An image without a mask, and every image
of ``unlabelled/``, is for the autoencoder alone. Which image is in which split may be said by lists of names
(``train.txt``, ``val.txt``, ``test.txt``) or by sub-folders of both folders (``train``; ``val``, ``valid`` or
``validation``; ``test``); what they leave open is drawn by seed. Images that belong together are kept in one split:
those that ``groups.csv`` names, or, by ``data.group_by``, those of one sub-folder. Without any mask, ``masks/`` may
be absent, and the images may lie in the folder itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ae_pretrained.sources.base import NO_MASK, DataError, Finding, Listing, Sample, SplitHint
from ae_pretrained.sources.image_files import is_image, scan_images, stem_of
from ae_pretrained.sources.mask_rule import MaskRule
from ae_pretrained.sources.split_lists import (
    GroupBy,
    SplitLists,
    list_files,
    no_sub_folders,
    read_group_list,
    read_split_lists,
    split_of,
)
from ae_pretrained.sources.split_names import SPLIT_OF_WORD

_BESIDE = {"train.txt", "val.txt", "test.txt", "groups.csv"}  # what may lie beside images


def image_folder(root: Path) -> Path:
    """``images/``, or a folder itself that holds images and neither ``images/`` nor ``masks/``."""
    if (root / "images").is_dir() or (root / "masks").is_dir() or not root.is_dir():
        return root / "images"
    holds_images = any(path.is_file() and is_image(path) for path in root.iterdir())
    return root if holds_images else root / "images"


class FolderSource:
    """Images of a folder of one's own.

    Args:
        root: folder with ``images/`` and ``masks/``.
        rule: what the masks hold.
        group_by: ``folder`` keeps the images of one sub-folder (one patient, one scene) in one split.
    """

    def __init__(self, root: Path, rule: MaskRule, group_by: GroupBy = "none") -> None:
        self.root, self.rule, self.group_by = root, rule, group_by

    def listing(self) -> Listing:
        """Every image.

        With ``test.txt`` the test split is what it names; without it, it is drawn. The same holds for ``val.txt``.
        With ``train.txt``, images in no list are left out, and what is drawn is drawn from train. Sub-folders that
        are called like splits are such lists.

        Raises:
            DataError: for missing folders, and for lists that contradict each other.
        """
        folder = image_folder(self.root)
        images, findings = scan_images(folder)
        masks: dict[str, Path] = {}
        if folder == self.root:
            findings = [item for item in findings if item.name.partition("/")[2] not in _BESIDE]
        if (self.root / "masks").is_dir():
            masks, mask_findings = scan_images(self.root / "masks")
            findings += mask_findings
        doubtful = {finding.name.partition("/")[2] for finding in findings if finding.fault}
        lists = self._lists(images, doubtful, findings)
        groups = self._groups(images, doubtful, findings)
        masks = {_paired_name(stem): path for stem, path in masks.items()}
        unread = {
            stem_of(finding.name): finding.name for finding in findings if finding.reason == "not an image"
        }
        any_case = {stem.lower(): path.name for stem, path in masks.items()}
        named_doubtful = {_paired_name(stem) for stem in doubtful}
        samples, held_out = [], []
        for stem, path in images.items():
            if stem in doubtful or _paired_name(stem) in named_doubtful:
                continue
            split = split_of(stem, lists)
            mask = masks.get(_paired_name(stem))
            if split is None:
                findings.append(Finding("", f"images/{stem}", "not listed", "no split list names it", False))
                continue
            if mask is None:
                trainable = split not in ("val", "test")
                where = (
                    "kept for the autoencoder alone" if trainable else f"it cannot be evaluated in {split}"
                )
                beside = _beside(unread.get(f"masks/{stem}")) or _other_case(any_case.get(stem.lower()))
                detail = f"{path}: no mask {stem}.* in {self.root / 'masks'}{beside}; {where}"
                findings.append(Finding(split, f"images/{stem}", NO_MASK, detail, False))
                if not trainable:
                    held_out.append(Sample(stem, path, None, split, group=groups.get(stem, "")))
                    continue
                split = "unlabelled"
            samples.append(Sample(stem, path, mask, split, group=groups.get(stem, "")))
        known = {_paired_name(stem) for stem in images}
        for stem in masks.keys() - known - named_doubtful:
            beside = _beside(unread.get(f"images/{stem}"))
            detail = f"{masks[stem]}: no image {stem}.* in {self.root / 'images'}{beside}; add it, or remove the mask"
            findings.append(Finding("", f"masks/{stem}", "mask without image", detail, True))
        if folder != self.root:
            samples += self._unlabelled(findings)
        if not samples and not any(finding.fault for finding in findings):
            raise DataError(f"{folder}: holds no image")
        return Listing(
            samples, sorted(findings, key=lambda finding: (finding.name, finding.reason)), held_out
        )

    def _unlabelled(self, findings: list[Finding]) -> list[Sample]:
        folder = self.root / "unlabelled"
        if not folder.is_dir():
            return []
        found, more = scan_images(folder)
        findings += more
        return [Sample(f"unlabelled/{stem}", path, None, "unlabelled") for stem, path in found.items()]

    def _groups(self, images: dict[str, Path], doubtful: set[str], findings: list[Finding]) -> dict[str, str]:
        """Group by stem: of ``groups.csv``, else the sub-folder where that is asked for."""
        groups = {}
        if self.group_by == "folder":
            parents = {stem: stem.rpartition("/")[0] for stem in images}
            groups = {
                stem: parent for stem, parent in parents.items() if parent.lower() not in ("", *SPLIT_OF_WORD)
            }
            if not groups:
                raise DataError(no_sub_folders(self.root / "images"))
        return groups | read_group_list(
            self.root, {stem: stem for stem in images.keys() | doubtful}, findings
        )

    def _lists(self, images: dict[str, Path], doubtful: set[str], findings: list[Finding]) -> SplitLists:
        """For each list that exists, its stems."""
        files = list_files(self.root)
        folders = self._split_folders(images)
        if folders and files:
            raise DataError(
                f"{self.root}: the splits are said twice, by {', '.join(files)} and by the "
                f"sub-folders {', '.join(sorted(folders))} of images/; keep one of the two"
            )
        if folders:
            return self._from_folders(images, folders)
        return read_split_lists(self.root, {stem: stem for stem in images.keys() | doubtful}, findings)

    def _split_folders(self, images: dict[str, Path]) -> dict[str, SplitHint]:
        """Sub-folders of images/ that are called like splits: two or more of them are meant so."""
        tops = {stem.partition("/")[0] for stem in images if "/" in stem}
        named = {top: SPLIT_OF_WORD[top.lower()] for top in sorted(tops) if top.lower() in SPLIT_OF_WORD}
        return named if len(set(named.values())) > 1 else {}

    def _from_folders(self, images: dict[str, Path], folders: dict[str, SplitHint]) -> SplitLists:
        outside = [stem for stem in images if stem.partition("/")[0] not in folders]
        if outside:
            raise DataError(
                f"{self.root / 'images'}: {len(outside)} images lie outside of the sub-folders "
                f"{', '.join(folders)}, such as {outside[0]!r}; are these sub-folders the splits? Then move the "
                "others into one of them, or into unlabelled/; if not, call them otherwise"
            )
        found: SplitLists = {}
        for stem in images:
            found.setdefault(folders[stem.partition("/")[0]], set()).add(stem)
        return found

    def mask_of(self, sample: Sample, height: int, width: int) -> np.ndarray:
        """The class mask of an image of this size."""
        return self.rule.class_mask(sample, height, width)


def _paired_name(stem: str) -> str:
    """What image and mask are paired by: ``images/val`` and ``masks/validation`` are the same split."""
    top, slash, rest = stem.partition("/")
    return f"{SPLIT_OF_WORD.get(top.lower(), top)}{slash}{rest}" if slash else stem


def _other_case(name: str | None) -> str:
    """What to say of a mask whose name differs in upper and lower case alone."""
    return f" ({name} differs in upper and lower case: rename one of the two)" if name else ""


def _beside(name: str | None) -> str:
    """What to say of a file that has the right name, but is no image."""
    return (
        f" that could be read ({name} is not an image that is read: save it as PNG or TIFF)" if name else ""
    )
