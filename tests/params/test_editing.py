from __future__ import annotations

from ae_pretrained.params.editing import changed_keys, set_values
from tests.conftest import ROOT

TEXT = """\
# what this is
seed: 42                      # the seed

model:
  features: [16, 32]   # channels
  name: "quoted"
"""

EXPECTED = """\
# what this is
seed: 7                       # the seed

model:
  features: [1, 2, 3]  # channels
  name: "quoted"
"""


def test_values_change_and_comments_stay() -> None:
    text = set_values(TEXT, {("seed",): 7, ("model", "features"): [1, 2, 3]})
    assert text == EXPECTED


def test_setting_the_committed_file_to_itself_changes_no_byte() -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    assert set_values(text, {("seed",): 42}) == text


def test_changed_keys() -> None:
    before, after = {"a": {"b": 1, "c": [1]}, "d": 0}, {"a": {"b": 2, "c": [1]}, "e": 3}
    assert changed_keys(before, after) == {("a", "b"): (1, 2), ("e",): (None, 3), ("d",): (0, None)}
    assert changed_keys(before, {"a": 5, "d": 0}) == {("a",): ({"b": 1, "c": [1]}, 5)}
