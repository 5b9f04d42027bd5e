"""Fixtures that several tests share."""

from __future__ import annotations

import copy
import os

# Tests run side by side, one thread each; before anything imports PyTorch or OpenCV.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

import ae_pretrained  # noqa: F401  # lets tests import torchmetrics beside a CPU build of torch
from ae_pretrained.params import read_params

ROOT = Path(__file__).resolve().parent.parent
COMMITTED_STUDIES = sorted(path.parent.name for path in ROOT.glob("studies/*/grid.yaml"))
# The real images lie beside the repository; another place can be named.
REAL_DATA = Path(os.environ.get("AE_PRETRAINED_REAL_DATA", ROOT.parent / "shared" / "data"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The pipeline takes longest: begun first, it does not end last."""
    items.sort(key=lambda item: "pipeline" not in item.path.parts)


@lru_cache
def _committed_once() -> dict[str, Any]:
    return read_params(ROOT / "params.yaml")


def committed_values() -> dict[str, Any]:
    """The plain values of the committed params.yaml, the caller's own; the file is read once a process."""
    return copy.deepcopy(_committed_once())


def _real(name: str) -> Path:
    folder = REAL_DATA / name
    if not (folder / "annotations" / "list.txt").is_file():
        pytest.skip(
            f"no real images at {folder}; set AE_PRETRAINED_REAL_DATA to the folder that holds {name}"
        )
    return folder


@pytest.fixture(scope="session")
def oxford_128() -> Path:
    """All official pairs of Oxford-IIIT Pet at 128 px, in the official layout."""
    return _real("oxford-iiit-pet-128")


@pytest.fixture(scope="session")
def oxford_sample() -> Path:
    """50 pairs of Oxford-IIIT Pet at their original size, with the archive's own oddities."""
    return _real("oxford-iiit-pet-sample")
