"""Annotation files for a stream of masks, whatever the format: file by file, or all images in one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args
from xml.etree.ElementTree import Element

import numpy as np

from ae_pretrained.annotations.coco_file import coco_regions, coco_text
from ae_pretrained.annotations.cvat_file import cvat_image, cvat_text
from ae_pretrained.annotations.labelme_file import labelme_text
from ae_pretrained.annotations.regions import stacked_polygons
from ae_pretrained.errors import check_choice
from ae_pretrained.files import write_text
from ae_pretrained.names import shown

AnnotationFormat = Literal["labelme", "cvat", "coco"]
# Below 1 / sqrt(5) px, the distance of the corners of a stair of single pixels, every corner stays, and labelme's own
# rasteriser gives every pixel back. From there on slanted edges cost more than they save: 0.5 px leaves out every
# fifth corner of a pet's outlines, and labelme reads .996 mean IoU (docs/predict.md).
EPSILON = 0.4  # px
_SINGLE_FILE = {"cvat": "annotations.xml", "coco": "annotations.json"}


class AnnotationWriter:
    """Writes the masks of images for an annotation tool.

    Args:
        kind: ``labelme``, ``cvat`` or ``coco``.
        folder: of the files.
        classes: names by class id, background first.
        model: digest of the model that made the masks.
        epsilon: of labelme: how far outlines may move for the sake of fewer corners, px.

    Raises:
        PipelineError: for another kind.
    """

    def __init__(
        self,
        kind: AnnotationFormat,
        folder: Path,
        classes: Sequence[str],
        model: str,
        epsilon: float = EPSILON,
    ) -> None:
        check_choice("format", kind, get_args(AnnotationFormat))
        self.kind, self.folder, self.classes, self.model, self.epsilon = kind, folder, classes, model, epsilon
        self._cvat: dict[int, Element] = {}
        self._coco: dict[int, tuple[str, tuple[int, int], list[dict[str, Any]]]] = {}

    def file_name(self, name: str) -> str:
        """The file that describes the image whose results are called ``name``."""
        return _SINGLE_FILE.get(self.kind, f"{name}.json")

    def add(self, number: int, image: Path, name: str, mask: np.ndarray) -> str:
        """Take in the mask of an image, and write its file where it has one of its own.

        Args:
            number: place of the image among all.
            image: its file.
            name: of its results.
            mask: (H, W) uint8 class ids at the size of the upright image.

        Returns:
            The name of the file that describes it.
        """
        size = (mask.shape[0], mask.shape[1])
        if self.kind == "labelme":
            polygons = stacked_polygons(mask, self.epsilon)
            text = labelme_text(polygons, size, self.classes, path_from(self.folder, image), self.model)
            write_text(self.folder / self.file_name(name), text)
        elif self.kind == "cvat":
            self._cvat[number] = cvat_image(mask, self.classes, shown(image.name), number)
        else:
            self._coco[number] = (shown(image.name), size, coco_regions(mask))
        return self.file_name(name)

    def finish(self) -> None:
        """Write the file that describes all images, in their order, where the format has one."""
        if self.kind == "cvat":
            text = cvat_text((self._cvat[key] for key in sorted(self._cvat)), self.classes)
        elif self.kind == "coco":
            text = coco_text([self._coco[key] for key in sorted(self._coco)], self.classes)
        else:
            return
        write_text(self.folder / _SINGLE_FILE[self.kind], text)


def path_from(folder: Path, image: Path) -> str:
    """An image as a file in ``folder`` names it: from there on, or whole where it is on another drive."""
    try:
        return Path(os.path.relpath(image.resolve(), folder.resolve())).as_posix()
    except ValueError:
        return image.resolve().as_posix()
