from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.formats.detection import detect_format, open_export
from ae_pretrained.sources.formats.export_files import FileIndex
from ae_pretrained.sources.formats.pairing import pair_masks
from tests.sources.formats.drawn_images import save_png


def write(root: Path, *paths: str, values: np.ndarray | None = None) -> None:
    for path in paths:
        save_png(
            np.arange(120, dtype=np.uint8).reshape(10, 12) % 2 if values is None else values, root / path
        )


@pytest.mark.parametrize(
    ("image", "mask", "marked"),
    [
        ("a.png", "a_mask.png", True),
        ("a.png", "a-Label.png", True),
        ("a.png", "a_L.png", True),
        ("a.png", "a.png.png", True),
        ("deep/er/a.png", "deep/er/a_gt.png", True),
        ("images/a.png", "masks/a_mask.png", True),
        ("images/a.png", "masks/a.png", False),
        ("images/train/a.png", "masks/train/a.png", False),
        ("train/images/a.png", "train/labels/a.png", False),
        ("train/a.png", "train_labels/a_L.png", True),
        ("train/a.png", "trainannot/a.png", False),
        ("img_dir/val/a.png", "ann_dir/val/a.png", False),
        ("segmentation/images/a.png", "segmentation/masks/a.png", False),
        ("IMG_1 (2).v3.png", "IMG_1 (2).v3_mask.png", True),
        ("a.png", "gt_a.png", True),
        ("images/a.png", "masks/mask_a.png", True),
        ("images/image_001.png", "masks/mask_001.png", True),
        ("images/image_001.png", "masks/001.png", False),
        ("image (1).png", "mask (1).png", True),
        ("img07.png", "label07.png", True),
        ("104_sat.png", "104_mask.png", True),
        ("Original/1.png", "Ground Truth/1.png", False),
        ("inputs/a.png", "targets/a.png", False),
        ("images/IMG_7.PNG", "masks/img_7_MASK.png", True),
        ("images/seg_1.png", "masks/seg_1.png", False),
        ("train_img/1.png", "train_lab/1.png", False),
        ("a.jpg", "a.png", True),
        ("crops/a.JPEG", "crops/a.bmp", True),
    ],
)
def test_masks_and_their_images(image: str, mask: str, marked: bool, tmp_path: Path) -> None:
    write(tmp_path, image, mask, "images/lonely.png")
    pairs = pair_masks(FileIndex(tmp_path))
    assert pairs.mask_of == {image: mask, "images/lonely.png": None}
    assert pairs.marked == marked
    assert not pairs.findings


@pytest.mark.parametrize(
    ("images", "masks", "marked"),
    [
        ("ISIC_Task1-2_Training_Input/{}.jpg", "ISIC_Task1_Training_GroundTruth/{}_segmentation.png", True),
        ("training/images/{}_training.png", "training/1st_manual/{}_manual1.png", True),
        ("photos of May/{}.png", "masks by Ann/{}.png", False),
        ("raw data/x/{}.png", "labels/final/{}.png", False),
    ],
)
def test_folders_of_other_names_belong_together(
    images: str, masks: str, marked: bool, tmp_path: Path
) -> None:
    """As ISIC and DRIVE are handed around; each split by itself."""
    wanted = {}
    for number in ("01", "02"):
        for split in ("Training", "Test"):
            image, mask = (path.format(number).replace("Training", split) for path in (images, masks))
            wanted[image] = mask
    wanted[images.format("99")] = None  # no mask yet
    write(tmp_path, *wanted, *filter(None, wanted.values()))
    pairs = pair_masks(FileIndex(tmp_path))
    assert (pairs.mask_of, pairs.marked, pairs.findings) == (wanted, marked, [])


def test_a_second_folder_of_masks_is_one_too_many(tmp_path: Path) -> None:
    """DRIVE as it comes: what an observer drew, and where the camera sees anything."""
    for name in ("21_training", "22_training"):
        other = f"training/1st_manual/{name[:2]}_manual1.gif"
        write(tmp_path, f"training/images/{name}.tif", f"training/mask/{name}_mask.gif", other)
    assert detect_format(tmp_path) == "suffix_masks"
    findings = pair_masks(FileIndex(tmp_path)).findings
    assert [finding.reason for finding in findings] == ["several masks"] * 2
    assert "2 masks for training/images/21_training.tif: " in findings[0].detail
    assert "training/1st_manual/21_manual1.gif; rename or remove all but one" in findings[0].detail


def test_folders_that_may_be_of_others_are_not_guessed(tmp_path: Path) -> None:
    for name in ("1", "2"):
        write(tmp_path, f"x/{name}.png", f"colour masks/{name}.png", f"number masks/{name}.png")
    write(tmp_path, "cats/images/1.png", "dogs/masks/1.png", "dogs/masks/2.png")
    pairs = pair_masks(FileIndex(tmp_path))
    assert set(pairs.mask_of.values()) == {None}
    assert [finding.reason for finding in pairs.findings] == ["mask without image"] * 6


def test_a_mark_without_an_image_of_the_name_is_part_of_the_name(tmp_path: Path) -> None:
    write(tmp_path, "care_label.png", "care_label_mask.png")
    assert pair_masks(FileIndex(tmp_path)).mask_of == {"care_label.png": "care_label_mask.png"}


def test_a_name_that_may_mean_two_images_is_not_guessed(tmp_path: Path) -> None:
    write(tmp_path, "image_1.png", "photo_1.png", "masks/mask_1.png")
    pairs = pair_masks(FileIndex(tmp_path))
    assert pairs.mask_of == {"image_1.png": None, "photo_1.png": None}
    assert [finding.reason for finding in pairs.findings] == ["mask without image"]


def test_the_whole_name_comes_before_a_part_of_it(tmp_path: Path) -> None:
    write(tmp_path, "images/1.png", "images/img_1.png", "images/label_1.png")
    write(tmp_path, "masks/1.png", "masks/img_1.png", "masks/label_1.png")
    pairs = pair_masks(FileIndex(tmp_path))
    assert pairs.mask_of == {
        f"images/{name}": f"masks/{name}" for name in ("1.png", "img_1.png", "label_1.png")
    }
    assert not pairs.marked


def test_words_that_seldom_mean_masks_do_so_alone(tmp_path: Path) -> None:
    write(tmp_path, "lab photos/a.png", "ground/b.png", "target area/c.png")
    assert pair_masks(FileIndex(tmp_path)).mask_of == dict.fromkeys(
        ("ground/b.png", "lab photos/a.png", "target area/c.png")
    )


def test_a_second_image_in_colour_is_no_mask(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "a.png", values=np.zeros((10, 12, 3), dtype=np.uint8))
    pairs = pair_masks(FileIndex(tmp_path))
    assert [finding.reason for finding in pairs.findings] == ["stem used twice"]


@pytest.mark.parametrize("content", [b"", b"no image", b"\0\0\0\x18ftypheic" + bytes(12)])
def test_a_second_file_that_cannot_be_read_is_found_not_fatal(tmp_path: Path, content: bytes) -> None:
    """An iPhone's HEIC beside its JPEG, without pillow-heif, too."""
    write(tmp_path, "a.jpg", "b.jpg", "b_mask.png")
    (tmp_path / ("a.png" if b"heic" not in content else "a.heic")).write_bytes(content)
    pairs = pair_masks(FileIndex(tmp_path))
    assert pairs.mask_of == {"b.jpg": "b_mask.png"}
    assert [finding.reason for finding in pairs.findings] == ["stem used twice"]


def test_what_cannot_be_paired(tmp_path: Path) -> None:
    write(tmp_path, "images/a.png", "masks/a.png", "masks/a_mask.png", "masks/b.png")
    write(tmp_path, "images/c.png", "masks/c.png")
    (tmp_path / "images" / "c.jpg").write_bytes((tmp_path / "images" / "c.png").read_bytes())
    pairs = pair_masks(FileIndex(tmp_path))
    assert pairs.mask_of == {}
    found = {finding.reason: finding.detail for finding in pairs.findings}
    assert "2 masks for images/a.png: masks/a.png, masks/a_mask.png" in found["several masks"]
    assert "2 images of one name: images/c.jpg, images/c.png" in found["stem used twice"]
    assert str(tmp_path / "masks/b.png") in found["mask without image"]
    assert all(finding.fault for finding in pairs.findings)


def test_black_and_white_masks_are_one_class_however_white_is_written(tmp_path: Path) -> None:
    mask = np.arange(120, dtype=np.uint8).reshape(10, 12) % 2
    write(tmp_path, "a.png", "b.png")
    write(tmp_path, "a_mask.png", values=255 * mask)
    write(tmp_path, "b_mask.png", values=mask)
    assert detect_format(tmp_path) == "suffix_masks"
    source = open_export("suffix_masks", tmp_path)
    assert source.classes == ["background", "class_1"]
    again = open_export("suffix_masks", tmp_path, ["background", "cell"], source.ignore_index)
    for sample in again.listing().samples:
        assert np.array_equal(again.mask_of(sample, 10, 12), mask)
    # Where 255 is said to mean that nobody labelled, it does.
    ignoring = open_export("suffix_masks", tmp_path, ["background", "cell"], 255)
    assert set(np.unique(ignoring.mask_of(ignoring.listing().samples[0], 10, 12))) == {0, 255}


def test_numbers_with_a_gap_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a.png")
    write(
        tmp_path,
        "a_mask.png",
        values=np.array([[0, 3], [7, 255]], dtype=np.uint8).repeat(9, axis=0).repeat(9, axis=1),
    )
    with pytest.raises(
        DataError, match=r"the masks hold the values 0, 3, 7, 255; expected 0, 1, 2, … without a gap"
    ):
        assert open_export("suffix_masks", tmp_path).classes


def test_a_mask_of_another_size(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "a_mask.png")
    source = open_export("suffix_masks", tmp_path)
    with pytest.raises(
        DataError, match=r"a_mask.png: the mask has 12 x 10 px, its image a.png has 10 x 12 px .turned"
    ):
        source.mask_of(source.listing().samples[0], 12, 10)


def test_split_lists_and_groups_are_read(tmp_path: Path) -> None:
    """Lists call images as people do: by name, with a path, with their mask beside, from another machine."""
    for name in "abcdef":
        write(tmp_path, f"images/{name}.png", f"masks/{name}_mask.png")
    (tmp_path / "train.txt").write_text("a\nimages/b.png masks/b_mask.png\n")
    (tmp_path / "val.txt").write_bytes("C:\\mine\\pictures\\c.png\r\n".encode("utf-16"))
    (tmp_path / "test.txt").write_text("./images/d.png\n")
    (tmp_path / "groups.csv").write_text("name,group\na.png,one\nb,one\n")
    listing = open_export("suffix_masks", tmp_path, ["background", "cell"]).listing()
    assert [(sample.name, sample.split, sample.group) for sample in listing.samples] == [
        ("images/a", "train", "one"),
        ("images/b", "train", "one"),
        ("images/c", "val", ""),
        ("images/d", "test", ""),
    ]
    assert [finding.reason for finding in listing.findings] == ["not listed", "not listed"]
    (tmp_path / "test.txt").unlink()
    listing = open_export("suffix_masks", tmp_path, ["background", "cell"]).listing()
    assert [sample.split for sample in listing.samples] == ["rest", "rest", "val"]  # as of a plain folder
    write(tmp_path, "train/g.png", "train/g_mask.png")
    with pytest.raises(
        DataError, match=r"said twice, by train\.txt, val\.txt and by folders \(train/g\.png\)"
    ):
        open_export("suffix_masks", tmp_path, ["background", "cell"]).listing()
