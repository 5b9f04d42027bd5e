"""What is no error about the splits, but leads to figures that mean less than they seem to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.assignment import NEAR_DUPLICATE, SplitAssignment
from ae_pretrained.sources.base import Sample
from ae_pretrained.sources.split_names import SPLIT_OF_WORD

_MUCH_SMALLER = 0.75  # of the training images asked for
_MANY_TAKEN = 0.05  # share of the images
_NAMED = 5


def split_warnings(samples: Sequence[Sample], plan: SplitAssignment, params: DataParams) -> list[str]:
    """Sentences about a small train split, many near-duplicates taken out, and sub-folders in several splits.

    Args:
        samples: as the source lists them, with the groups that it names and no others.
        plan: where they are now.
        params: shares asked for.
    """
    return [
        *_not_compared(params),
        *_test_from_train(samples),
        *_small_train(samples, plan, params),
        *_many_taken(samples, plan),
        *_divided_folders(samples, plan),
    ]


def _not_compared(params: DataParams) -> Iterator[str]:
    if not params.leak_check.enabled:
        yield (
            "near-duplicates are not looked for (data.leak_check.enabled=false): where images of train and test show "
            "the same scene, the test figures are too good"
        )


def _test_from_train(samples: Sequence[Sample]) -> Iterator[str]:
    hints = {sample.split for sample in samples}
    if {"val", "rest"} <= hints:
        yield (
            "the data bring a val split and no test split: test images are DRAWN FROM THOSE OF TRAIN. If others are "
            "meant, name them (test.txt, or a folder test/)"
        )


def _small_train(samples: Sequence[Sample], plan: SplitAssignment, params: DataParams) -> Iterator[str]:
    hints = {sample.split for sample in samples}
    if not hints & {"rest", "trainval"}:
        return  # nothing was drawn
    # Without a usable mask an image was never to be drawn.
    rows = {row: split for row, split in plan.split_of().items() if split != "unlabelled"}
    drawn = [sample for row, sample in enumerate(samples) if sample.split == "rest" and row in rows]
    others = [sample for row, sample in enumerate(samples) if sample.split == "trainval" and row in rows]
    taken = [
        item for item in plan.left_out if item.reason == NEAR_DUPLICATE and item.split in ("train", "val")
    ]
    brings_val = "val" in hints
    asked = len(drawn) * (1 - params.test_fraction) + len(others) + len(taken)
    asked = asked if brings_val else asked * (1 - params.val_fraction)
    asked += sum(sample.split == "train" and row in rows for row, sample in enumerate(samples))
    train = len(plan.splits["train"])
    if train < _MUCH_SMALLER * asked:
        counts = ", ".join(f"{name} {len(plan.splits[name])}" for name in ("train", "val", "test"))
        yield (
            f"the train split has {train} images, where about {asked:.0f} were asked for ({counts}): large "
            "groups of images that belong together (near-duplicates such as frames of one video, sub-folders, "
            "groups.csv) went to val or test whole, or were taken out. Choose another seed, make smaller groups, or, "
            "if images only look alike, do not look for near-duplicates (data.leak_check.enabled=false, "
            "`init --leak-check off`)"
        )


def _many_taken(samples: Sequence[Sample], plan: SplitAssignment) -> Iterator[str]:
    taken = [item for item in plan.left_out if item.reason == NEAR_DUPLICATE]
    if len(taken) <= _MANY_TAKEN * len(samples):
        return
    by_split = ", ".join(
        f"{count} of {name}"
        for name in ("train", "unlabelled", "val")
        if (count := sum(item.split == name for item in taken))
    )
    yield (
        f"{len(taken)} of {len(samples)} images ({len(taken) / len(samples):.0%}; {by_split}) are taken out as "
        f"near-duplicates of images in val or test ({_listed([item.name for item in taken])}). The splits that the "
        "data bring hold copies of the same scenes: divide them anew by scene or video, or, if these images only "
        "look alike, keep them with data.leak_check.enabled=false (`init --leak-check off`)"
    )


def _divided_folders(samples: Sequence[Sample], plan: SplitAssignment) -> Iterator[str]:
    split_of = plan.split_of()
    splits: dict[str, set[str]] = {}
    for row, sample in enumerate(samples):
        folder = sample.name.rpartition("/")[0]
        split = split_of.get(row)
        if sample.group or folder.lower() in ("", *SPLIT_OF_WORD) or split in (None, "unlabelled"):
            continue
        splits.setdefault(folder, set()).add(str(split))
    divided = sorted(folder for folder, found in splits.items() if len(found) > 1)
    if len(splits) > 1 and divided:
        yield (
            f"images of one sub-folder are in several splits, in {len(divided)} of {len(splits)} sub-folders "
            f"({_listed(divided)}): if a sub-folder is one patient or one scene, the test figures are too good; "
            "use data.group_by=folder (`init --group-by folder`)"
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
