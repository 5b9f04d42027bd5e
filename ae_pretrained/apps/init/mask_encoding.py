"""Which value, or which colour, of the masks stands for which class; where the files disagree, this stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ae_pretrained.apps.init.masks import MOST_CLASSES, FoundMasks, MaskFacts, Rgb, name_files
from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.params.editing import Key
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.label_colors import parse_label_colors
from ae_pretrained.sources.formats.named_mask import is_ignored

_WHITE, _HALF = 255, 128
_DARK, _LIGHT = 40, 215  # a JPEG of black and white holds hardly anything between
_FEW = 0.1  # of the pixels of a neighbouring value: what smoothing or JPEG leaves around it


@dataclass(frozen=True)
class MaskWishes:
    """What the user says about the masks; None or empty: nothing.

    Attributes:
        classes: names, background first.
        mask_values: the value of each class.
        ignore_index: value of unlabelled pixels.
        colors: class and colour in each entry.
        binary: whether all that is not 0 is one class.
    """

    classes: tuple[str, ...] | None = None
    mask_values: tuple[int, ...] | None = None
    ignore_index: int | None = None
    colors: tuple[str, ...] = ()
    binary: bool = False


@dataclass(frozen=True)
class MaskEncoding:
    """Which value or colour stands for which class in the mask files.

    Attributes:
        values: for each class its value in the files, its colour, or with a threshold where it begins.
        ignored: value or colour of unlabelled pixels.
        threshold: see ``data.masks.threshold``.
        notes: choices that the user should know of.
        names: class names that ``--colors`` brings.
        colors: for ``data.colors``; may be empty.
    """

    values: tuple[int | Rgb, ...]
    ignored: int | Rgb | None = IGNORE_INDEX
    threshold: int = 0
    notes: list[str] = field(default_factory=list)
    names: tuple[str, ...] = ()
    colors: tuple[str, ...] = ()

    def params(self, classes: Sequence[str]) -> dict[Key, Any]:
        """What it says in params.yaml."""
        values: dict[Key, Any] = {("data", "masks", "threshold"): self.threshold}
        by_color = [value for value in self.values if isinstance(value, tuple)]
        if by_color:
            listed = [f"{name} {r} {g} {b}" for name, (r, g, b) in zip(classes, by_color, strict=True)]
            return {**values, ("data", "colors"): list(self.colors) or listed}
        if self.threshold:
            return values
        stored = list(self.values) == list(range(len(self.values)))
        return {
            **values,
            ("data", "ignore_index"): self.ignored,
            ("data", "mask_values"): [] if stored else list(self.values),
        }


def interpret(found: FoundMasks, wishes: MaskWishes) -> MaskEncoding:
    """Decide which value stands for which class.

    Raises:
        DataError: when the values fit no reading, or the files disagree; it names files and says what to do.
    """
    files = found.files
    if not files:
        raise DataError("no mask could be read" + "".join(f"\n  {fault}" for fault in found.faults[:5]))
    if lossy := [file for file in files if file.lossy]:
        return _lossy(files, lossy, wishes)
    if wishes.colors:
        return _named_colors(found, wishes.colors)
    if wishes.binary:
        if colored := [file for file in files if not file.counts]:
            raise DataError(
                f"--binary is of masks with numbers; in colour are {name_files(colored)}. Say --colors instead"
            )
        return MaskEncoding((0, 1), None, 1, ["every value but 0 is the one class (--binary)"])
    if beyond := [file for file in files if file.beyond]:
        largest = max(file.beyond for file in beyond)
        raise DataError(
            f"the masks hold values up to {largest} ({name_files(beyond)}); class numbers end at 255. If the numbers "
            "count instances of one class, say --binary; if they are classes, save their numbers with 8 bits (0 for "
            "background, 1, 2, …)"
        )
    if any(not file.counts for file in files) or _palettes_differ(files):
        return _by_color(found, wishes)
    if wishes.mask_values is not None:
        return _as_wanted(sorted(found.pixels()), wishes.mask_values, wishes.ignore_index)
    return _numbers(found, wishes)


def _numbers(found: FoundMasks, wishes: MaskWishes) -> MaskEncoding:
    files, pixels = found.files, found.pixels()
    present = sorted(pixels)
    white = [file for file in files if _WHITE in file.values]
    if wishes.ignore_index is None and white and all(file.values <= {0, _WHITE} for file in white):
        others = [file for file in files if file.values - {0, _WHITE}]
        if not others:
            note = (
                "masks are black and white (0 and 255): 0 is taken for background, 255 for the one class. Were 255 "
                "to mean unlabelled, say --ignore-index 255"
            )
            return MaskEncoding((0, _WHITE), _free_value((0, _WHITE)), 0, [note])
        if all(file.values <= {0, 1} for file in others):
            note = (
                f"{len(white)} masks hold 0 and 255 ({name_files(white)}), {len(others)} hold 0 and 1 "
                f"({name_files(others)}): all are read as one class (data.masks.threshold). Were 255 to mean "
                "unlabelled, say --ignore-index 255"
            )
            return MaskEncoding((0, 1), None, 1, [note])
        raise DataError(
            f"the masks disagree: {len(white)} hold 0 and 255 alone ({name_files(white)}), {len(others)} hold other "
            f"class numbers and no 255 ({name_files(others)}). Say --ignore-index 255 if 255 means unlabelled, "
            "--binary if every value but 0 is one class, or save the masks alike"
        )
    ignore = IGNORE_INDEX if wishes.ignore_index is None else wishes.ignore_index
    labels = [value for value in present if value != ignore]
    if len(labels) < 2:
        raise DataError(
            f"the masks hold no class beside the background: found {_listed(present)}, where {ignore} stands for "
            "unlabelled. Expected at least two of 0, 1, 2, …"
        )
    if labels == list(range(len(labels))):
        if wishes.classes is None and (said := _look_like_instances(files, ignore)):
            raise _instances(said)
        return MaskEncoding(tuple(labels), ignore)
    blurred = [value for value in labels if _is_shade(value, pixels)]
    if len(labels) > MOST_CLASSES or blurred:
        odd = [file for file in files if len(file.values) > MOST_CLASSES or file.values & set(blurred)]
        raise DataError(
            f"the masks hold {len(labels)} different values ({_listed(labels)}): shades of grey, not classes, in "
            f"{name_files(odd)}. Were they saved as JPEG once, or resized with smoothing? Export class numbers as "
            "PNG, and resize with the nearest neighbour. If all but black is one class, say --binary; if they are "
            "classes all the same, name the value of each with --mask-values"
        )
    raise DataError(
        f"the masks hold the values {_listed(labels)} (and {ignore} for unlabelled); expected class numbers without "
        f"a gap: 0, 1, 2, …, background first. Say which value is which class with --mask-values "
        f"{','.join(map(str, labels))} (background first, then in the order of --classes), another "
        "--ignore-index if one of them means unlabelled, or --binary if every value but 0 is one class"
    )


def _is_shade(value: int, pixels: dict[int, int]) -> bool:
    """Whether a value has few pixels and stands next to one that has many."""
    near = [pixels.get(value + step, 0) for step in (-3, -2, -1, 1, 2, 3)]
    return pixels[value] < _FEW * max(near)


def _look_like_instances(files: Sequence[MaskFacts], ignore: int) -> str:
    """Why the numbers seem to count objects, or nothing: each is one region, and each mask counts from 1 anew."""
    labels = [file.values - {0, ignore} for file in files if file.single >= 0]
    counted = [values for values in labels if values]
    single = sum(file.single for file in files if file.single > 0)
    if not counted or single < 0.9 * sum(len(values) for values in labels):
        return ""
    sizes = {len(values) for values in counted}
    from_one = sum(values == set(range(1, len(values) + 1)) for values in counted)
    if max(sizes) < 3 or len(sizes) < 2 or from_one < 0.9 * len(counted):
        return ""
    return (
        f"each value is one connected region, and the masks count from 1 to {min(sizes)} … {max(sizes)}, in "
        f"{name_files([file for file in files if file.values - {0, ignore}])}"
    )


def _instances(said: str) -> DataError:
    return DataError(
        f"the masks look like instances, not classes: {said}. If the numbers count objects of one class, say "
        "--binary; if they are classes, name them: --classes background,…"
    )


def _lossy(files: Sequence[MaskFacts], lossy: Sequence[MaskFacts], wishes: MaskWishes) -> MaskEncoding:
    """JPEG masks: black and white can be told apart again, class numbers cannot."""
    exact = [file for file in files if not file.lossy]
    total = sum(sum(file.counts.values()) for file in lossy)

    def share(inside: Callable[[int], bool]) -> float:
        return sum(n for file in lossy for value, n in file.counts.items() if inside(value)) / total

    between, light = share(lambda v: _DARK < v < _LIGHT), share(lambda v: v >= _LIGHT)
    what = f"{len(lossy)} masks are JPEG, JPEG 2000, AVIF or lossy WebP, which changes values: {name_files(lossy)}"
    strange = [file for file in exact if file.values - {0, _WHITE}]
    if light == 0 or between > 0.05 or strange:
        why = "they are not black and white alone"
        if strange:
            why = f"others hold class numbers ({name_files(strange)})"
        raise DataError(
            f"{what}. The numbers of the classes cannot be restored, for {why}. Export the masks as PNG"
        )
    if wishes.mask_values not in (None, (0, _WHITE)) or wishes.ignore_index is not None or wishes.colors:
        raise DataError(
            f"{what}. They are black and white: 0 and 255 are told apart at {_HALF}, and no other value or colour "
            "can be named. Leave out --mask-values, --ignore-index and --colors, or export the masks as PNG"
        )
    note = (
        f"{what}. They are black and white: from {_HALF} on a pixel is the one class (data.masks.threshold)"
    )
    return MaskEncoding((0, _HALF), None, _HALF, [note])


def _palettes_differ(files: Sequence[MaskFacts]) -> bool:
    seen: dict[int, Rgb] = {}
    return any(seen.setdefault(value, color) != color for f in files for value, color in f.color_of.items())


def _by_color(found: FoundMasks, wishes: MaskWishes) -> MaskEncoding:
    """Masks whose colours say the class: RGB, or palettes that number the same colours differently."""
    grey = [file for file in found.files if not file.colors]
    # A mask of background alone has no colour but black.
    grey = [file for file in grey if file.values != {0}]
    colored = [file for file in found.files if file.colors]
    what = f"the masks are in colour ({colored[0].kind}: {name_files(colored)})"
    if all(file.color_of for file in colored):
        what = f"one value has different colours in different masks (palettes; {name_files(colored)})"
    if grey:
        raise DataError(
            f"{what}, others hold numbers without a colour ({name_files(grey)}); save all in one way"
        )
    pixels = found.color_pixels()
    if (0, 0, 0) not in pixels and any(not file.colors for file in found.files):
        pixels[0, 0, 0] = 0
    close = next(
        (pair for pair in _pairs(sorted(pixels)) if max(abs(a - b) for a, b in zip(*pair, strict=True)) < 12),
        None,
    )
    if len(pixels) > MOST_CLASSES or close:
        odd = [f for f in colored if close and close[1] in f.colors] or colored
        why = f"{_shown(close[0])} beside {_shown(close[1])}" if close else f"{len(pixels)} colours"
        raise DataError(
            f"{what}, and they have no common set of colours: {why}, in {name_files(odd)}. Export the masks with the "
            "same colours in each, as PNG, or with class numbers"
        )
    # Black is background, else what most pixels have.
    first = (0, 0, 0) if (0, 0, 0) in pixels else max(pixels, key=lambda color: pixels[color])
    order = (first, *(color for color in pixels if color != first))
    if len(order) < 2:
        raise DataError(f"{what}, and all are of one colour, {_shown(first)}; expected one colour a class")
    if wishes.mask_values is not None:
        raise DataError(f"{what}; --mask-values names numbers. Say --colors instead, {_example(order, None)}")
    if wishes.classes is not None:
        raise DataError(
            f"{what}: {', '.join(map(_shown, order[:12]))}. Say which colour is which class, instead of --classes, "
            f"for instance {_example(order, wishes.classes)}"
        )
    return MaskEncoding(order, None, 0, [f"{what}: they are read by colour (data.colors)"])


def _pairs(colors: Sequence[Rgb]) -> list[tuple[Rgb, Rgb]]:
    return [(one, two) for place, one in enumerate(colors[:200]) for two in colors[place + 1 : 200]]


def _example(colors: Sequence[Rgb], names: Sequence[str] | None) -> str:
    names = names if names and len(names) == len(colors) else default_names(len(colors))
    entries = (f"{name} {r} {g} {b}" for name, (r, g, b) in zip(names, colors, strict=True))
    return f'--colors "{",".join(entries)}"'


def default_names(count: int) -> tuple[str, ...]:
    """Class names where nobody named them."""
    return ("background", *(f"class_{number}" for number in range(1, count)))


def _named_colors(found: FoundMasks, entries: Sequence[str]) -> MaskEncoding:
    listed = parse_label_colors("\n".join(entries), "--colors")
    known = {color for _, color in listed}
    for file in found.files:
        own = set(file.colors) or {(value, value, value) for value in file.counts}
        if strange := sorted(own - known):
            odd = [f for f in found.files if set(f.colors) - known]
            raise DataError(
                f"--colors does not name {', '.join(map(_shown, strange[:6]))}, which {name_files(odd or [file])} "
                "hold; add them"
            )
    used = [(name, color) for name, color in listed if not is_ignored(name)]
    names = tuple(dict.fromkeys(name for name, _ in used))
    ignored = next((color for name, color in listed if is_ignored(name)), None)
    values = tuple(next(color for other, color in used if other == name) for name in names)
    return MaskEncoding(values, ignored, 0, [], names, tuple(entries))


def _as_wanted(present: list[int], wanted: tuple[int, ...], ignore_index: int | None) -> MaskEncoding:
    if ignore_index is not None and ignore_index in wanted:
        raise DataError(f"--ignore-index {ignore_index} is also in --mask-values {_listed(wanted)}")
    default = _free_value(wanted) if IGNORE_INDEX in wanted else IGNORE_INDEX
    ignore = default if ignore_index is None else ignore_index
    if unknown := [value for value in present if value not in wanted and value != ignore]:
        raise DataError(
            f"the masks hold {_listed(unknown)}, which --mask-values {_listed(wanted)} does not name and which is "
            f"not the value of unlabelled pixels ({ignore}); name all values of the masks: {_listed(present)}"
        )
    if absent := [value for value in wanted if value not in present]:
        raise DataError(f"--mask-values names {_listed(absent)}, but the masks hold {_listed(present)}")
    return MaskEncoding(wanted, ignore)


def _free_value(taken: Sequence[int]) -> int:
    """A value that stands for nothing yet, where there are no unlabelled pixels."""
    return next(value for value in range(255, -1, -1) if value not in taken)


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:12])) + (", …" if len(values) > 12 else "")


def _shown(color: Rgb) -> str:
    return "({}, {}, {})".format(*color)
