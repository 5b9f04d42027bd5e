"""The embedded data set on disk: official layout, determinism, arguments."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from ae_pretrained.synthetic.drawn_dataset import write_synthetic

TRAINVAL, TEST, SIZE = 24, 12, 48


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "raw"
    write_synthetic(root, num_trainval=TRAINVAL, num_test=TEST, size=SIZE, seed=7)
    return root


def rows(root: Path, name: str) -> list[list[str]]:
    lines = (root / "annotations" / f"{name}.txt").read_text(encoding="ascii").splitlines()
    return [line.split() for line in lines if not line.startswith("#")]


def files(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }


def test_lists_have_the_official_columns(drawn: Path) -> None:
    everything = rows(drawn, "list")
    assert len(everything) == TRAINVAL + TEST
    assert (
        (drawn / "annotations" / "list.txt")
        .read_text()
        .startswith("#Image CLASS-ID SPECIES BREED ID\n#ID: 1:12")
    )
    ids: dict[str, set[tuple[str, ...]]] = {}
    for name, class_id, species, breed_id in everything:
        breed, number = name.rsplit("_", 1)
        assert int(number) >= 1
        assert species == ("1" if breed[0].isupper() else "2")
        ids.setdefault(breed, set()).add((class_id, species, breed_id))
    assert len(ids) == 12
    assert all(len(found) == 1 for found in ids.values()), "a breed has one class id, species and breed id"
    found = [next(iter(values)) for values in ids.values()]
    assert sorted(int(c) for c, _, _ in found) == list(range(1, 13))
    assert sorted(int(b) for _, s, b in found if s == "1") == [1, 2, 3, 4]
    assert sorted(int(b) for _, s, b in found if s == "2") == list(range(1, 9))


def test_the_splits_share_nothing_and_make_up_the_list(drawn: Path) -> None:
    trainval, test, everything = (rows(drawn, name) for name in ("trainval", "test", "list"))
    assert (len(trainval), len(test)) == (TRAINVAL, TEST)
    assert sorted(trainval + test) == sorted(everything)
    assert len({row[0] for row in everything}) == len(everything)


@pytest.mark.parametrize("split", ["trainval", "test"])
def test_two_dogs_a_cat_and_every_breed_in_each_split(drawn: Path, split: str) -> None:
    table = rows(drawn, split)
    species = Counter(row[2] for row in table)
    assert species["2"] == 2 * species["1"]
    assert set(Counter(row[1] for row in table).values()) == {len(table) // 12}


def test_every_listed_file_exists_and_no_other(drawn: Path) -> None:
    stems = {row[0] for row in rows(drawn, "list")}
    assert {path.name for path in (drawn / "images").iterdir()} == {f"{stem}.jpg" for stem in stems}
    assert {path.name for path in (drawn / "annotations" / "trimaps").iterdir()} == {
        f"{stem}.png" for stem in stems
    }
    assert {path.name for path in drawn.parent.iterdir()} == {"raw"}, "no temporary folder may stay behind"


def test_images_and_trimaps_hold_what_the_official_ones_hold(drawn: Path) -> None:
    for stem in (row[0] for row in rows(drawn, "list")):
        image = cv2.imread(str(drawn / "images" / f"{stem}.jpg"), cv2.IMREAD_UNCHANGED)
        trimap = cv2.imread(str(drawn / "annotations" / "trimaps" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
        assert image.shape == (SIZE, SIZE, 3)
        assert image.std() > 10, f"{stem} is blank"
        assert trimap.shape == (SIZE, SIZE)
        assert trimap.dtype == np.uint8
        assert set(np.unique(trimap)) == {1, 2, 3}
        # The border lies between: no pet pixel touches background.
        pet = cv2.dilate((trimap == 1).astype(np.uint8), np.ones((3, 3), np.uint8))
        assert not np.any((pet == 1) & (trimap == 2)), f"{stem}: pet next to background"


def test_the_bytes_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    for processes in (1, 2):
        write_synthetic(
            tmp_path / str(processes), num_trainval=6, num_test=3, size=32, seed=3, processes=processes
        )
    assert files(tmp_path / "1") == files(tmp_path / "2")


def test_the_seed_changes_the_images_and_the_training_count_leaves_the_test_images(
    tmp_path: Path,
) -> None:
    write_synthetic(tmp_path / "a", num_trainval=3, num_test=3, size=32, seed=3)
    write_synthetic(tmp_path / "b", num_trainval=3, num_test=3, size=32, seed=4)
    write_synthetic(tmp_path / "c", num_trainval=6, num_test=3, size=32, seed=3)
    a, b, c = (files(tmp_path / name) for name in "abc")
    assert a.keys() == b.keys()
    assert all(a[name] != b[name] for name in a if name.endswith(".jpg"))
    assert set(_split_images(a, "test")) == set(_split_images(c, "test"))


def _split_images(content: dict[str, bytes], split: str) -> list[bytes]:
    lines = content[f"annotations/{split}.txt"].decode().splitlines()
    return [content[f"images/{line.split()[0]}.jpg"] for line in lines]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_trainval": 0}, "num_trainval"),
        ({"num_test": 0}, "num_test"),
        ({"size": 16}, "size"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_arguments_are_named(tmp_path: Path, change: dict[str, int], message: str) -> None:
    good = {"num_trainval": 3, "num_test": 3, "size": 32, "seed": 0}
    with pytest.raises(ValueError, match=f"{message} must be at least"):
        write_synthetic(tmp_path / "raw", **(good | change))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="is not empty"):
        write_synthetic(tmp_path, num_trainval=3, num_test=3, size=32, seed=0)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("ae_pretrained.synthetic.drawn_dataset._write_lists", fail)
    with pytest.raises(OSError, match="disk full"):
        write_synthetic(tmp_path / "raw", num_trainval=3, num_test=1, size=32, seed=0)
    assert list(tmp_path.iterdir()) == []
