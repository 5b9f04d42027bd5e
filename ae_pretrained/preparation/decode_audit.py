"""Images that were decoded to something that nobody would recognise: which, why, and the way on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ae_pretrained.params.data_params import DataParams
from ae_pretrained.preparation.decoding import Outcome
from ae_pretrained.sources.base import Sample
from ae_pretrained.sources.image_facts import FULL_RANGE

SMALL_RANGE = "16 bits, little of them used"
FEW_LEVELS = "fewer than 32 grey levels"
FLAT = "nearly flat"
FOURTH_BAND = "fourth band with many levels"
TRANSPARENT = "fully transparent"
TURNED = "turned by EXIF, perhaps without its mask"
PAGES = "several pages or frames"
_FEW, _NARROW = 32, 8  # grey levels
_NAMED = 5
_SWAPPED = (5, 6, 7, 8)  # EXIF orientations that exchange width and height


class AuditFinding(NamedTuple):
    """One line of ``audit.csv``: a suspicious image.

    Attributes:
        row: its place among the samples.
        name: of the image, with its ending.
        reason: the kind of finding.
        detail: what was found.
    """

    row: int
    name: str
    reason: str
    detail: str


def audit(samples: Sequence[Sample], outcomes: Sequence[Outcome], params: DataParams) -> list[AuditFinding]:
    """What is suspicious about the images that were decoded, by kind and then in order of the samples."""
    largest = max((outcome.facts.largest for outcome in outcomes), default=0)
    found = []
    for row, (sample, outcome) in enumerate(zip(samples, outcomes, strict=True)):
        if outcome.error is None:
            name = sample.name + sample.image.suffix
            for reason, detail in _suspicions(outcome, sample.mask is not None, largest, params):
                found.append(AuditFinding(row, name, reason, detail))
    return sorted(found, key=lambda finding: (_ADVICE_ORDER.index(finding.reason), finding.row))


def _suspicions(
    outcome: Outcome, labelled: bool, largest: int, params: DataParams
) -> Iterator[tuple[str, str]]:
    facts = outcome.facts
    if facts.largest and params.sixteen_bits == "full" and largest <= FULL_RANGE // 2:
        detail = f"largest value {facts.largest}, in all images {largest}, of {FULL_RANGE}"
        yield SMALL_RANGE, f"{detail}; {facts.levels} grey levels are left"
    elif facts.transparent and params.alpha == "matte":
        yield TRANSPARENT, "alpha is 0 all over: mid-grey is what is left"
    elif facts.levels < _FEW:
        yield FEW_LEVELS, f"{facts.levels} grey levels"
    elif facts.spread < _NARROW:
        yield FLAT, f"98 % of the pixels lie within {facts.spread} grey levels"
    if facts.alpha_levels >= _FEW and params.alpha == "matte":
        yield (
            FOURTH_BAND,
            f"{facts.alpha_levels} levels, taken for transparency: pixels were blended with grey",
        )
    if labelled and params.exif == "apply" and facts.orientation != 1:
        width, height = outcome.size
        if facts.orientation not in _SWAPPED or width == height:
            yield TURNED, f"EXIF orientation {facts.orientation}, {width} x {height} px"
    if facts.pages > 1:
        yield PAGES, f"{facts.pages} pages or frames, of which the first was read"


_ADVICE = {
    SMALL_RANGE: "they come out dark. Scale them by the bit depth that they use, one scale for all, with "
    "data.sixteen_bits=found (`init --sixteen-bits found`)",
    TRANSPARENT: "they come out as plain grey. If their colours are right all the same, drop alpha with "
    "data.alpha=drop (`init --alpha drop`)",
    FOURTH_BAND: "their fourth band was taken for transparency, and their colours were blended with grey. If it is "
    "a band of its own (infrared, depth), drop it with data.alpha=drop (`init --alpha drop`)",
    FEW_LEVELS: "nobody may recognise what they show. Were they saved with too few bits, or are they masks?",
    FLAT: "hardly anything can be seen in them. Are they blank, or saved without scaling?",
    TURNED: "the size of their masks cannot tell whether these were drawn on the image as shown (turned by 180 "
    "degrees, mirrored, or square), which is taken for granted. If masks lie wrong, say data.exif=with_mask (the "
    "mask is turned as its image is) or data.exif=ignore (neither is; `init --exif ignore`)",
    PAGES: "the first page or frame was read, and no other. Save each page that is an image as a file of its own",
}
_ADVICE_ORDER = list(_ADVICE)


def audit_warnings(findings: Sequence[AuditFinding]) -> list[str]:
    """A sentence for each kind: how many, the first five by name, what it means and the way on."""
    by_reason: dict[str, list[AuditFinding]] = {}
    for finding in findings:
        by_reason.setdefault(finding.reason, []).append(finding)
    warnings = []
    for reason, items in by_reason.items():
        names = ", ".join(item.name for item in items[:_NAMED]) + (", …" if len(items) > _NAMED else "")
        noun = "image" if len(items) == 1 else "images"
        example = f"{items[0].name}: {items[0].detail}" if len(items) > 1 else items[0].detail
        warnings.append(f"{len(items)} {noun}: {reason} ({names}; {example}): {_ADVICE[reason]}")
    return warnings


def suspicious_rows(findings: Sequence[AuditFinding], most: int) -> list[int]:
    """Rows to look at: of every kind in turn, at most so many, in order of kind."""
    queues: dict[str, list[int]] = {}
    for finding in findings:
        queues.setdefault(finding.reason, []).append(finding.row)
    share = max(1, most // max(1, len(queues)))
    chosen: dict[int, None] = {}
    for rows in queues.values():
        chosen.update(dict.fromkeys(rows[:share]))
    return list(chosen)[:most]
