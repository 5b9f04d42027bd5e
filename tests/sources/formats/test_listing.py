"""Which images an export lists: splits, groups, unlabelled ones, and what cannot be found."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.detection import open_export
from ae_pretrained.sources.formats.export_files import split_of_file, split_of_folder
from tests.sources.formats.drawn_images import Labelled, drawn
from tests.sources.formats.exports import MASK_EXPORTS
from tests.sources.formats.mask_writers import write_roboflow
from tests.sources.formats.small import NAMES, coco_file, listed, photo, splits


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("instances_train2017.json", "train"),
        ("instances_Validation.json", "val"),
        ("test.txt", "test"),
        ("trainval.json", "train"),
        ("instances_default.json", None),
        ("latest.json", None),
        ("train_and_test.json", None),
    ],
)
def test_split_in_the_name_of_a_file(name: str, split: str | None) -> None:
    assert split_of_file(name) == split


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("train/a.jpg", "train"),
        ("images/valid/a.jpg", "val"),
        ("Train_Images/deep/a.jpg", "train"),
        ("train2017/a.jpg", "train"),
        ("a/test/train/b.jpg", "train"),
        ("test tubes/a.jpg", None),  # what is in the images, not a split
        ("a/train.jpg", None),
        ("train.jpg", None),
    ],
)
def test_split_in_the_name_of_a_folder(path: str, split: str | None) -> None:
    assert split_of_folder(path) == split


@pytest.mark.parametrize(
    ("brought", "hints"),
    [
        ("train val test", "train val test"),
        ("train val", "rest val"),  # test is drawn from train
        ("train test", "trainval test"),  # and val
        ("train", "rest"),
        ("test", "rest"),  # a single split is none
        ("val default", "val rest"),
        ("test default", "test trainval"),
        ("default", "rest"),
    ],
)
def test_what_the_splits_leave_open_is_drawn(brought: str, hints: str, tmp_path: Path) -> None:
    for split in brought.split():
        photo(tmp_path / "images" / split / "a.jpg")
        coco_file(tmp_path / "annotations" / f"instances_{split}.json", ["a.jpg"])
    found = splits(listed(tmp_path))
    assert found == {
        f"images/{split}/a": hint for split, hint in zip(brought.split(), hints.split(), strict=True)
    }


def test_an_export_without_train_is_refused(tmp_path: Path) -> None:
    for split in ("val", "test"):
        photo(tmp_path / split / "a.jpg")
        coco_file(tmp_path / split / "_annotations.coco.json", ["a.jpg"])
    with pytest.raises(DataError, match="there are images of test and val, none of train"):
        listed(tmp_path)


@pytest.mark.parametrize("export", MASK_EXPORTS)
def test_images_that_nobody_labelled_are_unlabelled_and_test_ones_are_left_out(
    export: str, tmp_path: Path
) -> None:
    drawings = drawn()
    MASK_EXPORTS[export][1](tmp_path, drawings, NAMES)
    found = listed(tmp_path)
    for split in ("train", "test"):
        (one,) = [item for item in found.samples if item.split == split][:1]
        photo(one.image.with_name(f"more{split}.jpg"))
    (tmp_path / "readme.txt").write_text("not an image")
    again = listed(tmp_path)
    added = {name: split for name, split in splits(again).items() if name not in splits(found)}
    mine = [name.rpartition("/")[2] for name, split in added.items() if split == "unlabelled"]
    where = [(finding.name.rpartition("/")[2], finding.reason, finding.fault) for finding in again.findings]
    if export in ("pascal_voc", "cvat_masks"):  # all lie in one folder, and no list names them
        assert (sorted(mine), where) == (["moretest", "moretrain"], [])
    elif export in ("coco", "cvat_xml"):
        assert (mine, where) == (["moretrain"], [("moretest", "not annotated", False)])
    else:
        assert (mine, where) == (["moretrain"], [("moretest", "not annotated", False)])
    assert all(sample.mask is None for sample in again.samples if sample.split == "unlabelled")


def test_a_folder_of_unlabelled_images(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "a.jpg")
    photo(tmp_path / "unlabelled" / "b.png")
    photo(tmp_path / "previews" / "c.jpg")  # where no annotated image is: not of the data set
    coco_file(tmp_path / "a.json", ["a.jpg"])
    assert splits(listed(tmp_path)) == {"images/a": "rest", "unlabelled/b": "unlabelled"}


def test_versions_of_one_image_are_one_group(tmp_path: Path) -> None:
    drawings = drawn(6)
    write_roboflow(tmp_path, drawings, NAMES)
    one = next((tmp_path / "train").glob("*.jpg"))
    for path in (one, one.with_name(f"{one.stem}_mask.png")):
        shutil.copy(path, path.with_name(path.name.replace(".rf.0", ".rf.f")))
    groups = [sample.group for sample in listed(tmp_path).samples]
    assert len(groups) == 7
    assert sorted(set(groups)) == sorted({f"{drawing.name}_jpg" for drawing in drawings})
    # Roboflow names images so in every format that it exports.
    photo(tmp_path / "coco" / "x_jpg.rf.a1.jpg")
    coco_file(tmp_path / "coco" / "x.json", ["x_jpg.rf.a1.jpg"])
    assert [sample.group for sample in listed(tmp_path / "coco").samples] == ["x_jpg"]


def test_images_are_found_by_any_path_that_a_tool_writes(tmp_path: Path) -> None:
    photo(tmp_path / "data" / "x" / "a.jpg")
    photo(tmp_path / "data" / "y" / "a.jpg")
    photo(tmp_path / "data" / "c d é.jpg")
    names = ["C:\\Users\\me\\x\\a.jpg", "/home/me/y/a.jpg", "./data/c d e\u0301.jpg"]
    coco_file(tmp_path / "ann" / "a.json", names)
    listing = listed(tmp_path)
    assert list(splits(listing)) == ["data/c d é", "data/x/a", "data/y/a"]
    assert not listing.findings


def test_images_that_are_missing_or_ambiguous_are_faults(tmp_path: Path) -> None:
    for folder in ("x", "y", "z"):
        photo(tmp_path / folder / "a.jpg")
    photo(tmp_path / "z" / "b.jpg")
    coco_file(tmp_path / "a.json", ["a.jpg", "b.jpg", "c.jpg"])
    listing = listed(tmp_path)
    assert list(splits(listing)) == ["z/a", "z/b"]  # z/a is beside an annotated image
    faults = {finding.name: finding for finding in listing.findings if finding.fault}
    assert faults["a.jpg"].reason == "several images of one name"
    assert "x/a.jpg, y/a.jpg, z/a.jpg" in faults["a.jpg"].detail
    assert faults["c.jpg"].reason == "listed but absent"
    assert str(tmp_path / "a.json") in faults["c.jpg"].detail


def test_an_image_described_twice_is_refused(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    coco_file(tmp_path / "one.json", ["a.jpg"])
    coco_file(tmp_path / "two.json", ["a.jpg"])
    with pytest.raises(DataError, match=r"a.jpg: is described twice, by .*one.json and by .*two.json"):
        listed(tmp_path)


def test_images_of_one_stem_keep_their_endings(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b.jpg"):
        photo(tmp_path / name)
    coco_file(tmp_path / "a.json", ["a.jpg", "a.png", "b.jpg"])
    assert list(splits(listed(tmp_path))) == ["a.jpg", "a.png", "b"]


def test_no_image_at_all_says_how_many_are_missing(tmp_path: Path) -> None:
    coco_file(tmp_path / "a.json", [f"{n}.jpg" for n in range(30)])
    with pytest.raises(
        DataError, match=r"no image with an annotation.*'0.jpg'.*copy it there .and 29 more"
    ) as error:
        listed(tmp_path)
    assert str(tmp_path / "a.json") in str(error.value)


def test_linked_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    photo(tmp_path / "elsewhere" / "a.jpg")
    root = tmp_path / "export"
    root.mkdir()
    (root / "images").symlink_to(tmp_path / "elsewhere")
    (root / "again").symlink_to(root)
    coco_file(root / "a.json", ["a.jpg"])
    assert list(splits(listed(root))) == ["images/a"]


def test_an_image_and_its_mask_stay_together_whatever_the_order(tmp_path: Path) -> None:
    """Names that sort differently with and without their endings."""
    drawings = [
        Labelled(name, "train", np.zeros((10, 12, 3), np.uint8), np.full((10, 12), value, np.uint8))
        for value, name in enumerate(["a", "a-1", "a.b", "a_2", "a b"])
    ]
    for writer in ("suffix_masks", "pascal_voc", "coco"):
        root = tmp_path / writer
        MASK_EXPORTS[writer][1](root, drawings, ["background", "v1", "v2", "v3", "v4"])
        source = open_export(writer, root)
        for sample in source.listing().samples:
            value = next(p.mask[0, 0] for p in drawings if p.name == Path(sample.name).name)
            assert (source.mask_of(sample, 10, 12) == value).all()


def test_what_was_taken_for_granted_is_noted_once(tmp_path: Path) -> None:
    photo(tmp_path / "train" / "a.jpg")
    coco_file(tmp_path / "train" / "a.json", ["a.jpg"])
    source = open_export("coco", tmp_path)
    for _ in range(2):
        source.listing()
    assert source.notes == ["all images are of train: the splits are drawn"]
    photo(tmp_path / "test" / "b.jpg")
    coco_file(tmp_path / "test" / "b.json", ["b.jpg"])
    source = open_export("coco", tmp_path)
    source.listing()
    assert source.notes == ["there is no val split: its images are drawn from those of train"]


def test_sub_folders_of_an_export_are_groups_where_that_is_asked_for(tmp_path: Path) -> None:
    names = ["train/patient 1/a.jpg", "train/patient 1/b.jpg", "images/patient 2/a.jpg", "images/c.rf.1.jpg"]
    for name in names:
        photo(tmp_path / name)
    coco_file(tmp_path / "all.json", names)
    grouped = open_export("coco", tmp_path, group_by="folder").listing()
    assert [sample.group for sample in grouped.samples] == ["c", "patient 2", "patient 1", "patient 1"]
    assert [sample.group for sample in listed(tmp_path).samples] == ["c", "", "", ""]
    coco_file(tmp_path / "all.json", names[3:])
    with pytest.raises(DataError, match=r"data.group_by=folder .*no image is in a sub-folder"):
        open_export("coco", tmp_path, group_by="folder").listing()
