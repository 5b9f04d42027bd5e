"""What ``prepare`` will make of a folder of images, found out beforehand and in the same way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.assignment import LeftOut, PairRow, SplitAssignment, left_out_by_source
from ae_pretrained.preparation.decode_audit import AuditFinding, audit, audit_warnings
from ae_pretrained.preparation.decoding import Outcome, decode_all
from ae_pretrained.preparation.packing import size_warnings
from ae_pretrained.preparation.split_plan import plan_splits
from ae_pretrained.preparation.storage import THUMBNAILS
from ae_pretrained.sources.base import DataError, Listing, Sample, Source
from ae_pretrained.sources.folder import FolderSource, image_folder
from ae_pretrained.sources.image_reader import read_image, read_size
from ae_pretrained.sources.mask_rule import MaskRule
from ae_pretrained.sources.registry import open_source

_NAMED = 5  # files in an error
START_WITHOUT = "to start without any mask, name the classes that you will label: --classes background,leaf"


@dataclass(frozen=True)
class Inspection:
    """Images, splits and what is wrong.

    Attributes:
        source: of the images.
        samples, outcomes: every image and what came of it.
        plan: rows of every split, and what was left out.
        duplicates: groups of rows that are near-identical.
        pairs: near-duplicates that are listed, and what is done about them.
        warnings: what the checks of splits and images have to say.
        audit: images that may have been decoded to something nobody would recognise.
    """

    source: Source
    samples: Sequence[Sample]
    outcomes: Sequence[Outcome]
    plan: SplitAssignment
    duplicates: Sequence[Sequence[int]]
    pairs: Sequence[PairRow]
    warnings: Sequence[str]
    audit: Sequence[AuditFinding]

    def count(self, split: str) -> int:
        """Images of a split."""
        return len(self.plan.splits[split])

    def pixels(self, split: str) -> int:
        """Pixels of the images of a split, at their own size."""
        return sum(
            width * height for width, height in (self.outcomes[row].size for row in self.plan.splits[split])
        )

    def train_masks(self, number: int) -> int:
        """Masks of the train split that show a class, at the size of training."""
        return sum(self.outcomes[row].pixels[number] > 0 for row in self.plan.splits["train"])

    def sizes(self) -> np.ndarray:
        """(n, 2) width and height of the images that could be decoded, px."""
        return np.array([outcome.size for outcome in self.outcomes if outcome.error is None])

    def left_out(self, reason: str) -> list[LeftOut]:
        """What was left out for a reason."""
        return [item for item in self.plan.left_out if item.reason == reason]


def list_folder(root: Path, without_masks: bool = False) -> Listing:
    """The images and masks of a folder, paired; nothing is decoded.

    Args:
        root: the folder.
        without_masks: whether none may have a mask.

    Raises:
        DataError: naming what is there, when it has not the layout of source ``folder``.
    """
    if not root.is_dir():
        found = "is a file" if root.exists() else "there is no such folder"
        raise DataError(f"{root}: {found}; expected a folder with images/ and masks/")
    if without_masks and image_folder(root).is_dir():
        return FolderSource(root, MaskRule([])).listing()
    if missing := [name for name in ("images", "masks") if not (root / name).is_dir()]:
        entries = sorted(path.name + ("/" if path.is_dir() else "") for path in root.iterdir())
        shown = ", ".join(entries[:8]) + (", …" if len(entries) > 8 else "") if entries else "nothing"
        absent = " and ".join(f"{name}/" for name in missing)
        raise DataError(
            f"{root}: there is no {absent}; expected images/ with the images and masks/ with a mask of the same "
            f"name for each (a.jpg, a.png), found {shown}; {START_WITHOUT}"
        )
    listing = FolderSource(root, MaskRule([])).listing()
    if not any(sample.mask for sample in listing.samples):
        detail = listing.findings[0].detail if listing.findings else "images/ and masks/ are empty"
        raise DataError(f"{root}: no image has a mask; {detail}; {START_WITHOUT}")
    return listing


def header_sizes(samples: Sequence[Sample]) -> np.ndarray:
    """(n, 2) width and height of the images, from their headers; those that are no images are left out.

    Raises:
        DataError: when there is no other.
    """
    sizes = []
    for sample in samples:
        try:
            sizes.append(read_size(sample.image, upright=False))
        except DataError:
            continue  # reported when the images are decoded
    if not sizes:
        try:
            read_image(samples[0].image)
        except DataError as error:
            raise DataError(
                f"none of the {len(samples)} images can be read; the first one: {error}"
            ) from None
    return np.array(sizes).reshape(-1, 2)


def check_findings(listing: Listing, more: Sequence[str]) -> None:
    """Refuse a folder with files that stop ``prepare``.

    Args:
        listing: of the folder.
        more: faults that came to light when files were read.

    Raises:
        DataError: naming the first five and their number, and the ways on.
    """
    faults = [finding.detail for finding in listing.findings if finding.fault] + list(more)
    if not faults:
        return
    shown = "".join(f"\n  - {fault}" for fault in faults[:_NAMED])
    rest = f"\n  - and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    noun = "file stands" if len(faults) == 1 else "files stand"
    raise DataError(
        f"{len(faults)} {noun} in the way:{shown}{rest}\n"
        "Mend or remove them, or leave such files out with --on-error skip"
    )


def inspect(root: Path, params: DataParams, seed: int, scratch: Path) -> Inspection:
    """Decode every image, draw the splits and look for near-duplicates, as ``prepare`` does.

    Args:
        root: the folder that ``params`` say how to read.
        params: the data section of the project; ``on_error`` is heeded.
        seed: of the splits.
        scratch: folder to make for arrays; the caller removes it.

    Raises:
        DataError: for unusable files (unless they are skipped), and when a split comes out empty or a class is in no
            training mask.
    """
    source = open_source(root, params)
    listing = source.listing()
    lenient = params.model_copy(update={"on_error": "skip"})
    outcomes = decode_all(listing.samples, source, lenient, scratch)
    if params.on_error == "stop":
        check_findings(listing, [outcome.error for outcome in outcomes if outcome.error is not None])
    faults = [outcome.error for sample, outcome in zip(listing.samples, outcomes, strict=True) if sample.mask]
    if faults and all(faults):
        raise DataError(
            f"none of the {len(faults)} images with a mask can be used; the first one: {faults[0]}"
        )
    planned = plan_splits(listing.samples, outcomes, scratch / THUMBNAILS, params, seed)
    planned.assignment.left_out += left_out_by_source(listing.findings, lenient)
    findings = audit(planned.samples, outcomes, params)
    return Inspection(
        source=source,
        samples=planned.samples,
        outcomes=outcomes,
        plan=planned.assignment,
        duplicates=planned.duplicates,
        pairs=planned.pairs,
        warnings=[
            *planned.warnings,
            *audit_warnings(findings),
            *_sizes_at_fault(listing.samples, outcomes, params),
        ],
        audit=findings,
    )


def _sizes_at_fault(samples: Sequence[Sample], outcomes: Sequence[Outcome], params: DataParams) -> list[str]:
    if params.resize != "crop":
        return []
    return size_warnings(samples, np.array([outcome.box[2:] for outcome in outcomes]), params)
