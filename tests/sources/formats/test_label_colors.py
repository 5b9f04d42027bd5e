from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.detection import detect_format, open_export
from ae_pretrained.sources.formats.label_colors import LabelColors, parse_label_colors
from ae_pretrained.sources.formats.named_mask import class_names
from tests.sources.formats.drawn_images import save_png
from tests.sources.formats.mask_writers import voc_palette

SKY, CAR = ("Sky", (128, 128, 128)), ("Car 2", (64, 0, 128))


@pytest.mark.parametrize(
    "text",
    [
        "128 128 128\tSky\n64 0 128\tCar 2\n",  # label_colors.txt of CamVid
        "name,r,g,b\nSky,128,128,128\nCar 2,64,0,128\n",  # class_dict.csv
        'name, r, g, b\r\n"Sky", 128, 128, 128\r\n"Car 2", 64, 0, 128\r\n',
        "# label:color_rgb:parts:actions\nSky:128,128,128::\nCar 2:64,0,128::\n",  # labelmap.txt of CVAT
        "Sky #808080\n\nCar 2: #400080\n",
        "0,Sky,128,128,128\n1,Car 2,64,0,128\n",
        "# made by hand 1 2 3\nSky 128 128 128\n#400080 Car 2\n",
        "Sky: 128 128 128\nCar 2: 64 0 128\n",
    ],
)
def test_lists_of_colours(text: str) -> None:
    assert parse_label_colors(text, "list") == [SKY, CAR]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Sky 128 128 128\nCar 64 0\n", r"list, line 2: expected a name and a colour .*, found 'Car 64 0'"),
        ("Sky 128 128 300\n", "line 1: expected a name and a colour"),
        ("Sky 1 2 3 4\n", "line 1: expected a name and a colour"),
        ("128 128 128\n", "line 1: expected a name"),
        (
            "name,r,g,b\nSky,128,128,128\nCar\n",
            r"line 3: expected a name and a colour \(r g b, .*\), found 'Car'",
        ),
        ("Sky 1 2 3\nCar 1 2 3\n", r"line 2: 'Car' has the colour of 'Sky': \(1, 2, 3\)"),
    ],
)
def test_lists_that_cannot_be_read(text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        parse_label_colors(text, "list")


def test_every_colour_is_looked_up(tmp_path: Path) -> None:
    """Many colours, close to each other, in no order."""
    rng = np.random.default_rng(0)
    packed = rng.permutation(np.unique(rng.integers(0, 2**24, 300)))
    colors = [(f"c{n}", (int(v) >> 16, int(v) >> 8 & 255, int(v) & 255)) for n, v in enumerate(packed)]
    values = rng.integers(0, len(colors), (40, 50))
    Image.fromarray(np.array([color for _, color in colors], dtype=np.uint8)[values]).save(tmp_path / "m.png")
    assert np.array_equal(LabelColors(colors, "list").read(tmp_path / "m.png").values, values)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_modes_of_masks_in_colour(mode: str, tmp_path: Path) -> None:
    values = np.arange(120, dtype=np.uint8).reshape(10, 12) % 3
    colors = np.array(voc_palette()[:9], dtype=np.uint8).reshape(3, 3)
    if mode == "P":
        save_png(values, tmp_path / "m.png", voc_palette())
    else:
        Image.fromarray(colors[values]).convert(mode).save(tmp_path / "m.png")
    found = LabelColors([(str(n), tuple(c)) for n, c in enumerate(colors.tolist())], "list").read(
        tmp_path / "m.png"
    )
    assert np.array_equal(found.values, values)


def test_unknown_colours_are_counted(tmp_path: Path) -> None:
    colors = np.zeros((10, 10, 3), dtype=np.uint8)
    colors[0, :7], colors[1, :2] = (0, 0, 1), (255, 255, 255)
    save_png(colors, tmp_path / "m.png")
    with pytest.raises(DataError) as error:
        LabelColors([("black", (0, 0, 0))], "label_colors.txt").read(tmp_path / "m.png")
    assert str(error.value) == (
        f"{tmp_path / 'm.png'}: 9 of 100 pixels have colours that label_colors.txt does not list: (0, 0, 1) in 7 px, "
        "(255, 255, 255) in 2 px; add them to the list"
    )
    save_png(np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8), tmp_path / "m.png")
    with pytest.raises(
        DataError, match=r"and 395 more; so many speak of a mask that was resized or saved with smoothing"
    ):
        LabelColors([("black", (0, 0, 0))], "label_colors.txt").read(tmp_path / "m.png")


def folder_of(root: Path, names: str) -> None:
    colors = np.array([[[9, 9, 9], [0, 128, 0]]], dtype=np.uint8).repeat(10, axis=0).repeat(6, axis=1)
    for stem in "abc":
        save_png(colors, root / "images" / f"{stem}.png")
        save_png(colors, root / "masks" / f"{stem}.png")
    (root / "label_colors.txt").write_text(names)


def test_void_is_ignored_and_background_is_known_by_its_name(tmp_path: Path) -> None:
    folder_of(tmp_path, "9 9 9 Void\n0 128 0 leaf\n3 3 3 Background\n")
    assert detect_format(tmp_path) == "color_masks"
    source = open_export("color_masks", tmp_path)
    assert source.classes == ["background", "leaf"]
    assert set(np.unique(source.mask_of(source.listing().samples[0], 10, 12))) == {1, 255}
    # Where void is wanted as a class, data.classes says so.
    wanted = open_export("color_masks", tmp_path, ["background", "leaf", "Void"])
    assert set(np.unique(wanted.mask_of(wanted.listing().samples[0], 10, 12))) == {1, 2}


def test_colours_that_are_said_come_before_the_list(tmp_path: Path) -> None:
    folder_of(tmp_path, "9 9 9 x\n0 128 0 y\n")
    source = open_export("color_masks", tmp_path, colors=["ground 9 9 9", "leaf #008000"])
    assert source.classes == ["ground", "leaf"]
    assert set(np.unique(source.mask_of(source.listing().samples[0], 10, 12))) == {0, 1}


@pytest.mark.parametrize(
    ("names", "background", "expected"),
    [
        (["leaf", "flower", "leaf"], True, ["background", "leaf", "flower"]),
        (["leaf", "_background_", "__ignore__"], True, ["background", "leaf"]),
        (["leaf", "BG", "flower", "unlabelled"], False, ["background", "leaf", "flower"]),
        (["sky", "road", "Void"], False, ["sky", "road"]),
    ],
)
def test_class_names(names: list[str], background: bool, expected: list[str]) -> None:
    assert class_names(names, background) == expected
