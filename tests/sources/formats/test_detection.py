from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.detection import FORMATS, detect_format, open_export
from tests.conftest import REAL_DATA
from tests.sources.formats.drawn_images import drawn
from tests.sources.formats.exports import MASK_EXPORTS
from tests.sources.layouts import write_folder

NAMES = ["background", "leaf", "flower"]
CASES = REAL_DATA.parent / "cases"


def test_nothing_known_says_what_is_there_and_what_was_expected(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "pictures"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError) as error:
        detect_format(tmp_path)
    text = str(error.value)
    assert text.startswith(
        f"{tmp_path}: no known layout; found a.txt/, b.txt/, pictures/. Expected images/ and masks/"
    )
    for name, kind in FORMATS.items():
        assert f"\n  - {name}: {kind.title}: {kind.expects}" in text


def test_a_file_a_missing_folder_and_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "export.zip").write_text("x")
    with pytest.raises(DataError, match="is a file; unpack it first"):
        detect_format(tmp_path / "export.zip")
    with pytest.raises(DataError, match="there is no such folder"):
        detect_format(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no known layout; found nothing"):
        detect_format(tmp_path / "empty")


def test_a_format_that_is_not_known() -> None:
    with pytest.raises(DataError, match="'voc' is no format of annotations; known are coco, labelme, "):
        open_export("voc", Path())


def test_plain_images_and_masks_are_the_folder_source(tmp_path: Path) -> None:
    write_folder(tmp_path)
    assert detect_format(tmp_path) == "folder"


@pytest.mark.parametrize(
    "export", [name for name in MASK_EXPORTS if name not in ("color_masks", "suffix_masks")]
)
def test_an_export_one_folder_down_is_named(export: str, tmp_path: Path) -> None:
    MASK_EXPORTS[export][1](tmp_path / "project" / "unpacked", drawn(), NAMES)
    with pytest.raises(DataError, match=r"the export lies further down: .*unpacked.*; name that folder"):
        detect_format(tmp_path)


def test_two_exports_in_one_folder_ask_which(tmp_path: Path) -> None:
    MASK_EXPORTS["coco"][1](tmp_path, drawn(), NAMES)
    MASK_EXPORTS["cvat_xml"][1](tmp_path, drawn(), NAMES)
    with pytest.raises(DataError) as error:
        detect_format(tmp_path)
    assert "holds 2 formats: coco (COCO JSON: annotations/instances_" in str(error.value)
    assert "cvat_xml (CVAT XML 1.1: annotations.xml). Say which one with --format NAME" in str(error.value)


def test_what_resembles_an_export_is_none(tmp_path: Path) -> None:
    """Files of the same names from elsewhere, and unreadable ones."""
    write_folder(tmp_path)
    (tmp_path / "_classes.csv").write_text(
        "filename, cat, dog\na.jpg, 1, 0\n"
    )  # Roboflow's for classification
    (tmp_path / "meta.json").write_text('{"classes": [{"title": "leaf"}]}')
    (tmp_path / "captions.json").write_text('{"images": [], "annotations": []}')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "a.xml").write_text("<other/>")
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    (tmp_path / "labels.txt").write_text("leaf\nflower\n")  # no colours
    (tmp_path / "class_dict.csv").write_bytes(b"\xff\xfe\x00")
    assert detect_format(tmp_path) == "folder"


def test_nothing_of_the_folder_is_changed(tmp_path: Path) -> None:
    for export, (kind, write) in MASK_EXPORTS.items():
        root = tmp_path / export
        write(root, drawn(), NAMES)
        before = {path: path.stat() for path in sorted(root.rglob("*"))}
        source = open_export(kind, root)
        for sample in source.listing().samples:
            with Image.open(sample.image) as image:
                source.mask_of(sample, image.height, image.width)
        after = {path: path.stat() for path in sorted(root.rglob("*"))}
        assert before.keys() == after.keys()
        assert all(before[path].st_mtime_ns == after[path].st_mtime_ns for path in before)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Path:
    """An input that once failed, from beside the repository."""
    folder = CASES / request.param / "data"
    if not folder.is_dir():
        pytest.skip(f"no failing inputs at {CASES}")
    return folder


@pytest.mark.parametrize(
    ("case", "kind", "classes"),
    [
        ("roboflow_png_masks", "roboflow_masks", NAMES),
        ("mask_suffix", "suffix_masks", ["background", "class_1", "class_2"]),
    ],
    indirect=["case"],
)
def test_inputs_that_once_failed(case: Path, kind: str, classes: list[str]) -> None:
    assert detect_format(case) == kind
    source = open_export(kind, case)
    assert source.classes == classes
    listing = source.listing()
    assert len(listing.samples) == 24
    assert not listing.findings
    for sample in listing.samples:
        assert sample.mask is not None
        values = np.asarray(Image.open(sample.mask))
        assert np.array_equal(source.mask_of(sample, *values.shape), values)


@pytest.mark.parametrize("case", ["palette_per_file"], indirect=True)
def test_palettes_that_differ_from_file_to_file_are_read_by_colour(case: Path, tmp_path: Path) -> None:
    """One index has different colours in different files: the colours say what is what."""
    found: dict[tuple[int, ...], int] = {}
    for path in sorted((case / "masks").iterdir()):
        colors = Image.open(path).convert("RGB").getcolors()
        assert colors is not None
        for count, color in colors:
            assert isinstance(color, tuple)
            found[color] = found.get(color, 0) + count
    named = dict(zip(NAMES, sorted(found, key=lambda color: -found[color]), strict=True))
    source = open_export(
        "color_masks", case, colors=[f"{name} {r} {g} {b}" for name, (r, g, b) in named.items()]
    )
    pixels = np.zeros(3)
    for sample in source.listing().samples:
        assert sample.mask is not None
        mask = source.mask_of(sample, 90, 120)
        truth = np.asarray(Image.open(sample.mask).convert("RGB"))
        assert (np.array(list(named.values()), dtype=np.uint8)[mask] == truth).all()
        pixels += np.bincount(mask.ravel(), minlength=3)
    assert np.round(100 * pixels / pixels.sum()).tolist() == [90, 6, 4]


@pytest.mark.parametrize("case", ["jpeg_class_masks"], indirect=True)
def test_masks_saved_as_jpeg_are_named_as_the_cause(case: Path, tmp_path: Path) -> None:
    for path in (case / "images").iterdir():
        shutil.copy(path, tmp_path)
        shutil.copy(case / "masks" / f"{path.stem}.jpg", tmp_path / f"{path.stem}_mask.jpg")
    source = open_export("suffix_masks", tmp_path, NAMES)
    sample = source.listing().samples[0]
    with pytest.raises(
        DataError, match=r"_mask.jpg: is a JPEG .grey., which changes the values of a mask; export .* as PNG"
    ):
        source.mask_of(sample, 90, 120)
    with pytest.raises(DataError, match="is a JPEG"):
        assert open_export("suffix_masks", tmp_path).classes


def test_a_table_of_roboflow_that_cannot_be_read(tmp_path: Path) -> None:
    MASK_EXPORTS["roboflow_masks"][1](tmp_path, drawn(), NAMES)
    path = tmp_path / "train" / "_classes.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("Pixel Value", " Class"), ("zero", " background")])
    with pytest.raises(DataError, match=r"train/_classes.csv, line 2: expected .* found 'zero, background'"):
        assert open_export("roboflow_masks", tmp_path).classes
    path.unlink()
    source = open_export("roboflow_masks", tmp_path)
    sample = next(item for item in source.listing().samples if item.split == "train")
    with (
        Image.open(sample.image) as image,
        pytest.raises(DataError, match="there is no such file; it names the classes"),
    ):
        source.mask_of(sample, image.height, image.width)


def test_a_value_that_no_table_names_is_refused_with_its_count(tmp_path: Path) -> None:
    MASK_EXPORTS["roboflow_masks"][1](tmp_path, drawn(ignored=False), NAMES)
    source = open_export("roboflow_masks", tmp_path)
    sample = source.listing().samples[0]
    assert sample.mask is not None
    values = np.asarray(Image.open(sample.mask)).copy()
    values[:2, :5] = 9
    Image.fromarray(values).save(sample.mask)
    with pytest.raises(
        DataError, match=r"holds 'value 9' \(10 px\), but data.classes is background, leaf, flower"
    ):
        source.mask_of(sample, *values.shape)


def test_meta_of_supervisely_without_titles(tmp_path: Path) -> None:
    MASK_EXPORTS["supervisely"][1](tmp_path, drawn(), NAMES)
    meta = json.loads((tmp_path / "meta.json").read_text())
    (tmp_path / "meta.json").write_text(json.dumps({**meta, "classes": [{"name": "leaf"}]}))
    with pytest.raises(DataError, match=r"meta.json: 'title' is missing; export it again"):
        assert open_export("supervisely", tmp_path).classes
