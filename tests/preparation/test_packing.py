from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from ae_pretrained.dataset.arrays import Split, open_split
from ae_pretrained.preparation.packing import draw_anchors
from ae_pretrained.preparation.storage import create_array, squeeze_stretches, write_rows
from ae_pretrained.sources.base import DataError
from tests.whole import prepare_whole, whole_params, write_whole


def by_name(processed: Path) -> dict[str, tuple[Split, int]]:
    splits = [open_split(processed, name) for name in ("train", "val", "test")]
    return {name: (split, row) for split in splits for row, name in enumerate(split.column("name"))}


def test_images_and_masks_keep_their_pixels(tmp_path: Path) -> None:
    pairs = write_whole(tmp_path / "own")
    found = by_name(prepare_whole(tmp_path / "own", tmp_path, whole_params()))
    assert sorted(found) == sorted(pairs)
    for name, (image, mask) in pairs.items():
        split, row = found[name]
        assert np.array_equal(split.images[row], image)
        assert np.array_equal(split.masks[row], mask)
        assert isinstance(split.images[row].base, np.memmap)
        assert split.anchors is not None
        for label in (1, 2):
            places = split.anchors[row, label]
            there = (mask == label).any()
            assert (places >= 0).all() == there
            assert not there or (mask[places[:, 0], places[:, 1]] == label).all()
        in_part = (mask == 255).any()
        labelled = split.anchors[row, 0]
        assert (labelled >= 0).all() == in_part
        assert not in_part or (mask[labelled[:, 0], labelled[:, 1]] != 255).all()


def test_the_scale_is_that_of_the_arrays_and_models_are_told(tmp_path: Path) -> None:
    pairs = write_whole(tmp_path / "own")
    changes = {"data__scale": 0.5, "data__image_size": 16, "model__features": [4, 8, 8]}
    processed = prepare_whole(tmp_path / "own", tmp_path, whole_params(**changes))
    for name, (split, row) in by_name(processed).items():
        image, mask = pairs[name]
        size = (round(image.shape[1] / 2), round(image.shape[0] / 2))
        assert np.array_equal(split.images[row], cv2.resize(image, size, interpolation=cv2.INTER_AREA))
        assert np.array_equal(split.masks[row], cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT))
    assert json.loads((processed / "decoding.json").read_text()) == {"scale": 0.5}


def test_what_is_left_out_leaves_no_gap(tmp_path: Path) -> None:
    pairs = write_whole(tmp_path / "own")
    for name in ("i00", "i06", "i15"):
        path = tmp_path / "own" / "images" / f"{name}.png"
        path.write_bytes(path.read_bytes()[:200])
    processed = prepare_whole(tmp_path / "own", tmp_path, whole_params(data__on_error="skip"))
    found = by_name(processed)
    assert sorted(found) == sorted(set(pairs) - {"i00", "i06", "i15"})
    pixels = sum(pairs[name][1].size for name in found)
    assert len(np.load(processed / "images.npy", mmap_mode="r")) == pixels
    for name, (split, row) in found.items():
        assert np.array_equal(split.images[row], pairs[name][0])
        assert np.array_equal(split.masks[row], pairs[name][1])


def test_processes_write_the_same_bytes(tmp_path: Path) -> None:
    write_whole(tmp_path / "own")
    one, two = (
        prepare_whole(tmp_path / "own", tmp_path / str(workers), whole_params(data__workers=workers))
        for workers in (1, 2)
    )
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_a_photo_that_exif_turns_is_as_large_as_its_mask(tmp_path: Path) -> None:
    pairs = write_whole(tmp_path / "own")
    image = Image.fromarray(np.rot90(pairs["i01"][0]))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / "own" / "images" / "i01.png", exif=exif)
    split, row = by_name(prepare_whole(tmp_path / "own", tmp_path, whole_params()))["i01"]
    assert np.array_equal(split.images[row], pairs["i01"][0])


def test_anchors_of_an_image_do_not_hang_on_other_images() -> None:
    mask = np.zeros((9, 9), np.uint8)
    mask[2:4, 5] = 1
    one = draw_anchors(mask, 3, "a", 0)
    assert np.array_equal(one, draw_anchors(mask, 3, "a", 0))
    assert not np.array_equal(one, draw_anchors(mask, 3, "b", 0))
    assert set(map(tuple, one[1].tolist())) == {(2, 5), (3, 5)}
    assert (one[[0, 2]] == -1).all()  # labelled all over; not there
    assert (draw_anchors(None, 3, "a", 0) == -1).all()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"data__image_size": 128},
            "crops of 128 px are larger than every one of the 16 images, the largest of which has 64 x 90 px .* "
            "use at most 64, or data.resize: pad",
        ),
        (
            {"data__scale": 0.1, "data__image_size": 32, "data__classes": ["background", "cat", "dog"]},
            "crops of 32 px are larger than every one",
        ),
    ],
)
def test_crops_larger_than_all_images_are_refused(
    tmp_path: Path, changes: dict[str, Any], expected: str
) -> None:
    write_whole(tmp_path / "own")
    with pytest.raises(DataError, match=expected):
        prepare_whole(tmp_path / "own", tmp_path, whole_params(**changes))
    assert not (tmp_path / "processed").exists()


def test_small_images_and_images_of_another_camera_are_named(tmp_path: Path) -> None:
    write_whole(tmp_path / "own")
    Image.new("RGB", (450, 300), (90, 80, 70)).save(tmp_path / "own" / "images" / "i15.png")
    Image.new("L", (450, 300)).save(tmp_path / "own" / "masks" / "i15.png")
    prepare_whole(tmp_path / "own", tmp_path, whole_params(data__image_size=64))
    warnings = json.loads((tmp_path / "prepare.json").read_text())["warnings"]
    small = [text for text in warnings if text.startswith("11 of 16 images are smaller than the crops")]
    assert len(small) == 1
    assert "i00.png, i02.png" in small[0]
    assert "and 6 more" in small[0]
    far = [text for text in warnings if "more than 3 times larger or smaller" in text]
    assert len(far) == 1
    assert "i15.png. If they show the same things" in far[0]


def test_a_class_that_the_scale_loses_is_named(tmp_path: Path) -> None:
    write_whole(tmp_path / "own")
    for path in (tmp_path / "own" / "masks").iterdir():
        mask = np.array(Image.open(path))
        mask[mask == 2] = 0
        mask[2, 2] = 2
        Image.fromarray(mask).save(path)
    with pytest.raises(DataError, match=r"holds 'dog' .* at data.scale 0.5, which may be too small for it"):
        prepare_whole(tmp_path / "own", tmp_path, whole_params(data__scale=0.5, data__image_size=16))


def test_a_disk_without_room_is_known_before_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_whole(tmp_path / "own")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    monkeypatch.setattr("ae_pretrained.preparation.prepare.decode_all", None)
    with pytest.raises(DataError, match=r"the arrays need 2\d\d KiB .* use a smaller data.scale"):
        prepare_whole(tmp_path / "own", tmp_path, whole_params())


def test_stretches_move_together_in_place(tmp_path: Path) -> None:
    path, values = tmp_path / "a.npy", np.arange(30, dtype=np.int32).reshape(10, 3)
    create_array(path, (10, 3), np.int32)
    write_rows(path, 0, values)
    squeeze_stretches(path, [(1, 2), (4, 3), (9, 1)])
    assert np.array_equal(np.load(path), values[[1, 2, 4, 5, 6, 9]])
