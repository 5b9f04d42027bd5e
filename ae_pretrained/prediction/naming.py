"""Names of result files: one per input image, and never that of an input image."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path

from ae_pretrained.errors import PipelineError
from ae_pretrained.names import file_stem, is_address
from ae_pretrained.prediction.destination import Destination

MASK, OVERLAY = "_mask.png", "_overlay.png"
TABLES = ("predictions.json", "predictions.csv")
_MOST_NAMED = 5


def result_names(images: Sequence[Path]) -> list[str]:
    """A name for the results of each image: its stem, or ``STEM_2``, ``STEM_3`` … if the stem is taken.

    Names that differ only in case or in how accents are composed count as the same: some file systems do not
    distinguish them. A stem that is too long for ``STEM_overlay.png``, or holds what no file name may, is changed.
    """
    longest = max(MASK, OVERLAY, key=len)
    stems = {_key(file_stem(image.stem, longest)) for image in images}
    taken: set[str] = set()
    last: dict[str, int] = {}  # the number given last by stem: thousands of files may be called image.png
    names = []
    for image in images:
        name = file_stem(image.stem, longest)
        count = last.get(name, 1)
        # The second `cat` must not take the name of an image that is called `cat_2`.
        while _key(name) in taken or (count > 1 and _key(name) in stems):
            count += 1
            number = f"_{count}"
            name = f"{file_stem(image.stem, number + longest)}{number}"
        last[file_stem(image.stem, longest)] = count
        taken.add(_key(name))
        names.append(name)
    return names


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def check_no_image_is_replaced(
    images: Sequence[Path | str], names: Sequence[str], folder: Path | str
) -> None:
    """Refuse to write a result over one of the input images; images and folder are paths or addresses.

    Raises:
        PipelineError: naming the first image that would be lost.
    """
    here = {_whole(image) for image in images}
    for image, name in zip(images, names, strict=True):
        for ending in (MASK, OVERLAY):
            if _whole(f"{folder}/{name}{ending}") in here:
                raise PipelineError(
                    f"{folder}/{name}{ending}: the result for {image} would replace this file, which is itself "
                    "among the images; choose another folder with --out, or leave earlier results out"
                )


def _whole(image: Path | str) -> str:
    return str(image) if is_address(str(image)) else str(Path(image).resolve())


def earlier_results(place: Destination) -> set[str]:
    """Names of the files that earlier runs wrote there, as the ``predictions.json`` says.

    None where there is no such file or another program wrote it.
    """
    place.fetch(TABLES[0])
    try:
        told = json.loads((place.folder / TABLES[0]).read_text(encoding="utf-8"))
        written = [entry[key] for entry in told["predictions"] for key in ("mask", "overlay")]
        written += [entry["annotation"] for entry in told["predictions"] if "annotation" in entry]
        names = {str(name) for name in (*written, *told.get("earlier_results", ()), *TABLES)}
        return {name for name in names if Path(name).name == name}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def check_no_file_is_replaced(
    names: Sequence[str], place: Destination, earlier: Collection[str], annotations: Collection[str] = ()
) -> None:
    """Refuse to replace files that are not results of an earlier run.

    Args:
        names: of the results (:func:`result_names`).
        place: where they go.
        earlier: names of files that may be replaced (:func:`earlier_results`).
        annotations: names of files for an annotation tool.

    Raises:
        PipelineError: naming the files, and the two ways on.
    """
    wanted = [*(f"{name}{ending}" for name in names for ending in (MASK, OVERLAY)), *annotations, *TABLES]
    lost = [file for file in wanted if file not in earlier and place.has(file)]
    if lost:
        more = f" and {len(lost) - _MOST_NAMED} more" if len(lost) > _MOST_NAMED else ""
        raise PipelineError(
            f"{place}: results would replace {', '.join(lost[:_MOST_NAMED])}{more}, which no earlier run wrote, as "
            f"far as {TABLES[0]} there says; choose another folder with --out, or have them replaced with --overwrite"
        )
