"""A folder of images as ``init`` finds it: its format, its classes, and what its masks hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ae_pretrained.apps.init.export_scan import IGNORED, scan_export
from ae_pretrained.apps.init.inspection import START_WITHOUT, check_findings, list_folder
from ae_pretrained.apps.init.mask_encoding import MaskEncoding, MaskWishes, default_names, interpret
from ae_pretrained.apps.init.masks import FoundMasks, MaskFacts, scan_masks
from ae_pretrained.apps.init.options import InitOptions
from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.errors import PipelineError
from ae_pretrained.params.editing import Key
from ae_pretrained.sources.base import DataError, Listing
from ae_pretrained.sources.folder import image_folder
from ae_pretrained.sources.formats.detection import FORMATS, detect_format, open_export

_NUMBERED = ("folder", "suffix_masks")  # formats whose masks hold numbers without names


class ClassRow(NamedTuple):
    """One class in the report."""

    value: str  # in the files, with its colour; empty where an export names its classes
    name: str
    pixels: int
    masks: int


@dataclass(frozen=True)
class Reading:
    """What was found in a folder, and how it is read.

    Attributes:
        title: the format, in words.
        values: what it says in params.yaml.
        listing: every image and every finding.
        rows: what the masks hold of each class.
        ignored: pixels and masks that are unlabelled.
        kinds: masks by file format.
        empty: masks without foreground.
        notes: choices that the user should know of.
    """

    title: str
    values: dict[Key, Any]
    listing: Listing
    rows: list[ClassRow]
    ignored: ClassRow
    kinds: dict[str, int]
    empty: int
    notes: list[str]


def read_folder(root: Path, options: InitOptions) -> Reading:
    """Find the format of a folder and read all its annotations, but no image.

    Raises:
        DataError: when no format is found, files stand in the way, or masks disagree.
    """
    name = options.format or _detect(root, options)
    if options.format is None and options.colors and name not in _NUMBERED:
        name = "color_masks"
    reading = _numbered(root, name, options) if name in _NUMBERED else _exported(root, name, options)
    values = {
        ("data", "source"): name,
        ("data", "group_by"): options.group_by,
        ("data", "leak_check", "enabled"): options.leak_check,
    }
    reading.values.update(values)
    return reading


def _detect(root: Path, options: InitOptions) -> str:
    """The format; ``folder`` too where there are images, and no mask in any format."""
    try:
        return detect_format(root)
    except DataError as error:
        if not image_folder(root).is_dir():
            raise
        if options.classes is None:
            raise DataError(f"{error}\nAre there no masks yet? {START_WITHOUT.capitalize()}") from None
        return "folder"


def _without_masks(listing: Listing, options: InitOptions) -> Reading:
    """Images of which none has a mask: only what the user says is known of the classes."""
    assert options.classes is not None
    if options.on_error == "stop":
        check_findings(listing, ())
    for option, given in (
        ("--mask-values", options.mask_values is not None),
        ("--colors", bool(options.colors)),
        ("--binary", options.binary),
    ):
        if given:
            raise PipelineError(
                f"{option} is of masks, and no image has one; leave it out: a mask that comes later has the number "
                "of its class in each pixel, or comes by `ae-pretrained labels`"
            )
    values: dict[Key, Any] = {
        ("data", "classes"): list(options.classes),
        ("data", "masks", "absent"): "wait",
        ("data", "masks", "empty"): options.empty_masks or "unlabelled",
        ("data", "ignore_index"): IGNORE_INDEX if options.ignore_index is None else options.ignore_index,
    }
    rows = [ClassRow(str(value), label, 0, 0) for value, label in enumerate(options.classes)]
    ignored = ClassRow(str(values["data", "ignore_index"]), "(unlabelled)", 0, 0)
    return Reading("images without masks", values, listing, rows, ignored, {}, 0, [])


def _numbered(root: Path, name: str, options: InitOptions) -> Reading:
    may_lack = options.classes is not None
    listing = list_folder(root, may_lack) if name == "folder" else open_export(name, root).listing()
    if not any(sample.mask for sample in listing.samples):
        return _without_masks(listing, options)
    found = scan_masks([sample.mask for sample in listing.samples if sample.mask is not None])
    if options.on_error == "stop":
        check_findings(listing, found.faults)
    if options.binary and (options.mask_values or options.ignore_index is not None or options.colors):
        raise PipelineError(
            "--binary reads every value but 0 as one class; leave out --mask-values, --ignore-index and --colors"
        )
    wishes = MaskWishes(
        options.classes, options.mask_values, options.ignore_index, options.colors, options.binary
    )
    encoding = interpret(found, wishes)
    classes = _class_names(encoding, options.classes)
    rows, ignored = _rows(found, encoding, classes)
    empty = sum(_is_empty(file, encoding) for file in found.files)
    chosen = options.empty_masks or "unlabelled"
    values: dict[Key, Any] = {("data", "classes"): classes, ("data", "masks", "empty"): chosen}
    values |= encoding.params(classes)
    kinds = Counter(file.kind for file in found.files)
    title = "images/ and masks/" if name == "folder" else FORMATS[name].title
    notes = list(encoding.notes)
    if not (options.classes or encoding.names):
        notes.append("name the classes in params.yaml (data.classes), now class_1, …")
    return Reading(title, values, listing, rows, ignored, dict(kinds), empty, notes)


def _exported(root: Path, name: str, options: InitOptions) -> Reading:
    kind = FORMATS[name]
    for option, given in (
        ("--mask-values", options.mask_values is not None),
        ("--ignore-index", options.ignore_index is not None),
        ("--binary", options.binary),
    ):
        if given:
            raise PipelineError(
                f"{option} is of masks with numbers; {root} is {kind.title}, which says itself what is what. Leave "
                "it out, or say --format folder"
            )
    scan = scan_export(
        root,
        name,
        classes=options.classes,
        unnamed=options.unnamed_classes,
        colors=options.colors,
        upright=options.exif == "apply",
    )
    if options.on_error == "stop":
        check_findings(scan.listing, scan.faults)
    rows = [
        ClassRow("", label, scan.pixels.get(label, 0), scan.images.get(label, 0)) for label in scan.classes
    ]
    ignored = ClassRow("", "(unlabelled)", scan.pixels.get(IGNORED, 0), scan.images.get(IGNORED, 0))
    # Who drew shapes and drew none said that nothing is there.
    chosen = options.empty_masks or ("background" if kind.paints_on_background else "unlabelled")
    values = {**scan.params(), ("data", "masks", "empty"): chosen}
    notes = list(scan.notes)
    if scan.unused:
        notes.append(f"named by the export, but in no mask, and left out: {', '.join(scan.unused[:12])}")
    return Reading(kind.title, values, scan.listing, rows, ignored, {}, scan.empty, notes)


def _class_names(encoding: MaskEncoding, names: Sequence[str] | None) -> list[str]:
    count = len(encoding.values)
    if encoding.names:
        if names is not None and tuple(names) != encoding.names:
            raise PipelineError(
                f"--classes says {', '.join(names)}, --colors names {', '.join(encoding.names)}; leave out --classes"
            )
        return list(encoding.names)
    if names is None:
        return list(default_names(count))
    if len(names) != count:
        values = ", ".join(map(str, encoding.values))
        held = f"the masks hold {count} values: {values}"
        if encoding.threshold:
            held = "the masks are read as background and one class"
        raise PipelineError(
            f"--classes names {len(names)} classes ({', '.join(names)}), but {held}"
            ". Name one class a value, background first"
        )
    return list(names)


def _number_of(file: MaskFacts, encoding: MaskEncoding) -> dict[int, int]:
    """Pixels of a mask by class; what belongs to none is under -1."""
    counts: Counter[int] = Counter()
    if isinstance(encoding.values[0], tuple):
        held: dict[Any, int] = file.colors or {(value, value, value): n for value, n in file.counts.items()}
    else:
        held = dict(file.counts)
    for key, count in held.items():
        if encoding.threshold:
            counts[int(key >= encoding.threshold)] += count
        else:
            counts[encoding.values.index(key) if key in encoding.values else -1] += count
    return counts


def _is_empty(file: MaskFacts, encoding: MaskEncoding) -> bool:
    return not any(number > 0 for number in _number_of(file, encoding))


def _rows(
    found: FoundMasks, encoding: MaskEncoding, classes: Sequence[str]
) -> tuple[list[ClassRow], ClassRow]:
    pixels: Counter[int] = Counter()
    masks: Counter[int] = Counter()
    color_of: dict[Any, tuple[int, ...]] = {}
    for file in found.files:
        counts = _number_of(file, encoding)
        pixels.update(counts)
        masks.update(counts.keys())
        color_of |= file.color_of
    shown = []
    for value in encoding.values:
        color = color_of.get(value)
        shown.append(str(value) if color is None else f"{value} {color}")
    if encoding.threshold:
        limit = encoding.threshold
        shown = [f"0 to {limit - 1}" if limit > 1 else "0", f"from {limit}"]
    rows = [
        ClassRow(value, name, pixels[number], masks[number])
        for number, (value, name) in enumerate(zip(shown, classes, strict=True))
    ]
    ignored = "" if encoding.ignored is None else str(encoding.ignored)
    return rows, ClassRow(ignored, "(unlabelled)", pixels[-1], masks[-1])
