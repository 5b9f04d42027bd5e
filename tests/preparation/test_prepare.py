from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.constants import IGNORE_INDEX
from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.params import validate_params
from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.pointer import write_link
from tests.conftest import committed_values
from tests.sources.layouts import write_official, write_pair


def data_params(**changes: Any) -> DataParams:
    values = committed_values()
    values["data"].update({"image_size": 64, "workers": 1, "val_fraction": 0.25, **changes})
    return validate_params(values).data


def run(root: Path, out: Path, **changes: Any) -> dict[str, Any]:
    prepare(
        root,
        out / "processed",
        data_params(**changes),
        seed=1,
        metrics_file=out / "prepare.json",
        plots=out / "plots",
    )
    return dict(json.loads((out / "prepare.json").read_text()))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    write_official(tmp_path / "raw")
    return tmp_path / "raw"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_official_lists_by_their_byte_order_mark(raw: Path, tmp_path: Path, encoding: str) -> None:
    path = raw / "annotations" / "trainval.txt"
    path.write_text(path.read_text(), encoding=encoding)
    assert run(raw, tmp_path)["num_train"] == 9
    path.write_bytes(path.read_text(encoding=encoding).encode() + b"\nB\xe4r_1 1 1 1\n")
    with pytest.raises(DataError, match=r"trainval\.txt, line \d+: not valid UTF-8 .*save the file as UTF-8"):
        run(raw, tmp_path)


def test_splits_and_masks(raw: Path, tmp_path: Path) -> None:
    metrics = run(raw, tmp_path)
    assert (metrics["num_train"], metrics["num_val"], metrics["num_test"]) == (9, 3, 4)
    train, val, test = (open_split(tmp_path / "processed", name) for name in ("train", "val", "test"))
    assert test.column("name") == ["Tabby_12", "beagle_13", "Tabby_14", "beagle_15"]
    assert not set(train.column("name")) & set(val.column("name"))
    for split in (train, val, test):
        assert split.images.shape == (len(split), 64, 64, 3)
        assert split.images.dtype == np.uint8
        for name, mask in zip(split.column("class"), split.masks, strict=True):
            assert set(np.unique(mask)) == {0, 1 if name == "cat" else 2, IGNORE_INDEX}
        assert split.valid(slice(None)).all()
        assert set(split.column("group")) == {""}
    assert {path.name for path in (tmp_path / "processed").iterdir()} == {
        "images.npy",
        "masks.npy",
        "index.csv",
    }
    index = table(tmp_path / "processed/index.csv")
    assert [row["split"] for row in index] == ["train"] * 9 + ["val"] * 3 + ["test"] * 4
    assert sorted(int(row["label_order"]) for row in index[:9]) == list(range(9))
    assert {row["label_order"] for row in index[9:]} == {""}


def test_pixels_are_those_of_the_files(tmp_path: Path) -> None:
    root = tmp_path / "raw"
    write_official(root, size=(64, 64))
    run(root, tmp_path)
    test = open_split(tmp_path / "processed", "test")
    for name, image, mask in zip(test.column("name"), test.images, test.masks, strict=True):
        assert np.array_equal(image, np.asarray(Image.open(root / "images" / f"{name}.jpg")))
        trimap = np.asarray(Image.open(root / "annotations" / "trimaps" / f"{name}.png"))
        label = 1 if name.startswith("Tabby") else 2
        expected = np.select([trimap == 1, trimap == 2], [label, 0], IGNORE_INDEX)
        assert np.array_equal(mask, expected)


def test_pad_keeps_the_shape_and_marks_padding(raw: Path, tmp_path: Path) -> None:
    run(raw, tmp_path, resize="pad")
    test = open_split(tmp_path / "processed", "test")
    assert test.column("box")[0] == "0 8 64 56"
    valid = test.valid(slice(None))
    assert valid[:, 8:56].all()
    assert not valid[:, :8].any()
    assert (test.masks[~valid] == IGNORE_INDEX).all()


def test_same_seed_same_bytes_whatever_the_number_of_processes(raw: Path, tmp_path: Path) -> None:
    for name, workers in (("one", 1), ("two", 2)):
        run(raw, tmp_path / name, workers=workers)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) == 15
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_masks_of_no_use_are_left_out_and_listed(raw: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(9)

    def spoil(name: str, value: int) -> None:
        image = rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)
        write_pair(raw, name, image, np.full((30, 40), value, dtype=np.uint8))

    spoil("Tabby_0", 2)
    spoil("beagle_1", 3)
    spoil("Tabby_12", 2)
    metrics = run(raw, tmp_path)
    assert metrics["num_listed"] == 16
    assert metrics["num_unlabelled"] == 2
    assert metrics["num_test"] == 3
    unlabelled = open_split(tmp_path / "processed", "unlabelled")
    assert (unlabelled.masks == IGNORE_INDEX).all()
    assert unlabelled.column("name") == ["Tabby_0", "beagle_1"]
    assert unlabelled.column("flags") == ["no foreground pixel in the mask", "no labelled pixel in the mask"]
    pretraining = open_split(tmp_path / "processed", "train", "unlabelled")
    assert len(pretraining) == metrics["num_train"] + 2
    assert pretraining.column("name")[-2:] == unlabelled.column("name")
    # What is in no split is in no array.
    assert "Tabby_12" not in (tmp_path / "processed/index.csv").read_text()
    assert len(np.load(tmp_path / "processed/images.npy", mmap_mode="r")) == 15
    rows = table(tmp_path / "plots/tables/left_out.csv")
    assert {(row["name"], row["reason"]) for row in rows} == {
        ("Tabby_0", "no foreground pixel in the mask"),
        ("beagle_1", "no labelled pixel in the mask"),
        ("Tabby_12", "no foreground pixel in the mask"),
    }


def test_near_duplicates_leave_train_and_never_test(raw: Path, tmp_path: Path) -> None:
    image = np.asarray(Image.open(raw / "images" / "Tabby_12.jpg"))
    write_pair(raw, "Tabby_0", np.clip(image.astype(int) + 3, 0, 255).astype(np.uint8))
    write_pair(raw, "beagle_1", image[:, ::-1].copy())
    metrics = run(raw, tmp_path)
    assert metrics["num_leaks"] >= 2
    test = open_split(tmp_path / "processed", "test")
    assert "Tabby_12" in test.column("name")
    kept = {
        name
        for split in ("train", "val")
        for name in open_split(tmp_path / "processed", split).column("name")
    }
    assert not kept & {"Tabby_0", "beagle_1"}
    assert metrics["near_duplicates"]["one_in_test"] >= 2
    rows = table(tmp_path / "plots/tables/near_duplicates.csv")
    assert any(row["mirrored"] == "True" for row in rows)
    metrics = run(
        raw, tmp_path / "unchecked", leak_check={"enabled": False, "hash_distance": 0, "pixel_distance": 0.0}
    )
    assert metrics["num_leaks"] == 0


def break_zero(raw: Path) -> None:
    (raw / "images/Tabby_0.jpg").write_bytes(b"")


def break_text(raw: Path) -> None:
    (raw / "images/Tabby_0.jpg").write_text("not an image")


def break_truncated(raw: Path) -> None:
    path = raw / "images/Tabby_0.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(
        path, format="JPEG"
    )
    path.write_bytes(path.read_bytes()[:-300])


def break_png_truncated(raw: Path) -> None:
    path = raw / "images/Tabby_0.jpg"
    path.write_bytes(path.read_bytes()[:-500])


def break_one_pixel(raw: Path) -> None:
    write_pair(raw, "Tabby_0", np.zeros((1, 1, 3), dtype=np.uint8), np.ones((1, 1), dtype=np.uint8))


def break_bomb(raw: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(raw / "images/Tabby_0.jpg", format="PNG")


def break_missing_image(raw: Path) -> None:
    (raw / "images/Tabby_0.jpg").unlink()


def break_missing_mask(raw: Path) -> None:
    (raw / "annotations/trimaps/Tabby_0.png").unlink()


def break_mask_size(raw: Path) -> None:
    Image.fromarray(np.ones((20, 20), dtype=np.uint8)).save(raw / "annotations/trimaps/Tabby_0.png")


def break_mask_values(raw: Path) -> None:
    Image.fromarray(np.full((30, 40), 7, dtype=np.uint8)).save(raw / "annotations/trimaps/Tabby_0.png")


def break_mask_channels(raw: Path) -> None:
    Image.fromarray(np.tile(np.uint8([1, 2, 3]), (30, 40, 1))).save(raw / "annotations/trimaps/Tabby_0.png")


BROKEN = [
    (break_zero, "Tabby_0.jpg: not a readable image \\(0 bytes"),
    (break_text, "Tabby_0.jpg: not a readable image"),
    (break_truncated, "Tabby_0.jpg: not a readable image"),
    (break_png_truncated, "Tabby_0.jpg: not a readable image"),
    (break_one_pixel, "the image has 1 x 1 px; expected at least 8 px a side"),
    (break_bomb, r"Tabby_0.jpg: too large to be decoded safely"),
    (break_missing_image, "Tabby_0.jpg: no such file"),
    (break_missing_mask, "Tabby_0.png: no such file"),
    (break_mask_size, "the mask has 20 x 20 px, its image Tabby_0.jpg has 40 x 30 px"),
    (break_mask_values, r"expected a trimap .* found also \[7\]"),
    (break_mask_channels, "the mask is in colour; expected one channel with class numbers"),
]


@pytest.mark.parametrize(("spoil", "said"), BROKEN)
def test_an_unusable_file_stops_the_run(raw: Path, tmp_path: Path, spoil: Any, said: str) -> None:
    spoil(raw)
    with pytest.raises(DataError, match=said):
        run(raw, tmp_path)
    assert not (tmp_path / "processed").exists()
    assert not list(tmp_path.glob(".*part")), "nothing half-written is left"


@pytest.mark.parametrize(("spoil", "said"), BROKEN)
def test_an_unusable_file_is_left_out_where_params_say_so(
    raw: Path, tmp_path: Path, spoil: Any, said: str
) -> None:
    spoil(raw)
    metrics = run(raw, tmp_path, on_error="skip")
    assert metrics["left_out"] == {"unusable file": 1}
    (row,) = table(tmp_path / "plots/tables/left_out.csv")
    assert row["name"] == "Tabby_0"
    assert metrics["num_train"] + metrics["num_val"] == 11


def test_an_earlier_result_survives_a_failed_run(raw: Path, tmp_path: Path) -> None:
    run(raw, tmp_path)
    before = (tmp_path / "processed/images.npy").read_bytes()
    break_text(raw)
    with pytest.raises(DataError):
        run(raw, tmp_path)
    assert (tmp_path / "processed/images.npy").read_bytes() == before


def test_a_killed_run_leaves_nothing_in_the_way(raw: Path, tmp_path: Path) -> None:
    left = tmp_path / ".processed.part"
    left.mkdir(parents=True)
    (left / "images.npy").write_bytes(b"half")
    run(raw, tmp_path)
    assert len(open_split(tmp_path / "processed", "test")) == 4
    assert not list(tmp_path.glob(".*"))


def test_what_train_never_shows_is_an_error(raw: Path, tmp_path: Path) -> None:
    lists = raw / "annotations"
    cats = [line for line in (lists / "trainval.txt").read_text().splitlines() if line.startswith("Tabby")]
    (lists / "trainval.txt").write_text("\n".join(cats))
    with pytest.raises(DataError, match=r"data\.classes: no mask of the train split holds 'dog' \(4 masks"):
        run(raw, tmp_path)


def test_what_test_never_shows_is_a_warning(raw: Path, tmp_path: Path) -> None:
    lists = raw / "annotations"
    cats = [line for line in (lists / "test.txt").read_text().splitlines() if line.startswith("Tabby")]
    (lists / "test.txt").write_text("\n".join(cats))
    assert run(raw, tmp_path)["warnings"] == [
        "no mask of the test split holds 'dog': its figures there mean nothing"
    ]


def test_counts(raw: Path, tmp_path: Path) -> None:
    metrics = run(raw, tmp_path)
    assert metrics["classes"]["test"] == {"cat": 2, "dog": 2}
    assert {breed: sum(counts.values()) for breed, counts in metrics["breeds"].items()} == {
        "beagle": 8,
        "Tabby": 8,
    }
    assert table(tmp_path / "plots/tables/breeds.csv")[0]["breed"] == "beagle"
    assert metrics["original_size"]["width"]["median"] == 40
    for name in ("train", "val", "test"):
        masks = open_split(tmp_path / "processed", name).masks
        for value, label in ((0, "background"), (1, "cat"), (2, "dog"), (IGNORE_INDEX, "ignored")):
            assert metrics["pixel_share"][name][label] == pytest.approx((masks == value).mean(), abs=1e-6)
    images = {path.name for path in (tmp_path / "plots").glob("*.png")}
    assert images == {
        *(f"contact_{name}.png" for name in ("train", "val", "test")),
        *("split_counts.png", "pixel_shares.png", "original_sizes.png", "breed_counts.png"),
    }


def test_padding_counts_in_no_share(raw: Path, tmp_path: Path) -> None:
    shares = run(raw, tmp_path, resize="pad")["pixel_share"]["test"]
    test = open_split(tmp_path / "processed", "test")
    content = test.masks[test.valid(slice(None))]
    assert len(content) == len(test) * 64 * 48
    assert shares["ignored"] == pytest.approx((content == IGNORE_INDEX).mean(), abs=1e-6)


def test_an_empty_split_is_an_error(raw: Path, tmp_path: Path) -> None:
    lists = raw / "annotations"
    (lists / "test.txt").write_text("")
    with pytest.raises(DataError, match="the test split is empty"):
        run(raw, tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Tabby_0 1 1 1\nTabby_0 1 1 1\n", "line 2: Tabby_0 is already in trainval.txt"),
        ("Tabby_12 1 1 1\n", "test.txt: Tabby_12 is already in trainval.txt"),
        ("Tabby_0 1 2 1\n", "Tabby_0 has species 2, but list.txt has species 1"),
        ("Tabby_99 1 1 1\n", "Tabby_99 has species 1, but list.txt has no such image"),
        ("Tabby_0 1 5 1\n", "line 1: expected 'NAME CLASS SPECIES BREED'"),
        ("Tabby_0\n", "line 1: expected"),
    ],
)
def test_a_list_that_makes_no_sense(raw: Path, tmp_path: Path, text: str, said: str) -> None:
    (raw / "annotations/trainval.txt").write_text(text)
    with pytest.raises(DataError, match=said):
        run(raw, tmp_path)


def test_the_sample_with_its_oddities(oxford_sample: Path, tmp_path: Path) -> None:
    """A PNG with alpha under a .jpg name is decoded; a GIF that no list names and a .mat are no trouble."""
    write_link(tmp_path / "raw", oxford_sample, 0)
    metrics = run(tmp_path / "raw", tmp_path)
    names = {
        name
        for s in ("train", "val", "test")
        for name in open_split(tmp_path / "processed", s).column("name")
    }
    assert metrics["num_listed"] == 49
    assert "Abyssinian_34" not in names
    assert "Abyssinian_5" in names
    assert metrics["num_leaks"] == 0
    left_out = table(tmp_path / "plots/tables/left_out.csv")
    assert {(row["name"], row["reason"]) for row in left_out} == {
        ("Abyssinian_34.jpg", "not listed"),
        ("Abyssinian_100.mat", "not listed"),
    }
    assert metrics["original_size"]["width"]["max"] > 400


@pytest.mark.long
def test_all_official_pairs(oxford_128: Path, tmp_path: Path) -> None:
    write_link(tmp_path / "raw", oxford_128, 0)
    metrics = run(tmp_path / "raw", tmp_path, image_size=64, workers=0)
    assert metrics["num_listed"] == 7349
    assert metrics["left_out"]["no foreground pixel in the mask"] == 14
    pairs = table(tmp_path / "plots/tables/near_duplicates.csv")
    found = {frozenset((row["first"], row["second"])) for row in pairs}
    assert {
        frozenset(("leonberger_187", "leonberger_1")),
        frozenset(("Abyssinian_24", "Abyssinian_56")),
    } <= found
    across = [row for row in pairs if (row["first_split"] == "test") != (row["second_split"] == "test")]
    # The 38 pairs that README.md beside the data counts have the same pixels; beyond them the check finds the
    # same photos in another exposure or crop, and shots of one scene, all looked at.
    assert metrics["near_duplicates"]["same_pixels"] == 38
    assert metrics["near_duplicates"]["same_pixels_one_in_test"] == 21
    assert metrics["near_duplicates"]["pairs"] == 50
    assert len(across) == 24
    test = set(open_split(tmp_path / "processed", "test").column("name"))
    assert len(test) == 3669 - 7
    train = open_split(tmp_path / "processed", "train")
    for row in across:
        gone = row["first"] if row["second_split"] == "test" else row["second"]
        assert gone not in train.column("name")
