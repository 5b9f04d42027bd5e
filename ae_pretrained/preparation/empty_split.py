"""Why a split came out empty, and the way on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.assignment import NEAR_DUPLICATE, SplitAssignment
from ae_pretrained.sources.base import LACKS_MASK, DataError, Listing, Sample

_NAMED = 5
_LISTED_SOURCES = ("folder", "suffix_masks")  # sources that read train.txt, val.txt, test.txt
_LOOK_ALIKE = (
    " If all your images look alike and are different all the same (frames of a fixed camera, slices of a scan), do "
    "not look for near-duplicates: data.leak_check.enabled=false (`init --leak-check off`). Then keep the images of "
    "one recording together with data.group_by=folder{or_list}, or the test figures are too good"
)


def require_splits(
    samples: Sequence[Sample],
    plan: SplitAssignment,
    groups: Sequence[int],
    duplicates: Sequence[Sequence[int]],
    params: DataParams,
) -> None:
    """Refuse a plan in which train, val or test is empty.

    Args:
        samples: every sample.
        plan: where they are.
        groups: for every row the first row of what belongs together.
        duplicates: groups of rows that are near-identical.
        params: for the advice.

    Raises:
        DataError: naming the split, what emptied it, the first five images, and the way on.
    """
    for name in ("train", "val", "test"):
        if not plan.splits[name]:
            because = _cause(name, samples, plan, groups, duplicates, params) or _without_a_group(
                name, plan, params
            )
            raise DataError(f"the {name} split is empty (data.source={params.source}){because}")


def require_masks_or_wait(listing: Listing, params: DataParams) -> None:
    """Refuse images of which none has a mask, unless the project is to wait for masks.

    Without this, masks that are not where they were would cost the user a training of the autoencoder before the
    first stage that needs one stops.

    Raises:
        DataError: naming the folder, and what to do.
    """
    if params.masks.absent == "wait" or any(sample.mask is not None for sample in listing.samples):
        return
    lacking = [finding.detail for finding in listing.findings if finding.reason in LACKS_MASK]
    lacking += [str(sample.image) for sample in listing.samples[:1]]
    first = f"; the first one: {lacking[0]}" if lacking else ""
    raise DataError(
        f"{params.root}: {len(listing.samples)} images, and none has a mask (data.source={params.source}){first}. "
        "Bring the masks back to where they were; or, if nobody has labelled any yet, write data.masks.absent: wait, "
        "and all images are for the autoencoder alone"
    )


def require_images(plan: SplitAssignment) -> None:
    """Refuse a plan of images without masks that holds none.

    Raises:
        DataError: naming what became of the first one.
    """
    if not plan.splits["unlabelled"]:
        first = plan.left_out[0].detail if plan.left_out else "all are in the lists of val and test"
        raise DataError(
            f"no image has a mask, and none can be used for the autoencoder; the first one: {first}"
        )


def _cause(
    split: str,
    samples: Sequence[Sample],
    plan: SplitAssignment,
    groups: Sequence[int],
    duplicates: Sequence[Sequence[int]],
    params: DataParams,
) -> str:
    """What emptied the split, if it is something that keeps images together; else nothing."""
    count = len(samples)
    # Exports have no groups.csv.
    look_alike = _LOOK_ALIKE.format(or_list=" or groups.csv" if params.source in _LISTED_SOURCES else "")
    if taken := [item.name for item in plan.left_out if (item.split, item.reason) == (split, NEAR_DUPLICATE)]:
        return (
            f": {len(taken)} images {_shown(taken)} were taken out of it as near-duplicates of images in another "
            f"split.{look_alike}"
        )
    alike = max(duplicates, key=len, default=[])
    if len(alike) > count / 2:
        names = [samples[row].name for row in alike]
        return (
            f": {len(names)} of {count} images {_shown(names)} are near-duplicates, and these stay in one split."
            f"{look_alike}"
        )
    first, size = Counter(groups).most_common(1)[0] if groups else (0, 0)
    if size > count / 2:
        names = [samples[row].name for row, group in enumerate(groups) if group == first]
        return (
            f": {len(names)} of {count} images {_shown(names)} belong to one group (groups.csv, "
            "data.group_by, or what the export names so), and a group stays in one split. Make smaller groups, or "
            "leave them out with data.group_by=none and without groups.csv"
        )
    return ""


def _without_a_group(split: str, plan: SplitAssignment, params: DataParams) -> str:
    reasons = Counter(item.reason for item in plan.left_out)
    said = ", ".join(f"{number} x {reason}" for reason, number in sorted(reasons.items()))
    ways = ["bring more images"]
    if params.source in _LISTED_SOURCES:
        ways.append(f"name some in {split}.txt")
    if split != "train":
        ways.append(f"raise data.{split}_fraction")
    return (f"; left out elsewhere: {said}" if said else "") + f"; {', or '.join(ways)}"


def _shown(names: Sequence[str]) -> str:
    return f"({', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''})"
