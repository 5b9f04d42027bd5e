"""What masks hold, file by file, as people have them; tables of small files, each kind of disagreement once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.apps.init.mask_encoding import MaskEncoding, MaskWishes, interpret
from ae_pretrained.apps.init.masks import scan_masks
from ae_pretrained.sources.base import DataError

PALETTE = ((0, 0, 0), (0, 128, 0), (200, 0, 0))


def stripes(*values: int) -> np.ndarray:
    return np.repeat(np.array(values), 12)[None].repeat(20, axis=0)


def read(folder: Path, masks: list[Any], ending: str = "png", **wishes: Any) -> MaskEncoding:
    """Write masks (arrays or images), and decide what they hold."""
    for number, mask in enumerate(masks):
        image = mask if isinstance(mask, Image.Image) else Image.fromarray(mask.astype(np.uint8))
        image.save(folder / f"m{number}.{ending}")
    return interpret(scan_masks(sorted(folder.iterdir())), MaskWishes(**wishes))


def with_palette(values: np.ndarray, colors: list[tuple[int, int, int]]) -> Image.Image:
    image = Image.fromarray(values.astype(np.uint8), mode="P")
    image.putpalette([part for color in colors for part in color])
    return image


def test_black_and_white_in_two_ways_is_one_class(tmp_path: Path) -> None:
    found = read(tmp_path, [stripes(0, 1), stripes(0, 255), stripes(0), Image.fromarray(stripes(0, 1) > 0)])
    assert (found.values, found.threshold) == ((0, 1), 1)
    assert "1 masks hold 0 and 255 (m1.png), 2 hold 0 and 1 (m0.png, m3.png)" in found.notes[0]


def test_white_is_unlabelled_where_a_class_stands_beside_it(tmp_path: Path) -> None:
    found = read(tmp_path, [stripes(0, 1, 255), stripes(0, 255)])
    assert (found.values, found.ignored, found.threshold) == ((0, 1), 255, 0)


def test_jpeg_of_black_and_white_gets_a_threshold(tmp_path: Path) -> None:
    found = read(tmp_path, [stripes(0, 255, 0), stripes(255, 0, 0)], "jpg")
    assert found.threshold == 128
    assert (
        "2 masks are JPEG, JPEG 2000, AVIF or lossy WebP, which changes values: m0.jpg, m1.jpg"
        in found.notes[0]
    )


@pytest.mark.parametrize(
    ("masks", "ending", "wishes", "said"),
    [
        ([stripes(0, 1, 2)] * 7, "jpg", {}, r"7 masks are JPEG.*m0.jpg, .*m4.jpg, … \(7 files\).*as PNG"),
        ([stripes(0, 120, 255)], "jpg", {}, "cannot be restored, for they are not black and white alone"),
        ([stripes(0, 255)], "jpg", {"mask_values": (0, 7)}, "Leave out --mask-values"),
        ([stripes(0, 1, 2), stripes(0, 255)], "png", {}, r"disagree: 1 hold 0 and 255 alone \(m1.png\).*--ignore"),
        ([stripes(0, 2, 5)], "png", {}, "--mask-values 0,2,5"),
        ([stripes(0)], "png", {}, "no class beside the background"),
    ],
)  # fmt: skip
def test_what_fits_nothing_is_refused(
    tmp_path: Path, masks: list[Any], ending: str, wishes: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, masks, ending, **wishes)


def test_shades_around_few_values_are_no_list_to_advise(tmp_path: Path) -> None:
    mask = stripes(0, 100, 200)
    mask[0, 11:13] = 1, 99
    mask[1, 23:25] = 101, 199
    with pytest.raises(DataError, match=r"7 different values .*: shades of grey") as error:
        read(tmp_path, [mask])
    assert "--mask-values 0" not in str(error.value)


def test_numbers_that_count_objects_are_asked_about(tmp_path: Path) -> None:
    masks = [stripes(*range(count)) for count in (3, 5, 4, 6)]
    with pytest.raises(DataError, match=r"instances.*count from 1 to 2 … 5.*--binary"):
        read(tmp_path, masks)
    assert read(tmp_path, masks, binary=True).threshold == 1
    names = ("background", "a", "b", "c", "d", "e")
    assert read(tmp_path, masks, classes=names).values == (0, 1, 2, 3, 4, 5)


def test_classes_of_one_region_each_are_no_instances(tmp_path: Path) -> None:
    assert read(tmp_path, [stripes(0, 1, 2, 3), stripes(2, 3, 1, 0), stripes(0, 3, 2)]).threshold == 0


def test_numbers_above_255_are_instances(tmp_path: Path) -> None:
    masks = [Image.fromarray((stripes(0, 1, 2) * 300).astype(np.uint16)), stripes(0, 1)]
    with pytest.raises(
        DataError, match=r"up to 600 \(m0.png\).*instances of one class, say --binary.*with 8 bits"
    ):
        read(tmp_path, masks)
    assert read(tmp_path, masks, binary=True).threshold == 1


def test_palettes_that_number_colours_differently_are_read_by_colour(tmp_path: Path) -> None:
    black, green, red = PALETTE
    masks = [
        with_palette(stripes(0, 1, 2), [black, green, red]),
        with_palette(stripes(0, 1, 2), [red, black, green]),
        with_palette(stripes(0, 1), [green, black]),
    ]
    found = read(tmp_path, masks)
    assert found.values == PALETTE
    classes = ["soil", "leaf", "flower"]
    assert found.params(classes)["data", "colors"] == ["soil 0 0 0", "leaf 0 128 0", "flower 200 0 0"]
    with pytest.raises(DataError, match=r'--colors "soil 0 0 0,leaf 0 128 0,flower 200 0 0"'):
        read(tmp_path, masks, classes=tuple(classes))
    with pytest.raises(DataError, match=r"does not name \(200, 0, 0\)"):
        read(tmp_path, masks, colors=("soil 0 0 0", "leaf 0 128 0"))
    named = read(tmp_path, masks, colors=("soil 0 0 0", "leaf 0 128 0", "void 200 0 0"))
    assert (named.names, named.ignored) == (("soil", "leaf"), red)


def test_palettes_without_common_colours_are_refused(tmp_path: Path) -> None:
    black, green, red = PALETTE
    masks = [
        with_palette(stripes(0, 1, 2), [black, green, red]),
        with_palette(stripes(0, 1, 2), [red, black, (2, 126, 1)]),
    ]
    with pytest.raises(
        DataError, match=r"no common set of colours: \(0, 128, 0\) beside \(2, 126, 1\), in m1.png"
    ):
        read(tmp_path, masks)


def test_one_palette_is_numbers_with_colours(tmp_path: Path) -> None:
    found = read(tmp_path, [with_palette(stripes(*values), list(PALETTE)) for values in ((0, 1, 2), (1, 0))])
    assert found.values == (0, 1, 2)


def test_masks_in_colour(tmp_path: Path) -> None:
    colored = np.array(PALETTE, np.uint8)[stripes(0, 1, 2)]
    assert read(tmp_path, [colored, np.zeros((4, 4))]).values == PALETTE
    with pytest.raises(DataError, match=r"--binary is of masks with numbers; in colour are m0.png"):
        read(tmp_path, [colored], binary=True)
    with pytest.raises(DataError, match=r"others hold numbers without a colour \(m1.png\)"):
        read(tmp_path, [colored, stripes(0, 1)])
