from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from ae_pretrained.params import read_params
from ae_pretrained.params.editing import flatten
from tests.conftest import ROOT
from tools.params_reference import TARGET, describe, page


def test_the_reference_is_in_step() -> None:
    assert TARGET.read_text(encoding="utf-8") == page(), "run `make reference`"


def test_every_parameter_is_in_it_with_its_meaning() -> None:
    rows = {row.split("|")[1].strip(" `"): row for row in page().splitlines() if row.startswith("| `")}
    assert set(rows) == {".".join(key) for key in flatten(read_params(ROOT / "params.yaml"))}
    for key, row in rows.items():
        assert row.split("|")[2].strip(), f"{key} has no description in the schema"
    assert "number > 0.0" in rows["train_seg.lr"]
    assert "oxford: `0.99`" in rows["train_seg.ema_decay"]


@pytest.mark.parametrize(
    ("annotation", "said"),
    [
        (Annotated[int, Field(ge=1, le=16)], "whole number ≥ 1, ≤ 16"),
        (list[Annotated[float, Field(gt=0.0)]], "list, each: number > 0.0"),
        (bool, "true or false"),
    ],
)
def test_ranges(annotation: object, said: str) -> None:
    assert describe(annotation) == said
