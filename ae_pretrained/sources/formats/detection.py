"""Which format an export has: found by looking at it, or named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.cityscapes import CityscapesSource
from ae_pretrained.sources.formats.coco import CocoSource
from ae_pretrained.sources.formats.color_masks import ColorMaskSource
from ae_pretrained.sources.formats.cvat_xml import CvatXmlSource
from ae_pretrained.sources.formats.export_source import ExportSource, Unnamed
from ae_pretrained.sources.formats.label_studio import LabelStudioSource
from ae_pretrained.sources.formats.labelme import LabelmeSource
from ae_pretrained.sources.formats.pascal_voc import PascalVocSource
from ae_pretrained.sources.formats.roboflow import RoboflowMaskSource
from ae_pretrained.sources.formats.suffix_masks import SuffixMaskSource
from ae_pretrained.sources.formats.supervisely import SuperviselySource
from ae_pretrained.sources.formats.yolo import YoloSource
from ae_pretrained.sources.split_lists import GroupBy

# What a tool writes; a folder may hold several exports, and then the user has to choose.
_TOOLS: Mapping[str, type[ExportSource]] = {
    "coco": CocoSource,
    "labelme": LabelmeSource,
    "cvat_xml": CvatXmlSource,
    "pascal_voc": PascalVocSource,
    "roboflow_masks": RoboflowMaskSource,
    "supervisely": SuperviselySource,
    "label_studio": LabelStudioSource,
    "yolo": YoloSource,
    "cityscapes": CityscapesSource,
}
# Conventions, which hold within what tools write too: they count only where no tool's files are found.
_CONVENTIONS: Mapping[str, type[ExportSource]] = {
    "color_masks": ColorMaskSource,
    "suffix_masks": SuffixMaskSource,
}
_MANY = 200  # folders that are looked into for an export further down
FORMATS = {**_TOOLS, **_CONVENTIONS}


def detect_format(root: Path) -> str:
    """The value of ``data.source`` for an export: one of ``FORMATS``, or ``folder`` for plain images/ and masks/.

    Only names of files and their first lines are looked at.

    Raises:
        DataError: when nothing is recognised, or several formats are; the text lists what is there.
    """
    if not root.is_dir():
        raise DataError(
            f"{root}: {'is a file; unpack it first' if root.exists() else 'there is no such folder'}"
        )
    found = _find_tools(root)
    if len(found) > 1:
        listed = "; ".join(f"{name} ({FORMATS[name].title}: {file})" for name, file in found.items())
        raise DataError(f"{root}: holds {len(found)} formats: {listed}. Say which one with --format NAME")
    if found:
        return next(iter(found))
    if ColorMaskSource.find(root) is not None:
        return "color_masks"
    below = [path for path in [*sorted(root.glob("*")), *sorted(root.glob("*/*"))] if path.is_dir()]
    for folder in below[:_MANY]:
        for name, file in _find_tools(folder).items():
            raise DataError(
                f"{root}: the export lies further down: {folder} holds {file} ({FORMATS[name].title}); name that "
                "folder, or say --format NAME"
            )
    if SuffixMaskSource.find(root) is not None:
        return "suffix_masks"
    if (root / "images").is_dir() and (root / "masks").is_dir():
        return "folder"
    if SuffixMaskSource.has_pairs(root):
        return "suffix_masks"
    entries = sorted(path.name + ("/" if path.is_dir() else "") for path in root.iterdir())
    shown = ", ".join(entries[:8]) + (f", … ({len(entries)} in all)" if len(entries) > 8 else "")
    known = "".join(f"\n  - {name}: {kind.title}: {kind.expects}" for name, kind in FORMATS.items())
    raise DataError(
        f"{root}: no known layout; found {shown or 'nothing'}. Expected images/ and masks/ with masks of the same "
        f"name, or one of:{known}"
    )


def _find_tools(root: Path) -> dict[str, str]:
    """What tools have written into a folder, with the file that each is known by."""
    return {name: file for name, kind in _TOOLS.items() if (file := kind.find(root)) is not None}


def open_export(
    name: str,
    root: Path,
    classes: Sequence[str] | None = None,
    ignore_index: int = IGNORE_INDEX,
    unnamed: Unnamed = "stop",
    colors: Sequence[str] = (),
    group_by: GroupBy = "none",
) -> ExportSource:
    """The source that reads an export.

    Args:
        name: one of ``FORMATS``.
        root: folder of the export.
        classes: names, background first; None: as the export has them.
        ignore_index: value of unlabelled pixels in masks of class numbers without names.
        unnamed: see :class:`ExportSource`.
        colors: see :class:`ColorMaskSource`; of no other format.
        group_by: ``folder`` keeps the images of one sub-folder (one patient, one scene) in one split.

    Raises:
        DataError: for another name.
    """
    if name not in FORMATS:
        raise DataError(f"{name!r} is no format of annotations; known are {', '.join(FORMATS)}")
    if name == "color_masks":
        source: ExportSource = ColorMaskSource(root, classes, ignore_index, unnamed, colors)
    else:
        source = FORMATS[name](root, classes, ignore_index, unnamed)
    source.group_by = group_by
    return source
