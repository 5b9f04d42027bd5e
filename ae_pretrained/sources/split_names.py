"""What people call the splits, in the names of folders and lists."""

from __future__ import annotations

from ae_pretrained.sources.base import SplitHint

SPLIT_OF_WORD: dict[str, SplitHint] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
