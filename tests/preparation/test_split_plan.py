"""What belongs together goes into one split: near-duplicates, and what the source says belongs together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.decoding import Outcome
from ae_pretrained.preparation.split_plan import SplitPlan, group_rows, plan_splits
from ae_pretrained.sources.base import DataError, Sample, SplitHint
from tests.processed import tiny_params

OUTCOME = Outcome(None, None, (64, 64), (0, 0, 32, 32), (500, 300, 200, 24))


def sample(row: int, split: SplitHint = "rest", group: str = "") -> Sample:
    return Sample(f"i{row:03d}", Path(f"{row}.png"), Path("m.png"), split, "cat", "", group)


def scenes(count: int, seed: int = 0) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (count, 5, 5), dtype=np.uint8)
    return np.stack(
        [np.asarray(Image.fromarray(one).resize((32, 32), Image.Resampling.BICUBIC)) for one in coarse]
    )


def params(**changes: object) -> DataParams:
    values = {"val_fraction": 0.2, "test_fraction": 0.2, "source": "folder", **changes}
    data = tiny_params(data__leak_check__enabled=True).data
    return data.model_copy(update=values)


def plan(
    samples: list[Sample], thumbnails: np.ndarray, folder: Path, seed: int = 0, source: str = "folder"
) -> SplitPlan:
    np.save(folder / "thumbnails.npy", thumbnails)
    return plan_splits(
        samples, [OUTCOME] * len(samples), folder / "thumbnails.npy", params(source=source), seed
    )


def test_frames_of_a_scene_stay_together(tmp_path: Path) -> None:
    """Twenty scenes of five frames: no scene is in two splits, and none is thrown away."""
    rng = np.random.default_rng(1)
    frames = np.repeat(scenes(20).astype(float), 5, axis=0) + rng.normal(0, 3, (100, 32, 32))
    found = plan([sample(row) for row in range(100)], np.clip(frames, 0, 255).astype(np.uint8), tmp_path)
    splits = found.assignment.split_of()
    assert len(splits) == 100
    for scene in range(20):
        assert len({splits[row] for row in range(5 * scene, 5 * scene + 5)}) == 1
    counts = {name: len(rows) for name, rows in found.assignment.splits.items()}
    assert counts == {"train": 65, "val": 15, "test": 20, "unlabelled": 0}
    assert {item.group for item in found.samples[:5]} == {"i000"}


def test_groups_of_the_source_stay_together(tmp_path: Path) -> None:
    samples = [sample(row, group=f"patient {row // 6}") for row in range(60)]
    splits = plan(samples, scenes(60), tmp_path).assignment.split_of()
    for patient in range(10):
        assert len({splits[row] for row in range(6 * patient, 6 * patient + 6)}) == 1
    assert set(splits.values()) == {"train", "val", "test"}


def test_groups_are_joined_by_near_duplicates() -> None:
    samples = [sample(0, group="a"), sample(1, group="a"), sample(2, group="b"), sample(3), sample(4)]
    assert group_rows(samples, [[1, 2], [3, 4]]) == [0, 0, 0, 3, 3]


@pytest.mark.parametrize(("given", "lost"), [("test", "train"), ("val", "train")])
def test_where_lists_divide_a_group_test_keeps_its_images(tmp_path: Path, given: str, lost: str) -> None:
    thumbnails = scenes(40)
    thumbnails[30] = thumbnails[3]
    splits: list[SplitHint] = ["train"] * 20 + ["val"] * 10 + ["test"] * 10
    splits[3], splits[30] = ("train", "test") if given == "test" else ("train", "val")
    samples = [sample(row, split) for row, split in enumerate(splits)]
    found = plan(samples, thumbnails, tmp_path)
    assert 30 in found.assignment.splits[given]
    assert 3 not in found.assignment.split_of()
    (gone,) = found.assignment.left_out
    assert (gone.split, gone.name, gone.reason) == (lost, "i003", "near-duplicate")
    assert found.pairs[0].action == "i003 taken out of train"


def test_a_single_scene_says_why_nothing_can_be_drawn(tmp_path: Path) -> None:
    frames = np.repeat(scenes(1), 30, axis=0)
    said = (
        r"the val split is empty \(data.source=folder\): 30 of 30 images \(i000, i001, i002, i003, i004, …\) "
        r"are near-duplicates.*data.leak_check.enabled=false \(`init --leak-check off`\).*groups.csv"
    )
    with pytest.raises(DataError, match=said) as caught:
        plan([sample(row) for row in range(30)], frames, tmp_path)
    assert "val_fraction" not in str(caught.value)
    assert "train.txt" not in str(caught.value)


def test_a_single_scene_that_comes_with_splits(tmp_path: Path) -> None:
    """An export of one camera's frames: neither a list nor a larger share would help it."""
    splits: list[SplitHint] = ["train"] * 20 + ["val"] * 5 + ["test"] * 5
    with pytest.raises(
        DataError, match=r"the train split is empty.*: 20 images \(i000, i001.*, …\) were taken out"
    ) as caught:
        plan(
            [sample(row, split) for row, split in enumerate(splits)],
            np.repeat(scenes(1), 30, axis=0),
            tmp_path,
            source="coco",
        )
    assert "init --leak-check off" in str(caught.value)
    assert "groups.csv" not in str(caught.value)
    assert "train.txt" not in str(caught.value)


def test_a_single_group_of_the_source(tmp_path: Path) -> None:
    samples = [sample(row, group="all") for row in range(30)]
    with pytest.raises(
        DataError, match=r"30 images \(.*\) belong to one group.*Make smaller groups"
    ) as caught:
        plan(samples, scenes(30), tmp_path)
    assert "leak" not in str(caught.value)
