"""Every kind of export that tests write, and the format that it is to be recognised as."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tests.sources.formats.drawn_images import Labelled
from tests.sources.formats.mask_writers import (
    write_colors,
    write_cvat_masks,
    write_roboflow,
    write_suffix,
    write_voc,
)
from tests.sources.formats.shape_writers import (
    write_coco,
    write_cvat_xml,
    write_label_studio,
    write_labelme,
    write_supervisely,
)

Writer = Callable[[Path, Sequence[Labelled], Sequence[str]], None]


# The format that each is to be recognised as, and how it is written.
MASK_EXPORTS: dict[str, tuple[str, Writer]] = {
    "coco": ("coco", write_coco),
    "labelme": ("labelme", write_labelme),
    "cvat_xml": ("cvat_xml", write_cvat_xml),
    "pascal_voc": ("pascal_voc", write_voc),
    "cvat_masks": ("pascal_voc", write_cvat_masks),
    "roboflow_masks": ("roboflow_masks", write_roboflow),
    "supervisely": ("supervisely", write_supervisely),
    "label_studio": ("label_studio", write_label_studio),
    "color_masks": ("color_masks", write_colors),
    "suffix_masks": ("suffix_masks", write_suffix),
}
