"""Made-up names, lists, parameters, masks and images: each is taken, or refused with a sentence, never a traceback.

The inputs are the same in every run. ``make test`` tries a few of each kind, ``make test-long`` twenty times as many.
"""

from __future__ import annotations

import codecs
import copy
import csv
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from ruamel.yaml import YAML

from ae_pretrained.apps.init.mask_encoding import MaskWishes, interpret
from ae_pretrained.apps.init.masks import scan_masks
from ae_pretrained.errors import PipelineError
from ae_pretrained.files import write_table
from ae_pretrained.names import LONGEST_FILE_NAME, drawn, file_stem, shown
from ae_pretrained.params import read_params, validate_params
from ae_pretrained.params.class_names import check_class_names
from ae_pretrained.params.editing import flatten, set_values
from ae_pretrained.params.reading import parse_params
from ae_pretrained.prediction.destination import Destination
from ae_pretrained.prediction.naming import OVERLAY, earlier_results, result_names
from ae_pretrained.sources.base import Sample
from ae_pretrained.sources.folder import FolderSource
from ae_pretrained.sources.image_reader import decode_image
from ae_pretrained.sources.mask_reader import read_mask
from ae_pretrained.sources.mask_rule import MaskRule
from ae_pretrained.sources.name_lists import read_groups
from tests.conftest import ROOT

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # on damaged files
PARAMS = read_params(ROOT / "params.yaml")
STEMS = ["p00", "p01", "sub/p02", "é"]

# Half of it as people write, half of it any code point, halves of surrogate pairs included.
anything = st.text(st.characters(exclude_categories=()), max_size=40)
plain = st.text(st.sampled_from('ab.Z09 _-$\\/\n\r\t\x1b,;:"é\u0301\u202e\ud800\udce9📷'), max_size=300)
names = anything | plain | st.binary(max_size=60).map(os.fsdecode)


def name(folder: Path, text: str) -> None:
    line = shown(text)
    assert line.encode("utf-8").decode("utf-8").splitlines() in ([line], [])
    assert shown(line) == line
    label = drawn(text)
    assert label.count("$") == label.count(r"\$")
    assert len(label) <= 2 * 40 + 1
    full = f"{file_stem(text, OVERLAY)}{OVERLAY}"
    assert len(full.encode("utf-8")) <= LONGEST_FILE_NAME
    assert Path(full).name == full


def several_names(folder: Path, texts: list[str]) -> None:
    paths = [Path(text.replace("\0", "")) for text in texts]
    found = result_names(paths)
    assert len({item.casefold() for item in found}) == len(paths)
    write_table(folder / "names.csv", ("name", "other"), [(text, text) for text in texts])
    with (folder / "names.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1:] == [[shown(text)] * 2 for text in texts]


words = st.sampled_from(
    [*STEMS, "images/p00.jpg", "p00.jpg masks/p00.png", "p01\tg", "p01,g", "# x", "", '"', "\0"]
)
lines = st.lists(words | names.map(lambda text: text.encode("utf-8", "replace").decode()), max_size=6)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1", "cp1252"])


@st.composite
def text_files(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()):
        mark = draw(st.sampled_from([b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE]))
        return mark + draw(st.binary(max_size=40))
    text = draw(st.sampled_from(["\n", "\r\n"])).join(draw(lines))
    return text.encode(draw(encodings), errors="replace")


def split_list(folder: Path, content: bytes) -> None:
    (folder / "test.txt").write_bytes(content)
    listing = FolderSource(folder, MaskRule(["background", "leaf"])).listing()
    assert listing.samples


def group_list(folder: Path, content: bytes) -> None:
    (folder / "groups.csv").write_bytes(content)
    groups, _ = read_groups(folder / "groups.csv", STEMS)
    assert set(groups) <= set(STEMS)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | names
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=3)
)


def params(folder: Path, change: tuple[tuple[str, ...], Any]) -> None:
    key, value = change
    changed = copy.deepcopy(PARAMS)
    section = changed
    for part in key[:-1]:
        section = section[part]
    section[key[-1]] = value
    validate_params(changed)


def params_text(folder: Path, text: str) -> None:
    parse_params(text, "params.yaml")


yaml_parts = st.lists(
    st.sampled_from(
        [
            "seed",
            ": ",
            "\n",
            "  ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            "&a ",
            "*a",
            "!!int ",
            "!x ",
            "2001-99-99",
            "0o9",
            "1_0",
            "|",
        ]
        + [
            "<<: ",
            "'",
            '"',
            "\t",
            "%YAML 9",
            "---",
            "...",
            "#",
            "\x01",
            "? ",
            "!!binary ",
            "1:99",
            ".inf",
            "=",
            "\ud800",
        ]
    ),
    max_size=12,
).map("".join)


def class_names(folder: Path, texts: list[str]) -> None:
    try:
        check_class_names(["background", *texts])
    except ValueError as error:
        raise PipelineError(str(error)) from None
    key = ("data", "classes")
    text = set_values("data:\n  classes: [background, cat]  # names\n", {key: ["background", *texts]})
    assert YAML(typ="safe", pure=True).load(text)["data"]["classes"] == ["background", *texts]


def foreign_predictions(folder: Path, content: Any) -> None:
    try:
        (folder / "predictions.json").write_text(json.dumps(content))
    except ValueError:
        return
    assert all("/" not in file for file in earlier_results(Destination(folder)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | names,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["mask", "overlay", "predictions", "earlier_results"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@st.composite
def image_files(draw: st.DrawFn) -> bytes:
    """An image of any kind, some bytes of it changed, cut off or appended."""
    kind = draw(st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "MPO", "PPM"]))
    mode = draw(st.sampled_from(["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "I", "F", "CMYK"]))
    side = draw(st.sampled_from([1, 7, 16]))
    stream = io.BytesIO()
    try:
        Image.new(mode, (side, side + 1)).save(stream, kind)
    except (OSError, ValueError, KeyError):  # the format has no such mode
        Image.new("L", (side, side + 1), 1).save(stream, "PNG")
    content = bytearray(stream.getvalue())
    for _ in range(draw(st.integers(0, 4))):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        del content[draw(st.integers(0, len(content))) :]
    return bytes(content) + draw(st.binary(max_size=20))


def image(folder: Path, content: bytes) -> None:
    pixels = decode_image(content, "image")
    assert pixels.dtype == np.uint8
    assert pixels.shape[2:] == (3,)


def mask_file(folder: Path, content: bytes) -> None:
    (folder / "mask.png").write_bytes(content)
    mask = read_mask(folder / "mask.png")
    assert (mask.ndim, mask.dtype) == (2, np.uint8)


byte = st.integers(0, 255)


def mask_values(folder: Path, made: tuple[list[tuple[str, list[int]]], MaskWishes]) -> None:
    """What `init` makes of masks is what `prepare` can read: each in a mode, all its rows with the same values."""
    masks, wishes = made
    paths = [folder / f"m{place}.tif" for place in range(len(masks))]
    for path, (mode, row) in zip(paths, masks, strict=True):
        Image.fromarray(np.tile(np.array(row, dtype=np.uint8), (2, 1))).convert(mode).save(path)
    encoding = interpret(scan_masks(paths), wishes)
    classes = [*(encoding.names or [f"c{number}" for number in range(len(encoding.values))])]
    stated = {key[-1]: value for key, value in encoding.params(classes).items()}
    rule = MaskRule(classes, **stated)
    for path, (_, row) in zip(paths, masks, strict=True):
        mask = rule.class_mask(Sample(path.stem, path, path, "train"), 2, len(row))
        assert set(np.unique(mask)) <= {*range(len(classes)), 255}


modes = st.sampled_from(["L", "L", "P", "RGB", "I;16", "I", "F", "LA", "1"])
small_values = st.lists(st.sampled_from([0, 1, 2, 3, 128, 255]) | byte, min_size=1, max_size=6)
keys = st.sampled_from(
    sorted(flatten(PARAMS)) + [("data",), ("train_seg", "loss"), ("unknown",), ("data", "x")]
)
# What is made up, what is done with it, and how many of each `make test` tries.
KINDS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Path, Any], None], int]] = {
    "name": (names, name, 30),
    "names": (st.lists(names, max_size=8), several_names, 15),
    "class names": (st.lists(names, min_size=1, max_size=3), class_names, 15),
    "split list": (text_files(), split_list, 25),
    "groups": (text_files(), group_list, 20),
    "params": (st.tuples(keys, values), params, 25),
    "text of params": (yaml_parts, params_text, 20),
    "foreign predictions.json": (json_values, foreign_predictions, 10),
    "image": (image_files(), image, 25),
    "mask": (image_files(), mask_file, 25),
    "values of masks": (
        st.tuples(
            st.lists(st.tuples(modes, small_values), min_size=1, max_size=3),
            st.builds(
                MaskWishes,
                mask_values=st.none() | st.lists(byte, min_size=1, max_size=5, unique=True).map(tuple),
                ignore_index=st.none() | byte,
                binary=st.booleans(),
            ),
        ),
        mask_values,
        25,
    ),
}
TIMES = 20  # as many in `make test-long`


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that lists may name; they are not decoded."""
    for kind, ending in (("images", "jpg"), ("masks", "png")):
        for stem in STEMS:
            path = tmp_path / kind / f"{stem}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return tmp_path


def fuzz(folder: Path, kind: str, times: int) -> tuple[int, int]:
    """How many inputs of a kind were taken, and how many refused with a sentence; raises what is no refusal."""
    strategy, check, count = KINDS[kind]
    taken = refused = 0

    @settings(
        max_examples=count * times,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one(value: Any) -> None:
        nonlocal taken, refused
        try:
            check(folder, value)
        except PipelineError as error:
            refused += len(str(error)) > 10  # it says something
        else:
            taken += 1

    one()
    return taken, refused


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_inputs(folder: Path, kind: str) -> None:
    assert sum(fuzz(folder, kind, 1)) >= KINDS[kind][2]


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_many_inputs(folder: Path, kind: str) -> None:
    taken, refused = fuzz(folder, kind, TIMES)
    assert taken + refused >= TIMES * KINDS[kind][2]
    assert taken, "not all are refused"


def test_there_are_enough_of_them() -> None:
    few = sum(count for _, _, count in KINDS.values())
    assert 200 <= few <= 250
    assert few * TIMES >= 2000
