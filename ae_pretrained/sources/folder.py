"""One's own images: ``images/`` and ``masks/``, paired by stem.

A mask holds class numbers, in the order of ``data.classes``, and ``data.ignore_index`` where nobody labelled.
``unlabelled/`` may hold images for the autoencoder alone. Lists of names, one a line, may say which image is
in which split (``train.txt``, ``val.txt``, ``test.txt``); what they leave open is drawn by seed.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path

import numpy as np

from ae_pretrained.sources.base import DataError, Finding, Listing, Sample, SplitHint
from ae_pretrained.sources.image_files import scan_images, stem_of
from ae_pretrained.sources.mask_values import class_numbers

_LISTS: tuple[SplitHint, ...] = ("train", "val", "test")


class FolderSource:
    """Images of a folder of one's own.

    Args:
        root: folder with ``images/`` and ``masks/``.
        classes: names by mask value, background first.
        ignore_index: mask value of unlabelled pixels.
    """

    def __init__(self, root: Path, classes: list[str], ignore_index: int) -> None:
        self.root, self.classes, self.ignore_index = root, classes, ignore_index

    def listing(self) -> Listing:
        """Every image.

        With ``test.txt`` the test split is what it names; without it, it is drawn. The same holds for
        ``val.txt``. With ``train.txt``, images in no list are left out; it needs a ``test.txt``, for to draw
        test from a train list would be to overrule it.

        Raises:
            DataError: for missing folders, and for lists that contradict each other.
        """
        images, findings = scan_images(self.root / "images")
        masks, mask_findings = scan_images(self.root / "masks")
        findings += mask_findings
        doubtful = {finding.name.partition("/")[2] for finding in findings if finding.fault}
        split_of = self._lists(images, doubtful, findings)
        samples = []
        for stem, path in images.items():
            if stem in doubtful:
                continue
            if stem not in masks:
                detail = (
                    f"{path}: no mask {stem}.* in {self.root / 'masks'}; add one, or move the image to "
                    f"{self.root / 'unlabelled'} for the autoencoder alone"
                )
                findings.append(Finding("", f"images/{stem}", "image without mask", detail, True))
                continue
            split = self._split(stem, split_of)
            if split is None:
                findings.append(Finding("", f"images/{stem}", "not listed", "no split list names it", False))
            else:
                samples.append(Sample(stem, path, masks[stem], split))
        for stem in masks.keys() - images.keys() - doubtful:
            detail = f"{masks[stem]}: no image {stem}.* in {self.root / 'images'}; add it, or remove the mask"
            findings.append(Finding("", f"masks/{stem}", "mask without image", detail, True))
        samples += self._unlabelled(findings)
        if not samples and not any(finding.fault for finding in findings):
            raise DataError(f"{self.root / 'images'}: holds no image")
        return Listing(samples, sorted(findings, key=lambda finding: (finding.name, finding.reason)))

    def _unlabelled(self, findings: list[Finding]) -> list[Sample]:
        folder = self.root / "unlabelled"
        if not folder.is_dir():
            return []
        found, more = scan_images(folder)
        findings += more
        return [Sample(f"unlabelled/{stem}", path, None, "unlabelled") for stem, path in found.items()]

    def _lists(
        self, images: dict[str, Path], doubtful: set[str], findings: list[Finding]
    ) -> dict[str, dict[str, SplitHint]]:
        """For each list that exists, its stems."""
        found: dict[str, dict[str, SplitHint]] = {}
        everywhere: dict[str, str] = {}
        for split in _LISTS:
            path = self.root / f"{split}.txt"
            if not path.is_file():
                continue
            found[split] = {}
            # A byte order mark is what Windows editors begin a text with.
            for line in path.read_text(encoding="utf-8-sig").splitlines():
                entry = unicodedata.normalize("NFC", line.strip())
                if not entry or entry.startswith("#"):
                    continue
                # A name may hold dots: as it stands it is a stem, and only otherwise a file name.
                stem = entry if entry in images or entry in doubtful else stem_of(entry)
                if stem in everywhere:
                    raise DataError(
                        f"{path}: {entry!r} is already in {everywhere[stem]}; an image is in one split only"
                    )
                everywhere[stem] = path.name
                if stem in images or stem in doubtful:
                    found[split][stem] = split
                else:
                    detail = f"{path}: names {entry!r}, but {self.root / 'images'} holds no such image"
                    findings.append(Finding(split, entry, "listed but absent", detail, True))
        if "train" in found and "test" not in found:
            raise DataError(
                f"{self.root / 'train.txt'}: there is no test.txt beside it; name the test images there, or "
                "remove train.txt to have all splits drawn"
            )
        return found

    @staticmethod
    def _split(stem: str, lists: dict[str, dict[str, SplitHint]]) -> SplitHint | None:
        for names in lists.values():
            if stem in names:
                split = names[stem]
                return "trainval" if split == "train" and "val" not in lists else split
        if "train" in lists:
            return None
        if "test" not in lists:
            return "rest"
        return "trainval" if "val" not in lists else "train"

    def class_mask(self, values: np.ndarray, sample: Sample) -> np.ndarray:
        """Class numbers as they are, ``ignore_index`` to 255."""
        return class_numbers(values, sample, self.classes, self.ignore_index)
