"""``runtime.logger``: the rows of the CSV go to it, and nothing else changes."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from lightning.pytorch.loggers import Logger

from ae_pretrained.errors import PipelineError
from ae_pretrained.params.logger_packages import LOGGERS
from ae_pretrained.training.epoch_times import EpochTimes, in_words
from ae_pretrained.training.loggers import make_logger
from tests.processed import tiny_params
from tests.training.conftest import run_finetune


class Notebook(Logger):
    """Remembers what it is told."""

    name = version = "notebook"

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int | None, dict[str, float]]] = []
        self.ends: list[str] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.rows.append((step, dict(metrics)))

    def log_hyperparams(self, params: Any, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    def finalize(self, status: str) -> None:
        self.ends.append(status)


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    it = Notebook()
    monkeypatch.setattr("ae_pretrained.training.fit.make_logger", lambda *_: it)
    return it


def test_it_gets_the_rows_of_the_csv_and_changes_no_byte(
    processed: Path, tmp_path: Path, notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = run_finetune(processed, tmp_path / "watched", tiny_params(train_seg__epochs=2))
    assert [step for step, _ in notebook.rows] == [1, 2]
    assert notebook.ends == ["success"]
    with (tmp_path / "watched/train_seg.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for (_, logged), row in zip(notebook.rows, rows, strict=True):
        assert {key: float(value) for key, value in row.items() if key != "epoch"} == pytest.approx(
            logged, 1e-4
        )
    monkeypatch.undo()
    plain = run_finetune(processed, tmp_path / "plain", tiny_params(train_seg__epochs=2))
    for name in (plain.name, "train_seg.csv", "train_seg.json"):
        assert (watched.parent / name).read_bytes() == (plain.parent / name).read_bytes(), name


def test_a_run_that_goes_on_is_told_from_its_first_epoch(
    processed: Path, tmp_path: Path, notebook: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        if len(notebook.rows) == 2:
            monkeypatch.setattr(Notebook, "save", lambda _: None)
            raise RuntimeError("power cut")

    monkeypatch.setattr(Notebook, "save", stop)
    params = tiny_params(train_seg__epochs=4)
    with pytest.raises(RuntimeError, match="power cut"):
        run_finetune(processed, tmp_path, params)
    assert notebook.ends == ["failed"]
    notebook.rows.clear()
    run_finetune(processed, tmp_path, params)
    assert [step for step, _ in notebook.rows] == [1, 2, 3, 4]


@pytest.mark.parametrize("name", LOGGERS[1:])
def test_a_logger_writes_to_its_folder_alone(
    name: Any, processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    run_finetune(processed, tmp_path / "out", tiny_params(train_seg__epochs=2, runtime__logger=name))
    assert {path.name for path in tmp_path.iterdir()} == {"out", "logs"}
    assert {path.name for path in (tmp_path / "logs").iterdir()} == {name}
    assert any(path.is_file() for path in (tmp_path / "logs").rglob("*"))


def test_none_is_none_and_a_missing_package_is_named(
    processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make_logger("none", tmp_path, "train_seg") is None
    monkeypatch.setattr("ae_pretrained.params.logger_packages.find_spec", lambda _: None)
    with pytest.raises(PipelineError, match=r"runtime\.logger: found 'mlflow', .* `pip install mlflow`"):
        run_finetune(processed, tmp_path, tiny_params(runtime__logger="mlflow"))
    assert list(tmp_path.rglob("*.csv")) == []


def test_time_left_counts_epochs_at_half_the_size_for_what_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("ae_pretrained.training.epoch_times.time.monotonic", lambda: clock[0])
    times = EpochTimes(half_size_epochs=2)
    for epoch, seconds in enumerate((10.0, 10.0, 50.0)):
        times.begin()
        clock[0] += seconds
        times.trained(epoch)
        clock[0] += 3.0  # validation
        times.validated()
        expected = {0: 1 * 10 + 3 * 40 + 4 * 3, 1: 3 * 40 + 3 * 3, 2: 2 * 50 + 2 * 3}[epoch]
        assert times.left(epoch + 1, 5) == pytest.approx(expected)


def test_time_left_for_people() -> None:
    assert [in_words(seconds) for seconds in (0.4, 89, 90, 3570, 11100)] == [
        "0 s",
        "89 s",
        "2 min",
        "1 h 0 min",
        "3 h 5 min",
    ]
