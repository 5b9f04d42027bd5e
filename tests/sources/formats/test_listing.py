"""Which images an export lists: splits, groups, unlabelled ones, and what cannot be found."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.sources.base import DataError, Listing
from ae_pretrained.sources.formats.detection import detect_format, open_export
from ae_pretrained.sources.formats.export_files import split_of_file, split_of_folder
from tests.sources.formats.exports import (
    MASK_EXPORTS,
    Labelled,
    drawn,
    labelme_file,
    labelme_shape,
    save_png,
    voc_palette,
    write_cvat_masks,
    write_label_studio,
    write_lists,
    write_roboflow,
    write_voc,
)

NAMES = ["background", "leaf", "flower"]


def listed(root: Path) -> Listing:
    return open_export(detect_format(root), root).listing()


def splits(listing: Listing) -> dict[str, str]:
    return {sample.name: sample.split for sample in listing.samples}


def photo(path: Path, size: tuple[int, int] = (12, 10)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (9, 99, 199)).save(path)
    return path


def coco_file(path: Path, files: list[str], key: str = "annotations") -> None:
    """A COCO file that names images, each with one square of leaf."""
    content = {
        "images": [{"id": n, "file_name": name, "width": 12, "height": 10} for n, name in enumerate(files)],
        key: [
            {"id": n, "image_id": n, "category_id": 1, "segmentation": [[2, 2, 6, 2, 6, 6, 2, 6]]}
            for n in range(len(files))
        ],
        "categories": [{"id": 1, "name": "leaf"}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


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
    pictures = drawn()
    MASK_EXPORTS[export][1](tmp_path, pictures, NAMES)
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
    pictures = drawn(6)
    write_roboflow(tmp_path, pictures, NAMES)
    one = next((tmp_path / "train").glob("*.jpg"))
    for path in (one, one.with_name(f"{one.stem}_mask.png")):
        shutil.copy(path, path.with_name(path.name.replace(".rf.0", ".rf.f")))
    groups = [sample.group for sample in listed(tmp_path).samples]
    assert len(groups) == 7
    assert sorted(set(groups)) == sorted({f"{picture.name}_jpg" for picture in pictures})
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


def test_the_official_coco_archive(tmp_path: Path) -> None:
    """Captions and key points describe the images of the instances once more."""
    for split in ("train2017", "val2017"):
        photo(tmp_path / split / "000000000009.jpg")
        coco_file(tmp_path / "annotations" / f"instances_{split}.json", ["000000000009.jpg"])
        coco_file(tmp_path / "annotations" / f"person_keypoints_{split}.json", ["000000000009.jpg"])
        (tmp_path / "annotations" / f"captions_{split}.json").write_text('{"images": [], "annotations": []}')
    found = splits(listed(tmp_path))
    assert found == {"train2017/000000000009": "rest", "val2017/000000000009": "val"}


def test_coco_annotations_of_no_image_or_no_category(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    coco_file(tmp_path / "a.json", ["a.jpg"])
    content = json.loads((tmp_path / "a.json").read_text())
    content["annotations"] += [{**content["annotations"][0], "id": n, "image_id": 77} for n in (5, 6)]
    content["images"].append({"id": 1, "file_name": "b.jpg", "width": 12, "height": 10})
    photo(tmp_path / "b.jpg")
    (tmp_path / "a.json").write_text(json.dumps(content))
    source = open_export("coco", tmp_path)
    listing = source.listing()
    assert [(finding.reason, finding.fault) for finding in listing.findings] == [
        ("annotation without image", False)
    ]
    assert "2 annotations belong to image id 77" in listing.findings[0].detail
    # An image without annotations is labelled, and empty; that is said.
    assert source.notes == ["1 images have no annotation: read as labelled, and empty"]
    assert not source.mask_of(listing.samples[1], 10, 12).any()
    content["annotations"][0]["category_id"] = 3
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(
        DataError, match=r"a.json: annotations\[0\] has category_id 3, but categories lists 1"
    ):
        listed(tmp_path)


def test_panoptic_files_are_named(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    content = {"images": [], "annotations": [{"image_id": 1, "segments_info": []}], "categories": []}
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(
        DataError, match="'category_id' is missing; it is a panoptic file; take the instances file"
    ):
        listed(tmp_path)


def labelme(path: Path, image: Path, labels: list[str]) -> None:
    square = [[2.0, 2.0], [6.0, 2.0], [6.0, 6.0], [2.0, 6.0]]
    shapes = [labelme_shape(label, "polygon", square) for label in labels]
    path.write_text(json.dumps(labelme_file(image, (10, 12), shapes)))


def test_labelme_finds_images_beside_elsewhere_or_not_at_all(tmp_path: Path) -> None:
    beside = photo(tmp_path / "a.jpg")
    labelme(tmp_path / "a.json", beside, ["leaf"])
    other = photo(tmp_path / "pictures" / "b.jpg")
    labelme(tmp_path / "json_of_b.json", other, [])
    content = json.loads((tmp_path / "json_of_b.json").read_text())
    (tmp_path / "json_of_b.json").write_text(json.dumps({**content, "imagePath": "..\\pictures\\b.jpg"}))
    labelme(tmp_path / "gone.json", beside, ["leaf"])
    (tmp_path / "gone.json").write_text((tmp_path / "gone.json").read_text().replace("a.jpg", "gone.jpg"))
    (tmp_path / "settings.json").write_text("{}")
    photo(tmp_path / "c.jpg")
    listing = listed(tmp_path)
    assert splits(listing) == {"a": "rest", "pictures/b": "rest", "c": "unlabelled"}
    found = {finding.name: (finding.reason, finding.fault) for finding in listing.findings}
    assert found == {
        "gone.jpg": ("listed but absent", True),
        "settings.json": ("no annotation", False),
    }
    # A file without shapes is a labelled image, and empty.
    source = open_export("labelme", tmp_path)
    empty = next(sample for sample in listing.samples if sample.name == "pictures/b")
    assert not source.mask_of(empty, 10, 12).any()


def test_labelme_images_without_any_shape_have_no_classes(tmp_path: Path) -> None:
    labelme(tmp_path / "a.json", photo(tmp_path / "a.jpg"), [])
    with pytest.raises(DataError, match="labelme JSON: names no class beside the background"):
        assert open_export("labelme", tmp_path).classes


def test_label_studio_counts_one_annotation_a_task(tmp_path: Path) -> None:
    write_label_studio(tmp_path, drawn(4, ignored=False), NAMES)
    (path,) = tmp_path.glob("*.json")
    tasks = json.loads(path.read_text())
    first, second, third, _ = tasks
    cancelled = {**first["annotations"][0], "id": 90, "was_cancelled": True, "updated_at": "2027-01-01"}
    first["annotations"].append({**cancelled, "result": [{**cancelled["result"][0], "id": "x"}]})
    newer = {"id": 91, "result": [], "was_cancelled": False, "updated_at": "2027-01-01"}
    second["annotations"].append(newer)
    third["annotations"] = [{**third["annotations"][0], "was_cancelled": True}]
    third["predictions"] = [newer]
    path.write_text(json.dumps(tasks))
    source = open_export("label_studio", tmp_path, NAMES)
    by_name = {sample.name.rpartition("_")[2]: sample for sample in source.listing().samples}
    truth = {picture.name.rpartition("_")[2]: picture for picture in drawn(4, ignored=False)}
    assert np.array_equal(source.mask_of(by_name["00"], *truth["00"].mask.shape), truth["00"].mask)
    assert not source.mask_of(by_name["01"], *truth["01"].mask.shape).any()
    assert "02" not in by_name  # a test image that nobody annotated
    assert source.notes == [
        "1 tasks have several annotations: the one marked as ground truth counts, or else the last"
    ]
    second["annotations"][0]["ground_truth"] = True
    path.write_text(json.dumps(tasks))
    by_name = {sample.name.rpartition("_")[2]: sample for sample in source.listing().samples}
    assert np.array_equal(source.mask_of(by_name["01"], *truth["01"].mask.shape), truth["01"].mask)


def test_label_studio_json_min_is_refused(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    minimal = [
        {"image": "/data/upload/1/a.jpg", "id": 1, "tag": [{"brushlabels": ["leaf"]}], "annotation_id": 1}
    ]
    (tmp_path / "min.json").write_text(json.dumps(minimal))
    with pytest.raises(DataError, match=r"label_studio: .*not JSON-MIN"):
        detect_format(tmp_path)
    with pytest.raises(DataError, match="no image with an annotation"):
        open_export("label_studio", tmp_path).listing()


def test_lists_of_pascal_voc(tmp_path: Path) -> None:
    pictures = drawn(6)
    write_voc(tmp_path, pictures, NAMES)
    (tmp_path / "ImageSets" / "Segmentation" / "val.txt").unlink()
    (tmp_path / "ImageSets" / "Segmentation" / "test.txt").write_text("val_03\nnobody\n")
    (tmp_path / "SegmentationClass" / "val_05.png").unlink()
    save_png(pictures[0].mask, tmp_path / "SegmentationClass" / "lost.png", voc_palette())
    listing = listed(tmp_path)
    assert splits(listing) == {
        **{f"JPEGImages/train_{n:02}": "trainval" for n in range(3)},
        "JPEGImages/val_03": "test",
        "JPEGImages/val_05": "unlabelled",  # trainval.txt is what train.txt and val.txt hold together
    }
    assert {(finding.name, finding.reason, finding.fault) for finding in listing.findings} == {
        ("nobody", "listed but absent", True),
        ("test_04", "not listed", False),
        ("SegmentationClass/lost.png", "mask without image", True),
    }
    (tmp_path / "ImageSets" / "Segmentation" / "test.txt").write_text("train_00\n")
    with pytest.raises(DataError, match=r"train.txt: train_00 is in a list of another split too"):
        listed(tmp_path)


def test_masks_without_their_images_say_how_to_export_them(tmp_path: Path) -> None:
    write_cvat_masks(tmp_path, drawn(6), NAMES)
    shutil.rmtree(tmp_path / "JPEGImages")
    with pytest.raises(
        DataError, match=r"there are 6 masks in SegmentationClass/, but no images.*'Save images'"
    ):
        listed(tmp_path)
    with pytest.raises(DataError):
        open_export("pascal_voc", tmp_path).listing()


def test_classes_of_pascal_voc_itself_and_of_nobody(tmp_path: Path) -> None:
    for root in (tmp_path / "VOC2012", tmp_path / "mine"):
        mask = np.array([[0, 2], [1, 255]], dtype=np.uint8).repeat(5, axis=0).repeat(6, axis=1)
        photo(root / "JPEGImages" / "a.jpg")
        save_png(mask, root / "SegmentationClass" / "a.png", voc_palette())
        write_lists(root, {"train": ["a"]})
    source = open_export("pascal_voc", tmp_path / "VOC2012")
    assert len(source.classes) == 21
    assert source.classes[:3] == ["background", "aeroplane", "bicycle"]
    nameless = open_export("pascal_voc", tmp_path / "mine")
    assert nameless.classes == ["background", "class_1", "class_2"]
    assert "neither labelmap.txt nor class_names.txt" in nameless.notes[0]
    # Without names in the export, classes go by their number, whatever they are called.
    named = open_export("pascal_voc", tmp_path / "mine", ["background", "leaf", "flower"])
    for one in (source, nameless, named):
        assert np.array_equal(one.mask_of(one.listing().samples[0], 10, 12), mask)


def test_cvat_masks_of_one_channel_hold_lines_or_greys(tmp_path: Path) -> None:
    photo(tmp_path / "JPEGImages" / "a.jpg")
    lines = ["# label:color_rgb:parts:actions", "background:0,0,0::", "leaf:128,0,0::", "flower:0,128,0::"]
    (tmp_path / "labelmap.txt").write_text("\n".join(lines))
    mask = np.arange(120, dtype=np.uint8).reshape(10, 12) % 3
    save_png(mask, tmp_path / "SegmentationClass" / "a.png")
    source = open_export("pascal_voc", tmp_path)
    assert np.array_equal(source.mask_of(source.listing().samples[0], 10, 12), mask)
    (tmp_path / "labelmap.txt").write_text("background:0,0,0::\nleaf:255,255,255::\nflower:7,7,7::\n")
    save_png(np.array([0, 255, 7], dtype=np.uint8)[mask], tmp_path / "SegmentationClass" / "a.png")
    source = open_export("pascal_voc", tmp_path)
    assert np.array_equal(source.mask_of(source.listing().samples[0], 10, 12), mask)


def test_hundreds_of_labels_of_which_few_are_used(tmp_path: Path) -> None:
    photo(tmp_path / "JPEGImages" / "a.jpg")
    lines = ["background:0,0,0::", *(f"label {n}:{n % 256},{n // 256},9::" for n in range(700))]
    (tmp_path / "labelmap.txt").write_text("\n".join(lines))
    colors = np.zeros((10, 12, 3), dtype=np.uint8)
    colors[2:5] = (650 % 256, 650 // 256, 9)
    save_png(colors, tmp_path / "SegmentationClass" / "a.png")
    source = open_export("pascal_voc", tmp_path)
    assert len(source.classes) == 701
    few = open_export("pascal_voc", tmp_path, ["background", "label 650"])
    mask = few.mask_of(few.listing().samples[0], 10, 12)
    assert np.array_equal(mask, (colors[..., 2] > 0).astype(np.uint8))
    other = open_export("pascal_voc", tmp_path, ["background", "label 3"])
    with pytest.raises(
        DataError, match=r"holds 'label 650' \(36 px\), but data.classes is background, label 3"
    ):
        other.mask_of(other.listing().samples[0], 10, 12)


def test_yolo_splits_by_folder_list_or_path_of_another_machine(tmp_path: Path) -> None:
    square = "0 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n"
    for split, name in (("train", "a"), ("valid", "b"), ("test", "c"), ("train", "d")):
        photo(tmp_path / split / "images" / f"{name}.jpg")
        (tmp_path / split / "labels").mkdir(exist_ok=True)
        if name != "d":
            (tmp_path / split / "labels" / f"{name}.txt").write_text("" if name == "b" else square)
    yaml = "train: ../train/images\nval: /content/drive/x/valid/images\nnc: 1\nnames: ['leaf']\n"
    (tmp_path / "data.yaml").write_text(yaml + "test: ../test/images\nroboflow: {version: 1}\n")
    source = open_export(detect_format(tmp_path), tmp_path)
    found = splits(source.listing())
    assert found == {
        "train/images/a": "train",
        "train/images/d": "unlabelled",
        "valid/images/b": "val",
        "test/images/c": "test",
    }
    assert source.notes == [
        "1 images have no file in labels/: read as unlabelled (an empty file means no object)"
    ]
    empty = next(sample for sample in source.listing().samples if sample.split == "val")
    assert not source.mask_of(empty, 10, 12).any()
    # As CVAT writes it: lists of images; and a split that is not there.
    (tmp_path / "train.txt").write_text("./train/images/a.jpg\ndata/train/images/d.jpg\n")
    (tmp_path / "data.yaml").write_text(
        "path: ./\ntrain: train.txt\nval: val.txt\nnames:\n  0: leaf\n  2: oak\n"
    )
    source = open_export("yolo", tmp_path)
    assert source.classes == ["background", "leaf", "class 1", "oak"]
    assert splits(source.listing())["train/images/a"] == "rest"
    assert "data.yaml: val: val.txt is not below" in source.notes[0]
    (tmp_path / "data.yaml").write_text("train: train\nval: train/images\nnames: [leaf]\n")
    with pytest.raises(DataError, match=r"a.jpg is in train and in val"):
        listed(tmp_path)


def test_yolo_of_label_studio_has_a_list_of_classes_alone(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "a.jpg")
    photo(tmp_path / "images" / "b.jpg")
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text("1 0.1 0.1 0.5 0.1 0.5 0.5 0.1 0.5\n")
    (tmp_path / "classes.txt").write_text("leaf\nflower\n")
    source = open_export(detect_format(tmp_path), tmp_path)
    assert source.classes == ["background", "leaf", "flower"]
    assert splits(source.listing()) == {"images/a": "rest", "images/b": "unlabelled"}


def test_listing_takes_a_fraction_of_a_millisecond_an_image(tmp_path: Path) -> None:
    count, square = 2_000, [2, 2, 6, 2, 6, 6, 2, 6]
    first = photo(tmp_path / "images" / "0.jpg")
    for number in range(1, count):
        os.link(first, tmp_path / "images" / f"{number}.jpg")
    annotations = [
        {"id": n, "image_id": n // 5, "category_id": 1, "segmentation": [square * 5]}
        for n in range(5 * count)
    ]
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 12, "height": 10} for n in range(count)]
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "leaf"}]}
    (tmp_path / "instances.json").write_text(json.dumps(content))
    started = time.process_time()
    listing = listed(tmp_path)
    assert time.process_time() - started < 3  # ten times what it takes on a machine of 2026
    assert len(listing.samples) == count
    # What a decoding process is sent for 64 images.
    assert len(pickle.dumps(listing.samples[:64])) < 100_000


def test_a_picture_and_its_mask_stay_together_whatever_the_order(tmp_path: Path) -> None:
    """Names that sort differently with and without their endings."""
    pictures = [
        Labelled(name, "train", np.zeros((10, 12, 3), np.uint8), np.full((10, 12), value, np.uint8))
        for value, name in enumerate(["a", "a-1", "a.b", "a_2", "a b"])
    ]
    for writer in ("suffix_masks", "pascal_voc", "coco"):
        root = tmp_path / writer
        MASK_EXPORTS[writer][1](root, pictures, ["background", "v1", "v2", "v3", "v4"])
        source = open_export(writer, root)
        for sample in source.listing().samples:
            value = next(p.mask[0, 0] for p in pictures if p.name == Path(sample.name).name)
            assert (source.mask_of(sample, 10, 12) == value).all()
