"""Which mask belongs to which image, where names or folders only resemble each other.

``a_mask.png``, ``a-label.png``, ``a_L.png`` or ``a.jpg.png`` belongs to ``a.jpg``, beside it or in a second folder;
in a folder for masks (``masks/``, ``train_labels/``, ``ann_dir/train/``) plain ``a.png`` does too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ae_pretrained.sources.base import Finding
from ae_pretrained.sources.formats.export_files import FileIndex
from ae_pretrained.sources.image_files import IMAGE_ENDINGS

_MASK_WORDS = {"mask", "masks", "label", "labels", "annotation", "annotations", "annot", "ann", "anns", "gt"}
_MASK_WORDS |= {"groundtruth", "seg", "segmentation", "segmentations", "segmentationclass"}
_IMAGE_WORDS = {
    "image",
    "images",
    "img",
    "imgs",
    "jpegimages",
    "photo",
    "photos",
    "picture",
    "pictures",
    "dir",
}
_MARK = re.compile(r"(.+?)[ ._-](?:masks?|labels?|gt|seg|segmentation|annotation|l)$", re.IGNORECASE)


@dataclass
class Pairs:
    """Images and their masks, as paths from the root.

    Attributes:
        mask_of: the mask of each image, or None.
        marked: whether masks are told by their names, not by their folder alone.
        findings: images and masks that cannot be paired.
    """

    mask_of: dict[str, str | None] = field(default_factory=dict)
    marked: bool = False
    findings: list[Finding] = field(default_factory=list)


def pair_masks(index: FileIndex) -> Pairs:
    """Pair the image files of a folder."""
    found = Pairs()
    images: dict[tuple[str, str], list[str]] = {}
    masks: dict[tuple[str, str], list[str]] = {}
    places = {path: _place(path) for path in index.images()}
    plain = {(place, PurePosixPath(path).stem) for path, (place, is_mask) in places.items() if not is_mask}
    for path, (place, in_mask_folder) in places.items():
        stem = PurePosixPath(path).stem
        base = _unmarked(stem)
        if base is not None and (place, base) in plain:
            masks.setdefault((place, base), []).append(path)
            found.marked = True
        elif in_mask_folder:
            masks.setdefault((place, stem), []).append(path)
        else:
            images.setdefault((place, stem), []).append(path)
    for key, paths in images.items():
        if len(paths) > 1:
            found.findings.append(_several(index.root, paths, "stem used twice", "images of one name"))
            continue
        own = masks.pop(key, [])
        if len(own) > 1:
            found.findings.append(_several(index.root, own, "several masks", f"masks for {paths[0]}"))
        else:
            found.mask_of[paths[0]] = own[0] if own else None
    for key, paths in masks.items():
        if key not in images:
            detail = f"{index.root / paths[0]}: there is no image of this name; add it, or remove the mask"
            found.findings.append(Finding("", paths[0], "mask without image", detail, True))
    return found


def _several(root: Path, paths: list[str], reason: str, what: str) -> Finding:
    detail = f"{root}: {len(paths)} {what}: {', '.join(paths)}; rename or remove all but one"
    return Finding("", paths[0], reason, detail, True)


def _unmarked(stem: str) -> str | None:
    """The stem of the image, from the stem of a mask that carries a mark."""
    inner = PurePosixPath(stem)
    if inner.suffix.lower() in IMAGE_ENDINGS:  # a.jpg.png
        return inner.stem
    match = _MARK.match(stem)
    return match[1] if match else None


def _place(path: str) -> tuple[str, bool]:
    """A folder without the words that speak of images and masks, and whether it is one for masks."""
    kept, is_mask = [], False
    for part in PurePosixPath(path).parts[:-1]:
        words = re.split(r"[\s_-]+|(?=annot$)", part)  # trainannot/, as CamVid is handed around
        rest = [word for word in words if word.casefold() not in _MASK_WORDS | _IMAGE_WORDS]
        if len(rest) < len(words):  # the innermost folder that speaks of either decides
            is_mask = any(word.casefold() in _MASK_WORDS for word in words)
        if rest:
            kept.append("_".join(rest))
    return "/".join(kept), is_mask
