"""Every kept run under results/ says what made it, or that it is unknown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from ae_pretrained.params.editing import flatten
from tests.conftest import ROOT
from tests.studies.test_committed_records import MADE_BY

RESULTS = ROOT / "results"
RUNS = sorted({path.parent for path in RESULTS.glob("*/*.json")})
COMMIT = re.compile(r"[0-9a-f]{40}")
OVERRIDE = re.compile(r"-S '?([\w.]+)=([^' ]+)'?")


def test_there_are_runs() -> None:
    assert len(RUNS) >= 15


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_run_has_a_record(run: Path) -> None:
    record = json.loads((run / "record.json").read_text(encoding="utf-8"))
    made_by = record["provenance"]
    assert made_by.keys() >= MADE_BY
    assert made_by["commit"] is None or COMMIT.fullmatch(made_by["commit"])
    assert (made_by["commit"] is None) == (made_by["code"] is None)
    assert COMMIT.fullmatch(record["first_committed"])
    assert set(record["recovered"]) < record.keys()
    settings = YAML(typ="safe", pure=True).load(run / record["settings"])
    assert settings["seed"] == made_by["seed"]
    # The command makes the settings that lie beside it; keys that are newer than the run are not in them.
    values = flatten(settings)
    for key, text in OVERRIDE.findall(record["commands"][-1]):
        path = tuple(key.split("."))
        if key != "data.root" and path in values:
            assert YAML(typ="safe", pure=True).load(text) == values[path], key
    page = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert f"[`{run.name}/`]({run.name})" in page
    assert made_by["commit"] is None or made_by["commit"][:7] in page
