"""Masks drawn beforehand: images and what a segmenter says about them, in a folder for an annotation tool.

    drafts/
        drafts.json     which image is which sample, digests of the model and of every draft
        .drafts/        the drafts as they were written, PNG
        labelme:        NAME.jpg, NAME.json side by side
        cvat:           images/NAME.jpg, annotations.xml
        png:            images/NAME.jpg, masks/NAME.png, classes.txt

Corrected in place, or exported over it, ``ae-pretrained labels`` reads the folder back.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from ae_pretrained.annotations.digests import file_digest, mask_digest
from ae_pretrained.annotations.regions import painted, stacked_polygons
from ae_pretrained.annotations.writers import EPSILON, AnnotationWriter
from ae_pretrained.errors import PipelineError, check_choice
from ae_pretrained.files import write_bytes, write_json, write_text
from ae_pretrained.names import shown
from ae_pretrained.prediction.naming import result_names
from ae_pretrained.prediction.overlays import mask_png
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.prediction.shipped import shipped_model
from ae_pretrained.prediction.streaming import read_input
from ae_pretrained.sources.base import DataError
from ae_pretrained.windows import SmallImageError

DraftFormat = Literal["labelme", "cvat", "png"]
MANIFEST, KEPT = "drafts.json", ".drafts"
IMAGE_FOLDER: Mapping[str, str] = {"labelme": "", "cvat": "images", "png": "images"}


@dataclass(frozen=True)
class DraftResult:
    """What was written.

    Attributes:
        written: file of each draft's image in the folder, by sample.
        unreadable: why there is no draft, by sample.
    """

    written: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


def is_taken(folder: Path) -> bool:
    """Whether drafts would overwrite something: only a folder that is new or empty takes them."""
    return folder.exists() and (not folder.is_dir() or any(folder.iterdir()))


def write_drafts(
    images: Mapping[str, Path],
    folder: Path,
    kind: DraftFormat,
    *,
    model: Path | None = None,
    device: str = "auto",
    epsilon: float = EPSILON,
    report: Callable[[str], None] = lambda _: None,
) -> DraftResult:
    """Predict images and write them, with their drafts, for an annotation tool; whole or not at all.

    Args:
        images: files by the name of their sample (``Sample.name``).
        folder: to make; must not exist, or be empty.
        kind: ``labelme``, ``cvat`` or ``png``.
        model: segmenter; None: the one that comes with the package.
        device: see :meth:`Segmenter.load`.
        epsilon: of labelme: how far outlines may move for the sake of fewer corners, px.
        report: called with the name of each sample that is done.

    Raises:
        PipelineError: for no image, no image that can be read, another kind, or a folder that holds something or
            cannot be written.
    """
    check_choice("format", kind, get_args(DraftFormat))
    if not images:
        raise PipelineError("drafts: no image was named; name at least one")
    if is_taken(folder):
        raise PipelineError(
            f"{folder}: is not empty; name a new folder for the drafts, nothing is overwritten"
        )
    path = shipped_model("segmenter") if model is None else model
    segmenter = Segmenter.load(path, device)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(parents=True)
        result = _fill(part, images, kind, segmenter, file_digest(path), epsilon, report)
        if not result.written:
            raise PipelineError(
                f"none of {len(images)} images could be read: {next(iter(result.unreadable.values()))}"
            )
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return result


def _fill(
    folder: Path,
    images: Mapping[str, Path],
    kind: DraftFormat,
    segmenter: Segmenter,
    model: str,
    epsilon: float,
    report: Callable[[str], None],
) -> DraftResult:
    result, entries = DraftResult(), list[dict[str, Any]]()
    classes = segmenter.classes
    writer = None if kind == "png" else AnnotationWriter(kind, folder, classes, model, epsilon)
    (folder / IMAGE_FOLDER[kind]).mkdir(exist_ok=True)
    stems = result_names(list(images.values()))
    for number, ((name, path), stem) in enumerate(zip(images.items(), stems, strict=True)):
        image = read_input(number, path, segmenter.decode, very_large=segmenter.resize == "crop")
        try:
            if image.pixels is None:
                raise DataError(image.error)
            mask = segmenter.predict([image.pixels])[0].mask
        except (DataError, SmallImageError) as error:
            result.unreadable[name] = f"{shown(path)}: {error}" if image.pixels is not None else str(error)
            continue
        copy = folder / IMAGE_FOLDER[kind] / f"{stem}{path.suffix}"
        shutil.copyfile(path, copy)
        if kind == "labelme":  # what its outlines give
            mask = painted(stacked_polygons(mask, epsilon), *mask.shape)
        if writer is None:
            write_bytes(folder / "masks" / f"{stem}.png", mask_png(mask, len(classes)))
        else:
            writer.add(number, copy, stem, mask)
        write_bytes(folder / KEPT / f"{stem}.png", mask_png(mask, len(classes)))
        entries.append(_entry(name, copy.relative_to(folder), mask, classes))
        result.written[name] = copy.relative_to(folder).as_posix()
        report(name)
    if writer is None:
        write_text(folder / "classes.txt", "\n".join(classes) + "\n")
    else:
        writer.finish()
    write_json(
        folder / MANIFEST, {"format": kind, "model": model, "classes": list(classes), "images": entries}
    )
    return result


def _entry(name: str, file: Path, mask: np.ndarray, classes: tuple[str, ...]) -> dict[str, Any]:
    height, width = mask.shape
    digest = mask_digest(mask, classes)
    return {"name": name, "file": file.as_posix(), "width": width, "height": height, "shapes": digest}


@dataclass(frozen=True)
class Drafts:
    """Drafts as ``drafts.json`` describes them.

    Attributes:
        kind: format.
        model: digest of the segmenter.
        classes: names by class id of the kept drafts.
        names: sample by the stem of its image's copy.
        digests: of the drafts, by that stem.
    """

    folder: Path
    kind: str
    model: str
    classes: list[str]
    names: dict[str, str]
    digests: dict[str, str]

    def kept(self, stem: str) -> Path:
        """The draft as it was written."""
        return self.folder / KEPT / f"{stem}.png"


def read_drafts(folder: Path) -> Drafts | None:
    """What :func:`write_drafts` wrote into a folder; None where there is no ``drafts.json``.

    Raises:
        DataError: when that file is not what it should be.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        stems = {Path(entry["file"]).stem: entry for entry in told["images"]}
        return Drafts(
            folder,
            str(told["format"]),
            str(told["model"]),
            [str(name) for name in told["classes"]],
            {stem: str(entry["name"]) for stem, entry in stems.items()},
            {stem: str(entry["shapes"]) for stem, entry in stems.items()},
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: is not as it was written ({type(error).__name__}: {error}); restore it from the folder of the "
            "drafts, or remove it: masks are then read without a comparison"
        ) from None
