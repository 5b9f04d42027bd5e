"""The study run in this process on a few drawn images: cells are records, made once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ae_pretrained import provenance
from ae_pretrained.errors import PipelineError
from studies.label_efficiency import cell, cells, prepare, pretrain
from studies.label_efficiency.digests import data_digest, md5_of
from studies.label_efficiency.grid import CELLS, GRID, PARAMS, PRETRAINED, PROCESSED, WEIGHTS, read_grid
from tests.studies.small_study import change, write_small_study

SCRATCH, OURS = CELLS / "scratch-0.5x4-0.json", CELLS / "encoder_decoder-0.5x4-0.json"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the small study has been run."""
    root = tmp_path_factory.mktemp("study")
    write_small_study(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        prepare.main()
        run(patch, cells)
    return root


@pytest.fixture(autouse=True)
def study(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of it, as the folder in which the study runs."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def run(patch: pytest.MonkeyPatch, module: Any, *words: str) -> None:
    patch.setattr("sys.argv", ["study", *words])
    module.main()


@pytest.fixture
def nothing_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a training was started")

    monkeypatch.setattr(cell, "finetune", refuse)
    monkeypatch.setattr(pretrain, "pretrain", refuse)


def read(path: Path) -> dict[str, Any]:
    values = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(values, dict)
    return values


def test_a_record_says_what_made_it() -> None:
    record, autoencoder = read(OURS), read(PRETRAINED / "ours.json")
    assert record["settings"]["train_seg"]["init"] == "autoencoder"
    assert record["settings"]["train_seg"]["epochs"] == 2
    assert record["settings"]["data"]["label_fraction"] == 0.5
    assert record["data"] == data_digest(PROCESSED)
    assert record["autoencoder"] == {"pretext": "ours", "md5": md5_of(WEIGHTS / "ours.safetensors")}
    assert record["autoencoder"]["md5"] == autoencoder["weights_md5"]
    assert record["provenance"]["code"] == provenance.code_digest()
    assert record["provenance"]["seed"] == 0
    assert autoencoder["provenance"]["seed"] == autoencoder["settings"]["seed"] == 42
    assert read(SCRATCH)["autoencoder"] is None
    assert "recovered" not in record


@pytest.mark.usefixtures("nothing_trains")
def test_newer_code_makes_no_record_stale(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (SCRATCH, OURS, PRETRAINED / "ours.json"):
        record = read(path)
        record["provenance"]["code"] = "0123456789abcdef"
        path.write_text(json.dumps(record), encoding="utf-8")
    shutil.rmtree(WEIGHTS)  # no missing cell starts from one
    run(monkeypatch, cells)
    assert "2 of 2 cells have a record, 0 to run" in capsys.readouterr().out


def test_a_cell_is_the_same_whatever_ran_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The records of the fixture were made one after the other in one process, the autoencoder before them."""
    first = OURS.read_bytes()
    OURS.unlink()
    run(monkeypatch, cell, "encoder_decoder", "0.5x4", "0")
    assert OURS.read_bytes() == first
    run(monkeypatch, cell, "encoder_decoder", "0.5x4", "0")  # there: nothing to do


def test_missing_cells_are_listed_and_run_and_the_others_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in CELLS.iterdir()}
    change(GRID, {"seeds": [0, 1], "compared": ["scratch"]})
    run(monkeypatch, cells, "--list")
    assert capsys.readouterr().out == "python -m studies.label_efficiency.cell scratch 0.5x4 1\n"
    run(monkeypatch, cells)
    assert read(CELLS / "scratch-0.5x4-1.json")["provenance"]["seed"] == 1
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.usefixtures("nothing_trains")
@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("train_seg.lr", 0.1, r"scratch-0.5x4-0.json: train_seg.lr was 0.002, now 0.1\n"),
        ("model.norm", "group", r"scratch-0.5x4-0.json: model.norm was 'batch', now 'group'\n"),
        ("train_ae.lr", 0.1, r"pretrained/ours.json: train_ae.lr was 0.002, now 0.1\n"),
    ],
)
def test_other_settings_stop_with_what_differs(
    key: str, value: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(PARAMS, {key: value})
    with pytest.raises(PipelineError, match=rf"{said}(.|\n)*Remove these files to run them anew"):
        run(monkeypatch, cells)


@pytest.mark.usefixtures("nothing_trains")
def test_other_images_stop_new_cells_and_are_said_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_digest(PROCESSED)
    monkeypatch.setattr(cells, "data_digest", lambda _: {**data, "val": "0123456789abcdef"})
    run(monkeypatch, cells)  # records of other images stand as they are
    assert "records are of other images than those in" in capsys.readouterr().err
    change(GRID, {"seeds": [0, 2], "compared": ["scratch"]})
    with pytest.raises(PipelineError, match=r"scratch-0.5x4-0.json: the images of val were others"):
        run(monkeypatch, cells)


@pytest.mark.usefixtures("nothing_trains")
def test_a_parameter_that_a_record_does_not_state_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = read(SCRATCH)
    del record["settings"]["train_seg"]["half_size"]
    SCRATCH.write_text(json.dumps(record), encoding="utf-8")
    run(monkeypatch, cells)
    assert "train_seg.half_size: not compared, 1 records do not state it" in capsys.readouterr().err


def test_weights_and_their_record_belong_together(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = WEIGHTS / "ours.safetensors"
    content = weights.read_bytes()
    OURS.unlink()
    weights.write_bytes(content + b"x")
    with pytest.raises(PipelineError, match=r"not the file that .*ours.json is about"):
        run(monkeypatch, cell, "encoder_decoder", "0.5x4", "0")
    weights.rename(PRETRAINED / weights.name)
    with pytest.raises(PipelineError, match="weights now lie in studies/label_efficiency/weights"):
        run(monkeypatch, cell, "encoder_decoder", "0.5x4", "0")
    (PRETRAINED / weights.name).unlink()
    with pytest.raises(PipelineError, match=r"run `python -m studies.label_efficiency.pretrain ours` first"):
        run(monkeypatch, cell, "encoder_decoder", "0.5x4", "0")
    run(monkeypatch, pretrain)  # what the missing cell starts from
    assert weights.read_bytes() == content


def test_damaged_records_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    SCRATCH.with_suffix(".csv").unlink()
    with pytest.raises(PipelineError, match=r"scratch-0.5x4-0.csv: the curve of .* is missing"):
        run(monkeypatch, cells)
    SCRATCH.write_text("{", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"scratch-0.5x4-0.json: no JSON"):
        run(monkeypatch, cells)
    SCRATCH.write_text("[]", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"scratch-0.5x4-0.json: expected a JSON object"):
        run(monkeypatch, cells)


def test_arms_start_from_the_task_of_their_name_or_from_ours() -> None:
    grid = read_grid()
    found = {
        arm: pretrain.pretexts_of([cell.Cell(arm, 0.5, 4, 0)], grid)
        for arm in ("scratch", "imagenet", "frozen", "masked")
    }
    assert found == {"scratch": [], "imagenet": [], "frozen": ["ours"], "masked": ["masked"]}
