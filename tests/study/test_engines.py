"""Cells on a local Ray cluster of two workers: the records of this process, to the byte, also after a kill -9."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ae_pretrained.errors import PipelineError
from ae_pretrained.study import cells, engines
from ae_pretrained.study.images import prepare_images
from tests.processed import tiny_params
from tests.ray_workers import one_worker_killed, two_workers
from tests.study.small_study import STUDY, change, fresh_study, write_small_study

NODES = [{"CPU": 2.0}, {"CPU": 4.0, "GPU": 1.0}]


def run(engine: engines.Engine = "local") -> None:
    cells.run_missing(fresh_study(), engine)


def records(root: Path) -> dict[str, bytes]:
    files = [*(root / STUDY.cells).iterdir(), *(root / STUDY.pretrained).iterdir()]
    return {path.name: path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which four cells have been run by the local engine."""
    root = tmp_path_factory.mktemp("study")
    write_small_study(root)
    change(root / STUDY.grid_file, {"seeds": [0, 1], "runs": ["0.5x16"]})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        prepare_images(fresh_study())
        run()
    return root


@pytest.fixture
def empty(local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same study without records and weights, as the current folder."""
    for name in ("params.yaml", "grid.yaml", "data"):
        source, target = (
            local / "studies/label_efficiency" / name,
            tmp_path / "studies/label_efficiency" / name,
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with two_workers() as ray:
        yield ray


@pytest.mark.long
def test_records_are_those_of_the_local_engine(
    cluster: Any,
    local: Path,
    empty: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("ray")
    assert len(re.findall(r"cell \d of 4: \S+ done", capsys.readouterr().out)) == 4
    assert records(empty) == records(local)
    assert len(list((empty / STUDY.cells).glob("*.json"))) == 4


@pytest.mark.long
def test_a_killed_worker_loses_nothing(
    cluster: Any, local: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def under_way() -> bool:
        return any((empty / STUDY.checkpoints).glob("scratch*/*/last.ckpt"))

    with one_worker_killed("ray::train_cell", under_way) as killed:
        run("ray")
    assert killed, "a worker was killed in the middle of a cell"
    assert records(empty) == records(local)


@pytest.mark.long
def test_a_cell_that_fails_stops_no_other(
    cluster: Any, local: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(empty / STUDY.grid_file, {"arms.scratch": {"train_seg": {"batch_size": 500}}})
    with pytest.raises(
        PipelineError, match=r"2 of 4 cells failed(.|\n)*scratch-0\.5x16-1: batch_size: 500 is more"
    ):
        run("ray")
    there = records(empty)
    assert {name for name in there if name.startswith("encoder_decoder")} == {
        f"encoder_decoder-0.5x16-{seed}.{ending}" for seed in (0, 1) for ending in ("json", "csv")
    }


@pytest.mark.long
def test_listed_commands(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run("list")
    assert capsys.readouterr().out.splitlines() == [
        f"ae-pretrained study cell studies/label_efficiency {arm} 0.5x16 {seed}"
        for arm in ("scratch", "encoder_decoder")
        for seed in (0, 1)
    ]


@pytest.mark.parametrize(
    ("changes", "cpus", "gpus"),
    [
        ({"runtime__accelerator": "cpu", "runtime__threads": 3}, 3, 0),
        ({"runtime__accelerator": "auto"}, 1, 1),
        ({"runtime__accelerator": "gpu"}, 1, 1),
    ],
)
def test_what_a_cell_asks_for(changes: dict[str, object], cpus: int, gpus: int) -> None:
    asked = engines._resources(tiny_params(**changes).runtime, NODES)
    assert (asked["num_cpus"], asked["num_gpus"]) == (cpus, gpus)
    if not gpus:
        assert (
            engines._resources(tiny_params(runtime__accelerator="auto").runtime, NODES[:1])["num_gpus"] == 0
        )


def test_more_than_there_is() -> None:
    many = tiny_params(runtime__accelerator="cpu", runtime__threads=5).runtime
    with pytest.raises(PipelineError, match="asks for 5 CPUs and 0 GPUs, which no node"):
        engines._resources(many, NODES)
    with pytest.raises(PipelineError, match="every cell is trained on one device"):
        engines._resources(tiny_params(runtime__devices=2).runtime, NODES)


def test_without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(PipelineError, match=r"Ray is not installed; run pip install 'ae-pretrained\[ray\]'"):
        engines.run_on_ray([], STUDY, {})
