from __future__ import annotations

import csv
from pathlib import Path

import pytest

from ae_pretrained.params.editing import set_values
from tests.pipeline.conftest import TINY, Workspace

pytestmark = pytest.mark.slow
STUDY = "studies/label_efficiency/dvc.yaml"


@pytest.fixture(scope="module")
def study(tiny: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The study on a few drawn images: four arms, one share of the labels, two seeds."""
    target = tmp_path_factory.mktemp("study") / "clone"
    tiny.git("clone", "--quiet", ".", str(target))
    workspace = Workspace(target)
    folder = target / Path(STUDY).parent
    values = {tuple(key.split(".")): value for key, value in TINY.items()}
    values |= {("data", "source"): "synthetic", ("train_seg", "batch_size"): 4}
    params = folder / "params.yaml"
    params.write_text(set_values(params.read_text(encoding="utf-8"), values), encoding="utf-8")
    smaller = {"runs": ["0.5x4"], "seeds": [0, 1], "validate_every": 2}
    smaller |= {
        "baselines": ["scratch"],
        "transfers": ["encoder_decoder"],
        "control_runs": ["0.5x4"],
        "baseline_controls": [],
        "transfer_controls": ["frozen"],
        "other_pretexts": ["masked"],
        "pretext_names": ["ours", "masked"],
    }
    grid = folder / "grid.yaml"
    keyed = {(key,): value for key, value in smaller.items()}
    grid.write_text(set_values(grid.read_text(encoding="utf-8"), keyed), encoding="utf-8")
    workspace.commit("Tiny study")
    return workspace


def test_the_study_runs_its_cells_and_sums_up(tiny: Workspace, study: Workspace) -> None:
    assert "label_efficiency" not in tiny.dvc("repro", "--dry", "--force").stdout
    one = f"{STUDY}:baseline@scratch-0.5x4-1"
    assert "encoder_decoder" not in study.dvc("repro", one).stdout
    ran = study.dvc("repro", STUDY).stdout
    assert "scratch-0.5x4-1' didn't change" in ran
    folder = study.path / "studies/label_efficiency"
    with (folder / "results/cells.csv").open(encoding="utf-8") as file:
        cells = list(csv.DictReader(file))
    assert [(cell["arm"], cell["seed"]) for cell in cells] == [
        ("scratch", "0"),
        ("scratch", "1"),
        ("encoder_decoder", "0"),
        ("encoder_decoder", "1"),
        ("frozen", "0"),
        ("frozen", "1"),
        ("masked", "0"),
        ("masked", "1"),
    ]
    # In its first epoch encoder_decoder is frozen too, and that may be its best one.
    scores = {cell["test_mean_iou"] for cell in cells if cell["arm"] != "frozen"}
    assert len(scores) == 6
    assert (folder / "results/label_efficiency.png").stat().st_size > 5_000
    again = study.dvc("repro", STUDY).stdout
    assert "Running stage" not in again
    assert "studies/label_efficiency/data" not in study.git("status", "--porcelain")
