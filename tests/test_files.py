from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ae_pretrained.files import write_metrics, write_table


def test_numpy_numbers_become_json(tmp_path: Path) -> None:
    values = {"a": np.float64(0.5), "b": {"c": np.int64(3), "d": (np.float32(0.25), 1)}, "e": True, "f": []}
    write_metrics(tmp_path / "m.json", values)
    assert json.loads((tmp_path / "m.json").read_text()) == {
        "a": 0.5,
        "b": {"c": 3, "d": [0.25, 1]},
        "e": True,
        "f": [],
    }


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), np.float32("nan")])
def test_no_figure_is_refused_by_name(tmp_path: Path, bad: float) -> None:
    with pytest.raises(ValueError, match=r"cat\.iou: found (nan|inf)"):
        write_metrics(tmp_path / "m.json", {"cat": {"iou": bad}})
    assert not (tmp_path / "m.json").exists()


def test_table_leaves_cells_without_a_figure_empty(tmp_path: Path) -> None:
    write_table(tmp_path / "t.csv", ("a", "b"), [("x", 1 / 3), ("y", float("nan"))])
    assert (tmp_path / "t.csv").read_text() == "a,b\nx,0.333333\ny,\n"


def test_table_keeps_what_is_no_float(tmp_path: Path) -> None:
    """Names that are no text are written so that every program can read the file."""
    name = b"caf\xe9.png".decode("utf-8", errors="surrogateescape")
    write_table(tmp_path / "t.csv", ("a", "b", "c"), [(name, 1_000_000, "0.250000"), ("a,b", True, None)])
    assert (tmp_path / "t.csv").read_bytes() == b'a,b,c\ncaf\\xe9.png,1000000,0.250000\n"a,b",True,\n'
