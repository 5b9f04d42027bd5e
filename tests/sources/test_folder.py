from __future__ import annotations

import csv
import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.dataset.arrays import Split, open_split
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.fetch import fetch
from ae_pretrained.sources.folder import FolderSource
from ae_pretrained.sources.mask_rule import MaskRule
from tests.preparation.test_prepare import data_params
from tests.sources.layouts import square_mask, write_folder

CLASSES = ["background", "cat", "dog"]


def run(root: Path, out: Path, **changes: Any) -> dict[str, Any]:
    params = data_params(**{"source": "folder", "root": str(root), "test_fraction": 0.25, **changes})
    fetch(params, out / "raw")
    prepare(out / "raw", out / "processed", params, 1, metrics_file=out / "prepare.json", plots=out / "plots")
    return dict(json.loads((out / "prepare.json").read_text()))


def splits(out: Path) -> dict[str, Split]:
    return {name: open_split(out / "processed", name) for name in ("train", "val", "test")}


def left_out(out: Path) -> dict[str, tuple[str, str]]:
    with (out / "plots/tables/left_out.csv").open(newline="") as file:
        return {row["name"]: (row["reason"], row["detail"]) for row in csv.DictReader(file)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_folder(tmp_path / "mine")
    return tmp_path / "mine"


def test_splits_are_drawn_by_seed_and_stratified(root: Path, tmp_path: Path) -> None:
    metrics = run(root, tmp_path)
    found = splits(tmp_path)
    assert {name: len(split) for name, split in found.items()} == {"train": 11, "val": 4, "test": 5}
    names = [name for split in found.values() for name in split.column("name")]
    assert sorted(names) == sorted(path.stem for path in (root / "images").iterdir())
    for split in found.values():
        # The class of the mask is what an image is stratified by.
        assert abs(split.column("class").count("cat") - len(split) / 2) <= 1
        for name, shown, mask in zip(split.column("name"), split.column("class"), split.masks, strict=True):
            label = 1 + int(name.split()[1]) % 2
            assert shown == CLASSES[label]
            assert set(np.unique(mask)) == {0, label, IGNORE_INDEX}
    run(root, tmp_path / "again")
    assert splits(tmp_path / "again")["test"].column("name") == found["test"].column("name")
    assert metrics["breeds"] == {}


def test_lists_decide_and_what_they_leave_open_is_drawn(root: Path, tmp_path: Path) -> None:
    (root / "test.txt").write_text("# mine\n\nimage 03\nimage 04.png\n")
    run(root, tmp_path)
    found = splits(tmp_path)
    assert found["test"].column("name") == ["image 03", "image 04"]
    assert len(found["train"]) + len(found["val"]) == 18
    (root / "val.txt").write_bytes("\ufeffimage 05\r\nimage 06\r\n".encode())
    run(root, tmp_path)
    assert splits(tmp_path)["val"].column("name") == ["image 05", "image 06"]
    assert len(splits(tmp_path)["train"]) == 16
    (root / "train.txt").write_text("image 07\nimage 08\nimage 09\nimage 10\n")
    assert run(root, tmp_path)["left_out"] == {"not listed": 12}
    assert splits(tmp_path)["train"].column("name") == [f"image {n:02}" for n in (7, 8, 9, 10)]
    (root / "val.txt").unlink()
    (root / "test.txt").unlink()
    with pytest.raises(DataError, match=r"train\.txt: there is no val\.txt and no test\.txt beside it"):
        run(root, tmp_path)


@pytest.mark.parametrize("lists", [True, False])
def test_without_a_test_split_test_is_drawn_from_train_and_that_is_said(
    root: Path, tmp_path: Path, lists: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """As with an export: tests/sources/formats/test_pairing.py."""
    if lists:
        for split, numbers in (("train", range(16)), ("val", range(16, 20))):
            (root / f"{split}.txt").write_text("".join(f"image {n:02d}\n" for n in numbers))
    else:
        move_into(root, {"train": range(16), "val": range(16, 20)})
    run(root, tmp_path)
    assert {name: len(split) for name, split in splits(tmp_path).items()} == {
        "train": 12,
        "val": 4,
        "test": 4,
    }
    assert "no test split: test images are DRAWN FROM THOSE OF TRAIN" in capsys.readouterr().out


@pytest.mark.parametrize("folders", [{}, {"train": range(10), "Val": range(10, 15), "test": range(15, 20)}])
def test_grouping_by_sub_folders_where_there_are_none(
    root: Path, tmp_path: Path, folders: dict[str, range]
) -> None:
    move_into(root, folders)
    with pytest.raises(DataError, match=r"data.group_by=folder .*no image is in a sub-folder"):
        run(root, tmp_path, group_by="folder")


def test_a_val_list_alone(root: Path, tmp_path: Path) -> None:
    (root / "val.txt").write_text("image 05\nimage 06\n")
    run(root, tmp_path)
    found = splits(tmp_path)
    assert found["val"].column("name") == ["image 05", "image 06"]
    assert len(found["test"]) == round(0.25 * 18)
    assert len(found["train"]) == 18 - round(0.25 * 18)


def test_lists_that_contradict_each_other_or_the_folder(root: Path, tmp_path: Path) -> None:
    (root / "test.txt").write_text("image 03\n")
    (root / "val.txt").write_text("image 03.png\n")
    with pytest.raises(DataError, match=r"'image 03' is already in val\.txt"):
        run(root, tmp_path)
    (root / "val.txt").write_text("image 05\nbeach\n")
    with pytest.raises(DataError, match=r"val\.txt: names 'beach', but there is no such image"):
        run(root, tmp_path)
    metrics = run(root, tmp_path, on_error="skip")
    assert metrics["left_out"] == {"listed but absent": 1}


def test_other_classes_and_another_ignored_value(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    write_folder(root, ignore_index=9)
    classes = ["ground", "apple", "pear"]
    metrics = run(root, tmp_path, ignore_index=9, classes=classes)
    assert set(metrics["classes"]["train"]) == {"apple", "pear"}
    assert set(np.unique(splits(tmp_path)["train"].masks)) == {0, 1, 2, IGNORE_INDEX}
    with pytest.raises(
        DataError, match=r"unknown values 9; expected 0 \(ground\), 1 \(apple\), 2 \(pear\) and 255"
    ):
        run(root, tmp_path, classes=classes)


def test_unlabelled_images_are_for_the_autoencoder_alone(root: Path, tmp_path: Path) -> None:
    (root / "unlabelled").mkdir()
    rng = np.random.default_rng(5)
    for number in range(3):
        image = rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)
        Image.fromarray(image).save(root / "unlabelled" / f"free {number}.png")
    # A copy of a labelled image: of one in test, the unlabelled one gives way.
    (root / "test.txt").write_text("image 03\nimage 04\n")
    (root / "unlabelled" / "copy.png").write_bytes((root / "images" / "image 03.png").read_bytes())
    metrics = run(root, tmp_path)
    unlabelled = open_split(tmp_path / "processed", "unlabelled")
    assert unlabelled.column("name") == [f"unlabelled/free {number}" for number in range(3)]
    assert (unlabelled.masks == IGNORE_INDEX).all()
    assert metrics["classes"]["unlabelled"] == {"unknown": 3}
    reason, detail = left_out(tmp_path)["unlabelled/copy"]
    assert (reason, detail) == ("near-duplicate", "near-duplicate of image 03 in test")


def test_images_and_masks_without_the_other(root: Path, tmp_path: Path) -> None:
    (root / "masks" / "image 03.png").unlink()
    (root / "images" / "image 04.png").unlink()
    with pytest.raises(DataError, match=r"image 04\.png: no image image 04\.\*.*on_error=skip"):
        run(root, tmp_path)
    metrics = run(root, tmp_path, on_error="skip")
    assert metrics["left_out"] == {"mask without image": 1, "no mask": 1}
    assert set(left_out(tmp_path)) == {"images/image 03", "masks/image 04"}
    assert sum(len(split) for split in splits(tmp_path).values()) == 18
    assert open_split(tmp_path / "processed", "unlabelled").column("name") == ["image 03"]


def test_one_stem_for_two_images_is_never_a_guess(root: Path, tmp_path: Path) -> None:
    image = Image.open(root / "images" / "image 05.png")
    image.save(root / "images" / "image 03.jpg")
    with pytest.raises(DataError, match=r"2 files share the stem 'image 03': image 03\.jpg, image 03\.png"):
        run(root, tmp_path)
    assert run(root, tmp_path, on_error="skip")["left_out"] == {"stem used twice": 1}
    names = {name for split in splits(tmp_path).values() for name in split.column("name")}
    assert "image 03" not in names
    assert len(names) == 19


def test_names_with_spaces_accents_upper_case_endings_and_folders(tmp_path: Path) -> None:
    root = tmp_path / "mine"
    write_folder(root)
    composed = unicodedata.normalize("NFC", "Käte, «die» Katze $1.2")
    decomposed = unicodedata.normalize("NFD", composed)
    (root / "images" / "image 00.png").rename(root / "images" / f"{composed}.PNG")
    (root / "masks" / "image 00.png").rename(root / "masks" / f"{decomposed}.Png")
    for kind in ("images", "masks"):
        (root / kind / "sub folder").mkdir()
        (root / kind / "image 01.png").rename(root / kind / "sub folder" / "image 02.png")
    (root / "images" / ".DS_Store").write_bytes(b"x")
    (root / "images" / "notes.txt").write_text("not an image")
    (root / "test.txt").write_text(f"{decomposed}\nsub folder/image 02\n", encoding="utf-8")
    metrics = run(root, tmp_path)
    assert splits(tmp_path)["test"].column("name") == [composed, "sub folder/image 02"]
    assert metrics["left_out"] == {"not an image": 1}


def test_names_that_are_no_text(root: Path, tmp_path: Path) -> None:
    name = b"pict\xff.png".decode("utf-8", "surrogateescape")
    for kind in ("images", "masks"):
        try:
            (root / kind / "image 00.png").rename(root / kind / name)
        except OSError:  # a file system that insists on Unicode
            pytest.skip("the file system takes Unicode names only")
    run(root, tmp_path)
    names = {name for split in splits(tmp_path).values() for name in split.column("name")}
    assert r"pict\xff" in names


def test_a_shared_class_mask_that_is_grey_scaled(root: Path, tmp_path: Path) -> None:
    Image.fromarray(square_mask(127)).save(root / "masks" / "image 03.png")
    with pytest.raises(DataError, match=r"unknown values 127.*Are classes stored as shades of grey"):
        run(root, tmp_path)
    Image.fromarray(square_mask(1)).save(root / "masks" / "image 03.jpg", quality=50)
    (root / "masks" / "image 03.png").unlink()
    with pytest.raises(
        DataError, match=r"is a JPEG .*, which changes the values of a mask. Export masks as PNG"
    ):
        run(root, tmp_path)


def test_a_large_image(root: Path, tmp_path: Path) -> None:
    Image.new("RGB", (10_000, 1_000), (10, 200, 30)).save(root / "images" / "image 03.png")
    mask = np.zeros((1_000, 10_000), dtype=np.uint8)
    mask[:, 2_500:5_000] = 2
    Image.fromarray(mask).save(root / "masks" / "image 03.png")
    (root / "test.txt").write_text("image 03\nimage 04\n")
    run(root, tmp_path)
    test = splits(tmp_path)["test"]
    assert (test.column("width")[0], test.column("height")[0]) == ("10000", "1000")
    assert (test.images[0] == (10, 200, 30)).all()
    assert test.masks is not None
    assert (test.masks[0][:, 16:32] == 2).all()
    assert (test.masks[0] == 2).mean() == 0.25


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "mine" / "images").mkdir(parents=True)
    with pytest.raises(DataError, match=r"mine has no images; .* found images"):
        run(tmp_path / "mine", tmp_path)
    with pytest.raises(DataError, match=r"absent is no folder; point data\.root"):
        run(tmp_path / "absent", tmp_path)
    (tmp_path / "mine" / "masks").mkdir()
    with pytest.raises(DataError, match=r"mine has no images; .* found images, masks"):
        run(tmp_path / "mine", tmp_path)


def test_a_split_that_comes_out_empty(tmp_path: Path) -> None:
    write_folder(tmp_path / "mine", count=3)
    with pytest.raises(DataError, match=r"the val split is empty.*raise data\.val_fraction"):
        run(tmp_path / "mine", tmp_path, val_fraction=0.1, test_fraction=0.4)
    with pytest.raises(DataError, match=r"the test split is empty.*raise data\.test_fraction"):
        run(tmp_path / "mine", tmp_path, val_fraction=0.4, test_fraction=0.1)


def test_listing_keeps_its_order_whatever_the_file_system(root: Path) -> None:
    names = [sample.name for sample in FolderSource(root, MaskRule(CLASSES)).listing().samples]
    assert names == sorted(names)


def move_into(root: Path, folders: dict[str, range], names: dict[str, str] | None = None) -> None:
    """Images and masks of some numbers into sub-folders; ``names`` are those of masks/ where they differ."""
    for kind in ("images", "masks"):
        for folder, numbers in folders.items():
            called = (names or {}).get(folder, folder) if kind == "masks" else folder
            (root / kind / called).mkdir()
            for number in numbers:
                name = f"image {number:02d}.png"
                (root / kind / name).rename(root / kind / called / name)


@pytest.mark.parametrize(
    "names", [("train", "val", "test"), ("Train", "valid", "Test"), ("training", "validation", "testing")]
)
def test_sub_folders_called_like_splits_are_the_splits(
    root: Path, tmp_path: Path, names: tuple[str, str, str]
) -> None:
    move_into(root, dict(zip(names, (range(12), range(12, 16), range(16, 20)), strict=True)))
    run(root, tmp_path)
    for folder, (split, found) in zip(names, splits(tmp_path).items(), strict=True):
        assert len(found) == {"train": 12, "val": 4, "test": 4}[split]
        assert {name.partition("/")[0] for name in found.column("name")} == {folder}


def test_images_and_masks_may_call_val_differently(root: Path, tmp_path: Path) -> None:
    move_into(root, {"train": range(12), "val": range(12, 16), "test": range(16, 20)}, {"val": "valid"})
    run(root, tmp_path)
    assert {name: len(split) for name, split in splits(tmp_path).items()} == {
        "train": 12,
        "val": 4,
        "test": 4,
    }


@pytest.mark.parametrize(
    ("folders", "lists", "said"),
    [
        ({"train": range(12), "test": range(12, 18)}, (), r"2 images lie outside of the sub-folders"),
        (
            {"train": range(15), "test": range(15, 20)},
            ("test",),
            r"said twice, by test\.txt and by the sub-folders",
        ),
    ],
)
def test_split_folders_that_leave_a_doubt(
    root: Path, tmp_path: Path, folders: dict[str, range], lists: tuple[str, ...], said: str
) -> None:
    move_into(root, folders)
    for name in lists:
        (root / f"{name}.txt").write_text("image 01\n")
    with pytest.raises(DataError, match=said):
        run(root, tmp_path)


def test_sub_folders_and_groups_stay_together(root: Path, tmp_path: Path) -> None:
    move_into(root, {f"patient {number}": range(4 * number, 4 * number + 4) for number in range(5)})
    run(root, tmp_path, group_by="folder")
    where: dict[str, set[str]] = {}
    for split, found in splits(tmp_path).items():
        for name, group in zip(found.column("name"), found.column("group"), strict=True):
            assert group == name.partition("/")[0]
            where.setdefault(group, set()).add(split)
    assert [len(found) for found in where.values()] == [1] * 5
    (root / "groups.csv").write_text(
        "".join(f"patient {n // 4}/image {n:02d}.png,{n % 2}\n" for n in range(20))
    )
    with pytest.raises(DataError, match="split is empty"):  # two groups cannot fill three splits
        run(root, tmp_path)


def test_an_image_in_a_test_list_without_a_mask_is_named(root: Path, tmp_path: Path) -> None:
    (root / "masks" / "image 03.png").unlink()
    (root / "test.txt").write_text("image 03\nimage 04\nimage 05\n")
    run(root, tmp_path)
    assert left_out(tmp_path)["images/image 03"][1].endswith("it cannot be evaluated in test")
    assert splits(tmp_path)["test"].column("name") == ["image 04", "image 05"]


def test_a_mask_whose_name_differs_in_case_is_named(root: Path, tmp_path: Path) -> None:
    (root / "masks/image 03.png").rename(root / "masks/Image 03.PNG")
    with pytest.raises(DataError) as caught:
        run(root, tmp_path)
    assert "Image 03.PNG: no image Image 03.*" in str(caught.value)
    found = FolderSource(root, MaskRule(["background", "cat", "dog"])).listing().findings
    said = next(finding.detail for finding in found if finding.reason == "no mask")
    assert "(Image 03.PNG differs in upper and lower case: rename one of the two)" in said


def test_a_mask_beside_an_image_that_is_not_read_names_that_file(root: Path, tmp_path: Path) -> None:
    (root / "images" / "image 03.png").unlink()
    np.save(root / "images" / "image 03.npy", np.zeros((4, 4)))
    with pytest.raises(
        DataError, match=r"\(images/image 03\.npy is not an image that is read: save it as PNG"
    ):
        run(root, tmp_path)
