"""The study run in this process on a few drawn images: cells are records, made once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ae_pretrained import provenance
from ae_pretrained.errors import PipelineError
from ae_pretrained.study import autoencoders, cell, cells
from ae_pretrained.study.data_digest import data_digest
from ae_pretrained.study.grid import Cell, autoencoders_of
from ae_pretrained.study.images import prepare_images
from ae_pretrained.study.records import md5_of
from ae_pretrained.training.callbacks import BestWeights
from tests.study.small_study import STUDY, change, fresh_study, write_small_study

CELLS, PRETRAINED, WEIGHTS = STUDY.cells, STUDY.pretrained, STUDY.weights
GRID, PARAMS, PROCESSED = STUDY.grid_file, STUDY.folder / "params.yaml", STUDY.data / "processed"
SCRATCH, OURS = CELLS / "scratch-0.5x4-0.json", CELLS / "encoder_decoder-0.5x4-0.json"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the small study has been run."""
    root = tmp_path_factory.mktemp("study")
    write_small_study(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        prepare_images(fresh_study())
        cells.run_missing(fresh_study())
    return root


@pytest.fixture(autouse=True)
def study(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of it, as the folder in which the study runs."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def run_all() -> None:
    cells.run_missing(fresh_study())


def run_ours() -> None:
    cells.run_one(fresh_study(), "encoder_decoder", "0.5x4", 0)


@pytest.fixture
def nothing_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("a training was started")

    monkeypatch.setattr(cell, "finetune", refuse)
    monkeypatch.setattr(autoencoders, "pretrain", refuse)


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
    run_all()
    assert "2 of 2 cells have a record, 0 to run" in capsys.readouterr().out


def test_a_cell_is_the_same_whatever_ran_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The records of the fixture were made one after the other in one process, the autoencoder before them."""
    first = OURS.read_bytes()
    OURS.unlink()
    run_ours()
    assert OURS.read_bytes() == first
    run_ours()  # there: nothing to do


def test_missing_cells_are_listed_and_run_and_the_others_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in CELLS.iterdir()}
    change(GRID, {"seeds": [0, 1], "compared": ["scratch"]})
    cells.run_missing(fresh_study(), "list")
    assert capsys.readouterr().out == "ae-pretrained study cell studies/label_efficiency scratch 0.5x4 1\n"
    run_all()
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
        run_all()


@pytest.mark.usefixtures("nothing_trains")
def test_other_images_stop_new_cells_and_are_said_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    data = data_digest(PROCESSED)
    monkeypatch.setattr(cells, "data_digest", lambda _: {**data, "val": "0123456789abcdef"})
    run_all()  # records of other images stand as they are
    assert "records are of other images than those in" in capsys.readouterr().err
    change(GRID, {"seeds": [0, 2], "compared": ["scratch"]})
    with pytest.raises(PipelineError, match=r"scratch-0.5x4-0.json: the images of val were others"):
        run_all()


@pytest.mark.usefixtures("nothing_trains")
def test_a_parameter_that_a_record_does_not_state_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record = read(SCRATCH)
    del record["settings"]["train_seg"]["half_size"]
    SCRATCH.write_text(json.dumps(record), encoding="utf-8")
    run_all()
    assert "train_seg.half_size: not compared, 1 records do not state it" in capsys.readouterr().err


def test_weights_and_their_record_belong_together(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = WEIGHTS / "ours.safetensors"
    content = weights.read_bytes()
    OURS.unlink()
    weights.write_bytes(content + b"x")
    with pytest.raises(PipelineError, match=r"not the file that .*ours.json is about"):
        run_ours()
    weights.rename(PRETRAINED / weights.name)
    with pytest.raises(PipelineError, match="weights now lie in studies/label_efficiency/weights"):
        run_ours()
    (PRETRAINED / weights.name).unlink()
    with pytest.raises(PipelineError, match=r"run `ae-pretrained study pretrain \S+ ours` first"):
        run_ours()
    cells.pretrain_for_missing(fresh_study(), [])  # what the missing cell starts from
    assert weights.read_bytes() == content
    assert {path.name for path in PRETRAINED.iterdir()} == {"ours.json", "ours.csv"}, "the same weights"


def test_the_record_of_weights_that_were_made_anew_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """As on another machine, which rounds otherwise."""
    file, curve = PRETRAINED / "ours.json", (PRETRAINED / "ours.csv").read_bytes()
    digest, other = md5_of(WEIGHTS / "ours.safetensors"), "0123456789abcdef0123456789abcdef"
    earlier = read(file) | {"weights_md5": other}
    file.write_text(json.dumps(earlier), encoding="utf-8")
    (PRETRAINED / "ours.csv").write_bytes(curve + b"earlier")
    OURS.unlink()
    shutil.rmtree(WEIGHTS)
    run_all()
    assert read(file)["weights_md5"] == digest == read(OURS)["autoencoder"]["md5"]
    assert (PRETRAINED / "ours.csv").read_bytes() == curve
    assert read(PRETRAINED / "ours.01234567.json") == earlier
    assert (PRETRAINED / "ours.01234567.csv").read_bytes() == curve + b"earlier"
    assert f"ours.01234567.json: the record of the earlier weights (MD5 {other})" in capsys.readouterr().err


def test_damaged_records_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    SCRATCH.with_suffix(".csv").unlink()
    with pytest.raises(PipelineError, match=r"scratch-0.5x4-0.csv: the curve of .* is missing"):
        run_all()
    SCRATCH.write_text("{", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"scratch-0.5x4-0.json: no JSON"):
        run_all()
    SCRATCH.write_text("[]", encoding="utf-8")
    with pytest.raises(PipelineError, match=r"scratch-0.5x4-0.json: expected a JSON object"):
        run_all()


def test_arms_start_from_the_task_of_their_name_or_from_ours() -> None:
    study = fresh_study()
    found = {
        arm: [one.name for one in autoencoders_of([Cell(arm, 0.5, 4, 0)], study)]
        for arm in ("scratch", "imagenet", "frozen", "masked")
    }
    assert found == {"scratch": [], "imagenet": [], "frozen": ["ours"], "masked": ["masked"]}


def test_every_replicate_has_masks_and_an_autoencoder_of_its_own() -> None:
    change(GRID, {"seeds": [0, 1], "own_masks": True, "autoencoders": 2})
    for path in (SCRATCH, OURS):
        path.unlink()
    run_all()
    one, other = (read(CELLS / f"encoder_decoder-0.5x4-{seed}.json") for seed in (0, 1))
    assert [record["autoencoder"]["seed"] for record in (one, other)] == [0, 1]
    assert one["autoencoder"]["md5"] != other["autoencoder"]["md5"]
    assert one["own_masks"]
    assert read(PRETRAINED / "ours-1.json")["settings"]["seed"] == 1
    run_all()  # all there
    change(GRID, {"own_masks": False})
    with pytest.raises(PipelineError, match=r"scratch-0.5x4-0.json: own_masks was True, now False"):
        run_all()
    change(GRID, {"own_masks": True, "autoencoders": 1})
    with pytest.raises(
        PipelineError, match=r"decoder-0.5x4-1.json: the seed of its autoencoder was 1, now 0"
    ):
        run_all()


def test_masks_are_chosen_as_the_arm_says() -> None:
    for path in (SCRATCH, OURS):
        path.unlink()
    change(GRID, {"compared": ["encoder_decoder"], "control_runs": []})
    with GRID.open("a", encoding="utf-8") as file:
        file.write("reference: encoder_decoder\npool: 0.75\nchoices: {encoder_decoder: coverage}\n")
    run_all()
    assert read(OURS)["own_masks"]
    assert read(OURS)["choice"] == {"strategy": "coverage", "pool": 0.75}
    run_all()  # there
    change(GRID, {"pool": 0.5})
    with pytest.raises(
        PipelineError,
        match=r"choice was \{'strategy': 'coverage', 'pool': 0.75\}, now \{'strategy': 'coverage', 'pool': 0.5\}",
    ):
        run_all()


def test_the_last_epoch_counts_and_the_best_on_val_stands_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    change(PARAMS, {"train_seg.keep": "last", "train_seg.patience": 0, "train_seg.lr": 0.05})
    change(GRID, {"compared": ["scratch"], "runs": ["0.5x8"]})
    look = BestWeights.on_validation_end

    def second_is_best(self: BestWeights, trainer: Any, task: Any) -> None:
        """Which epoch is best on val hangs on the rounding of a machine."""
        if self.mode == "last" or trainer.current_epoch == 1:
            look(self, trainer, task)

    monkeypatch.setattr(BestWeights, "on_validation_end", second_is_best)
    run_all()
    record = read(CELLS / "scratch-0.5x8-0.json")
    assert record["best_update"] == 8
    assert record["test_best_on_val"].keys() == record["test"].keys()
    assert record["test_best_on_val"] != record["test"]
    (CELLS / "scratch-0.5x8-0.json").unlink()
    with GRID.open("a", encoding="utf-8") as file:
        file.write("best_on_val: false\n")
    run_all()
    again = read(CELLS / "scratch-0.5x8-0.json")
    assert "test_best_on_val" not in again
    assert again["test"] == record["test"]


def test_a_run_of_another_form_is_refused() -> None:
    with pytest.raises(PipelineError, match=r"run '0.50x4': write it as 0.5x4"):
        cells.run_one(fresh_study(), "scratch", "0.50x4", 0)
    with pytest.raises(PipelineError, match=r"nowhere: no such autoencoder in .*grid.yaml; there are ours"):
        cells.pretrain_for_missing(fresh_study(), ["nowhere"])
