from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ae_pretrained.sources.base import Finding, SplitHint


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    image: Path
    mask: Path | None
    split: SplitHint
    class_name: str = ""
    breed: str = ""
    group: str = ""


@dataclass(frozen=True)
class Listing:
    samples: list[Sample]
    findings: list[Finding]
