from __future__ import annotations

from pathlib import Path
from typing import Any

from ae_pretrained.preparation.assignment import NEAR_DUPLICATE, LeftOut, SplitAssignment
from ae_pretrained.preparation.split_warnings import split_warnings
from ae_pretrained.sources.base import Sample, SplitHint
from tests.preparation.test_prepare import data_params


def samples(names: list[str], split: SplitHint = "rest", group: str = "") -> list[Sample]:
    return [Sample(name, Path(f"{name}.png"), Path("m.png"), split, group=group) for name in names]


def plan(train: range, val: range, test: range) -> SplitAssignment:
    return SplitAssignment({"train": [*train], "val": [*val], "test": [*test], "unlabelled": []})


def said(listed: list[Sample], where: SplitAssignment, **changes: Any) -> list[str]:
    values = {"source": "folder", "val_fraction": 0.15, "test_fraction": 0.2, **changes}
    return split_warnings(listed, where, data_params(**values))


def test_shares_as_asked_for_are_no_warning() -> None:
    listed = samples([f"p{n}" for n in range(100)])
    assert said(listed, plan(range(68), range(68, 80), range(80, 100))) == []


def test_a_train_split_much_smaller_than_asked_for() -> None:
    listed = samples([f"p{n}" for n in range(100)])
    (warning,) = said(listed, plan(range(20), range(20, 30), range(30, 100)))
    assert "the train split has 20 images, where about 68 were asked for" in warning
    assert "train 20, val 10, test 70" in warning
    # What the data bring is as they say.
    assert (
        said(samples([f"p{n}" for n in range(100)], "test"), plan(range(20), range(20, 30), range(30, 100)))
        == []
    )


def test_images_without_a_usable_mask_were_not_asked_for() -> None:
    listed = samples([f"p{n}" for n in range(100)])
    where = plan(range(23), range(23, 27), range(27, 34))
    where.splits["unlabelled"] = [*range(34, 100)]
    assert said(listed, where) == []


def test_many_taken_out_as_near_duplicates() -> None:
    listed = samples([f"p{n}" for n in range(100)], "train")
    where = plan(range(6, 80), range(80, 90), range(90, 100))
    where.left_out = [LeftOut("train", f"p{n}", NEAR_DUPLICATE, "") for n in range(6)]
    (warning,) = said(listed, where)
    assert "6 of 100 images (6%; 6 of train)" in warning
    assert "p0, p1, p2, p3, p4, …" in warning
    assert "--leak-check off" in warning


def test_images_of_one_sub_folder_in_several_splits() -> None:
    names = [f"patient{n // 10}/slice{n % 10}" for n in range(100)]
    where = plan(range(68), range(68, 80), range(80, 100))
    (warning,) = said(samples(names), where)
    assert "in 1 of 10 sub-folders (patient6)" in warning
    assert "init --group-by folder" in warning
    assert said(samples(names, group="g"), where) == []
    assert said(samples([f"all/p{n}" for n in range(100)]), where) == []


def test_no_search_for_near_duplicates_is_said() -> None:
    listed = samples([f"p{n}" for n in range(100)])
    off = {"enabled": False, "hash_distance": 10, "pixel_distance": 0.25}
    (warning,) = said(listed, plan(range(68), range(68, 80), range(80, 100)), leak_check=off)
    assert "data.leak_check.enabled=false" in warning
