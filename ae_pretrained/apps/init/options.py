"""What a user may say about the images when a project is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ae_pretrained.sources.formats.export_source import Unnamed


@dataclass(frozen=True)
class InitOptions:
    """What a user may say about the images.

    Attributes:
        format: value of ``data.source``; None: found by looking.
        classes: class names, background first; None: those of the export, or ``background``, ``class_1``, …
        mask_values: the value of each class in the mask files; None: class numbers as stored.
        ignore_index: value of unlabelled pixels in the mask files; None: 255.
        colors: a class and its colour in each entry, for masks in colour.
        binary: whether all that is not 0 in the masks is one class.
        empty_masks: ``data.masks.empty``; None: ``background`` for annotations that are drawn, else ``unlabelled``.
        unnamed_classes: what pixels of an export are whose class is not among ``classes``.
        group_by: ``data.group_by``.
        leak_check: whether near-duplicates are looked for.
        resize: ``data.resize``; ``auto``: by what survives of the masks.
        scale: ``data.scale`` of crops; None: by what survives of the masks.
        image_size: side of the square images that the models see, or of the crops, px; None: 64, or by the images.
        sixteen_bits, alpha, exif: as in the data section of params.yaml.
        on_error: whether unusable files stop (``stop``) or are left out (``skip``).
    """

    format: str | None = None
    classes: tuple[str, ...] | None = None
    mask_values: tuple[int, ...] | None = None
    ignore_index: int | None = None
    colors: tuple[str, ...] = ()
    binary: bool = False
    empty_masks: Literal["background", "unlabelled"] | None = None
    unnamed_classes: Unnamed = "stop"
    group_by: Literal["none", "folder"] = "none"
    leak_check: bool = True
    resize: Literal["auto", "stretch", "pad", "crop"] = "auto"
    scale: float | None = None
    image_size: int | None = None
    sixteen_bits: Literal["full", "found"] = "full"
    alpha: Literal["matte", "drop"] = "matte"
    exif: Literal["apply", "ignore", "with_mask"] = "apply"
    on_error: Literal["stop", "skip"] = "stop"
