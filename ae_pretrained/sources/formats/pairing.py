"""Which mask belongs to which image, where names or folders only resemble each other.

``a_mask.png``, ``a-label.png``, ``a_L.png``, ``gt_a.png`` or ``a.jpg.png`` belongs to ``a.jpg``, ``mask_1.png`` to
``image_1.jpg``, ``a_mask.png`` to ``a_sat.jpg``, beside it or in a second folder. In a folder for masks (``masks/``,
``train_labels/``, ``ann_dir/train/``, ``Ground Truth/``) plain ``a.png`` does too, and so does an ``a.png`` of one
channel beside ``a.jpg``. Upper and lower case are the same where one image alone is meant. Folders of other names
(``Task1-2_Training_Input/``, ``Task1_Training_GroundTruth/``) belong together where all their masks find an image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ae_pretrained.sources.base import DataError, Finding
from ae_pretrained.sources.formats.export_files import FileIndex
from ae_pretrained.sources.formats.mask_pixels import channels
from ae_pretrained.sources.image_files import IMAGE_ENDINGS
from ae_pretrained.sources.split_names import SPLIT_OF_WORD

_MASK_WORDS = {
    "mask",
    "masks",
    "label",
    "labels",
    "annotation",
    "annotations",
    "annot",
    "ann",
    "anns",
    "gt",
    "manual",
}
_MASK_WORDS |= {"groundtruth", "seg", "segmentation", "segmentations", "segmentationclass"}
_MASK_WORDS |= {"lbl", "lbls", "msk", "msks"}
_RATHER_MASK_WORDS = {"lab", "labs", "target", "targets"}  # beside no word but a split: lab photos are photos
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
_IMAGE_WORDS |= {"input", "inputs", "original", "originals", "rgb"}
SEVERAL_MASKS = "several masks"
_ONE_CHANNEL = ("1", "L", "P", "I", "I;16")  # as Pillow calls them
_MASK = r"(?:masks?|msk|labels?|lbl|gt|ground[ ._-]?truth|seg|segmentation|annotation|manual\d*)"
_IMAGE = r"(?:images?|img|im|photo|picture|rgb|sat|input|original|training|test)"
# A mark stands at either end, apart or beside a number: a_mask, gt-a, mask (3), image07. Of CamVid's a_L at the end.
_MASK_MARKS = (
    re.compile(rf"(.+?)(?:(?:[ ._-]|(?<=\d)){_MASK}|[ ._-]l)$", re.IGNORECASE),
    re.compile(rf"{_MASK}(?:[ ._-]+|(?=\d))(.+)$", re.IGNORECASE),
)
_IMAGE_MARKS = (
    re.compile(rf"(.+?)(?:[ ._-]|(?<=\d)){_IMAGE}$", re.IGNORECASE),
    re.compile(rf"{_IMAGE}(?:[ ._-]+|(?=\d))(.+)$", re.IGNORECASE),
)


_Key = tuple[str, str]  # place and stem
_Files = dict[_Key, list[str]]


@dataclass
class Pairs:
    """Images and their masks, as paths from the root.

    Attributes:
        mask_of: the mask of each image, or None.
        marked: whether masks are told by their names or their one channel, not by their folder alone.
        findings: images and masks that cannot be paired.
    """

    mask_of: dict[str, str | None] = field(default_factory=dict)
    marked: bool = False
    findings: list[Finding] = field(default_factory=list)


def pair_masks(index: FileIndex) -> Pairs:
    """Pair the image files of a folder."""
    found = Pairs()
    images: _Files = {}
    masks: _Files = {}
    places = {path: _place(path) for path in index.images()}
    named = _Names()
    with_mask = set()  # what a mask in a folder of its own is called like, whatever marks the name has
    for path, (place, in_mask_folder) in places.items():
        if in_mask_folder:
            with_mask.add((place, _stem(path)))
        else:
            named.add(place, _stem(path))
    for path, (place, in_mask_folder) in places.items():
        stem = _stem(path)
        whole = named.meant(place, stem) if in_mask_folder else None
        bases = [] if not in_mask_folder and (place, stem) in with_mask else _unmarked(stem)
        image = whole or next(filter(None, (named.meant(place, base) for base in bases)), None)
        if image is not None:
            masks.setdefault((place, image), []).append(path)
            found.marked |= whole is None
        elif in_mask_folder:
            masks.setdefault((place, stem), []).append(path)
        else:
            images.setdefault((place, stem), []).append(path)
    found.marked |= _join_folders(images, masks)
    for key, paths in images.items():
        if key not in masks and (both := _image_and_mask(index, paths)):
            paths, masks[key] = [both[0]], [both[1]]
            found.marked = True
        if len(paths) > 1:
            found.findings.append(_several(index.root, paths, "stem used twice", "images of one name"))
            continue
        own = masks.pop(key, [])
        if len(own) > 1:
            found.findings.append(_several(index.root, own, SEVERAL_MASKS, f"masks for {paths[0]}"))
        else:
            found.mask_of[paths[0]] = own[0] if own else None
    for key, paths in masks.items():
        if key not in images:
            found.findings.append(mask_without_image(index.root, paths[0]))
    return found


def mask_without_image(root: Path, mask: str) -> Finding:
    """What is said of a mask, a path from the root, that belongs to no image."""
    detail = f"{root / mask}: there is no image of this name; add it, or remove the mask"
    return Finding("", mask, "mask without image", detail, True)


def _join_folders(images: _Files, masks: _Files) -> bool:
    """Give masks of a folder without images to the one folder of images that has all their names.

    One without masks goes before others; of an image that has a mask already, this is one mask too many.

    Returns:
        Whether a mask's name differs from its image's.
    """
    joined: dict[str, list[tuple[str, list[_Key]]]] = {}
    places = {place for place, _ in images}
    free = places - {place for place, _ in masks}
    for place in sorted({place for place, _ in masks} - places):
        stems = [stem for of_place, stem in masks if of_place == place]
        fitting = [
            (other, [(other, name) for name in meant if name is not None])
            for other in sorted(places)
            if _split_in(other) == _split_in(place)
            and None not in (meant := _names_in(images, other, stems))
            and len(set(meant)) == len(stems)
        ]
        fitting = [(other, names) for other, names in fitting if other in free] or fitting
        if len(fitting) == 1:
            joined.setdefault(fitting[0][0], []).append((place, fitting[0][1]))
    marked = False
    for found in joined.values():
        if len(found) > 1:  # say, colours and class numbers: which of them is meant would be a guess
            continue
        place, keys = found[0]
        for before, key in zip([key for key in masks if key[0] == place], keys, strict=True):
            marked |= before[1] != key[1]
            masks.setdefault(key, []).extend(masks.pop(before))
    return marked


def _names_in(images: _Files, place: str, stems: list[str]) -> list[str | None]:
    """The stem of the image of a place that each stem of a mask means."""
    named = _Names()
    for of_place, stem in images:
        if of_place == place:
            named.add(place, stem)
    return [
        next(filter(None, (named.meant(place, name) for name in (stem, *_unmarked(stem)))), None)
        for stem in stems
    ]


def _split_in(place: str) -> str:
    words = (SPLIT_OF_WORD.get(word) for word in re.split(r"[/\s_-]+", place.casefold()))
    return next(filter(None, words), "")


def _several(root: Path, paths: list[str], reason: str, what: str) -> Finding:
    detail = f"{root}: {len(paths)} {what}: {', '.join(paths)}; rename or remove all but one"
    return Finding("", paths[0], reason, detail, True)


class _Names:
    """What a mask may call the images of each place: by their stem, or by it without a word such as ``image``."""

    def __init__(self) -> None:
        self._stems: dict[tuple[str, str], set[str]] = {}

    def add(self, place: str, stem: str) -> None:
        for name in (stem, *_bases(stem, _IMAGE_MARKS)):
            self._stems.setdefault((place, name.casefold()), set()).add(stem)

    def meant(self, place: str, name: str) -> str | None:
        """The stem of the image that a name means; None for no image, and where it may be one or the other."""
        stems = self._stems.get((place, name.casefold()), set())
        nearest = stems & {name} or {stem for stem in stems if stem.casefold() == name.casefold()} or stems
        return next(iter(nearest)) if len(nearest) == 1 else None


def _stem(path: str) -> str:
    return PurePosixPath(path).stem


def _unmarked(stem: str) -> list[str]:
    """What the image may be called, from the stem of a mask that carries a mark."""
    inner = PurePosixPath(stem)
    if inner.suffix.lower() in IMAGE_ENDINGS:  # a.jpg.png
        return [inner.stem]
    return _bases(stem, _MASK_MARKS)


def _bases(stem: str, marks: tuple[re.Pattern[str], ...]) -> list[str]:
    return [match[1] for mark in marks if (match := mark.match(stem))]


def _place(path: str) -> tuple[str, bool]:
    """A folder without the words that speak of images and masks, and whether it is one for masks."""
    kept, is_mask = [], False
    for part in PurePosixPath(path).parts[:-1]:
        written = re.sub(r"ground[\s_-]+truth", "groundtruth", part, flags=re.IGNORECASE)
        words = re.split(r"[\s_-]+|(?=annot$)", written)  # trainannot/, as CamVid is handed around
        known = {word.casefold() for word in words}
        of_masks = known & _MASK_WORDS
        if known <= _RATHER_MASK_WORDS | SPLIT_OF_WORD.keys():
            of_masks |= known & _RATHER_MASK_WORDS
        if of_masks or known & _IMAGE_WORDS:  # the innermost folder that speaks of either decides
            is_mask = bool(of_masks)
        rest = [word for word in words if word.casefold() not in of_masks | _IMAGE_WORDS]
        if rest:
            kept.append("_".join(rest))
    return "/".join(kept), is_mask


def _image_and_mask(index: FileIndex, paths: list[str]) -> tuple[str, str] | None:
    """Of two files of one name, a photograph as JPEG and a mask of one channel: which is which."""
    jpeg = [path for path in paths if PurePosixPath(path).suffix.lower() in (".jpg", ".jpeg")]
    others = [path for path in paths if path not in jpeg]
    if len(jpeg) != 1 or len(others) != 1:
        return None
    try:
        is_mask = channels(index.files[others[0]]) in _ONE_CHANNEL
    except DataError:  # broken, or the HEIC that the JPEG was made of: two files of one name, which is said
        return None
    return (jpeg[0], others[0]) if is_mask else None
