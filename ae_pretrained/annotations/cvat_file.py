"""CVAT XML 1.1 ("CVAT for images"): one ``<mask>`` for each connected region, exact to the pixel.

CVAT's importer (``cvat/apps/dataset_manager/formats/cvat.py``, ``load_anno``) reads ``rle`` as runs along the rows of
the box, zeros first, and the box from ``left``, ``top``, ``width``, ``height``; images are known by their name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from ae_pretrained.annotations.regions import connected_regions


def cvat_image(mask: np.ndarray, classes: Sequence[str], name: str, number: int) -> Element:
    """The ``<image>`` of a mask; background is what no mask covers.

    Args:
        mask: (H, W) uint8 class ids, background 0; 255 is left out.
        classes: names by class id.
        name: of the image, as CVAT knows it.
        number: its place in the task.
    """
    height, width = mask.shape
    image = Element("image", id=str(number), name=name, width=str(width), height=str(height))
    for region in connected_regions(mask):
        if region.class_id:
            rows, columns = region.mask.shape
            SubElement(
                image,
                "mask",
                label=classes[region.class_id],
                source="auto",
                occluded="0",
                rle=", ".join(map(str, runs(region.mask.ravel()))),
                left=str(region.x),
                top=str(region.y),
                width=str(columns),
                height=str(rows),
                z_order="0",
            )
    return image


def runs(pixels: np.ndarray) -> list[int]:
    """Run lengths of (n,) bool, of zeros and ones in turns and beginning with zeros."""
    changes = np.flatnonzero(np.diff(pixels)) + 1
    lengths = np.diff(np.concatenate([[0], changes, [len(pixels)]])).tolist()
    return [0, *lengths] if pixels[0] else lengths


def cvat_text(images: Iterable[Element], classes: Sequence[str]) -> str:
    """The text of ``annotations.xml``; the labels are those of ``classes`` but background."""
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    labels = SubElement(SubElement(SubElement(root, "meta"), "task"), "labels")
    for name in classes[1:]:
        SubElement(SubElement(labels, "label"), "name").text = name
    root.extend(images)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, "unicode") + "\n"
