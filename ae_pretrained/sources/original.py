"""The folders of the project that this one is modelled on.

``Train/resized`` with ``Train/resized_label``, ``Val/resized`` with ``Val/processed_labels``, ``Test/resized`` with
``Test/masks``; masks hold 0 background, 1 cat, 2 dog, 255 border.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.base import DataError, Finding, Listing, Sample, SplitHint
from ae_pretrained.sources.image_files import scan_images
from ae_pretrained.sources.mask_values import class_numbers, read_sized_mask

FOLDERS: tuple[tuple[SplitHint, str, str], ...] = (
    ("train", "Train/resized", "Train/resized_label"),
    ("val", "Val/resized", "Val/processed_labels"),
    ("test", "Test/resized", "Test/masks"),
)


class OriginalSource:
    """Images of the original project's layout.

    Args:
        root: folder with ``Train/``, ``Val/`` and ``Test/``.
        classes: background, cat, dog.
    """

    def __init__(self, root: Path, classes: list[str]) -> None:
        self.root, self.classes = root, classes

    def listing(self) -> Listing:
        """Every image of the three splits; names carry their split, since splits may share stems.

        Raises:
            DataError: when one of the six folders is absent.
        """
        missing = [name for _, *pair in FOLDERS for name in pair if not (self.root / name).is_dir()]
        if missing:
            raise DataError(
                f"data.root: {self.root} has no {', '.join(missing)}; source 'original_project' expects "
                + ", ".join(f"{images} + {masks}" for _, images, masks in FOLDERS)
            )
        samples: list[Sample] = []
        findings: list[Finding] = []
        for split, image_folder, mask_folder in FOLDERS:
            images, found = scan_images(self.root / image_folder)
            masks, also_found = scan_images(self.root / mask_folder)
            findings += found + also_found
            doubtful = {finding.name.partition("/")[2] for finding in found + also_found if finding.fault}
            for stem, path in images.items():
                name = f"{image_folder.split('/')[0]}/{stem}"
                if stem in masks:
                    samples.append(Sample(name, path, masks[stem], split))
                elif stem not in doubtful:
                    detail = f"{path}: no mask {stem}.* in {self.root / mask_folder}"
                    findings.append(Finding(split, name, "image without mask", detail, True))
            for stem in masks.keys() - images.keys() - doubtful:
                detail = f"{masks[stem]}: no image {stem}.* in {self.root / image_folder}"
                findings.append(Finding(split, f"{mask_folder}/{stem}", "mask without image", detail, True))
        return Listing(samples, sorted(findings, key=lambda finding: (finding.name, finding.reason)))

    def mask_of(self, sample: Sample, height: int, width: int) -> np.ndarray:
        """The class mask of an image of this size."""
        return self.class_mask(read_sized_mask(sample, height, width), sample)

    def class_mask(self, values: np.ndarray, sample: Sample) -> np.ndarray:
        """Class numbers as they are, 255 for the border."""
        return class_numbers(values, sample, self.classes, IGNORE_INDEX)
