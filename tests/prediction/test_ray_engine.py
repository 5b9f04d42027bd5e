"""`predict --engine ray` on a local cluster of two workers: the files of the plain command, also after a kill -9."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ae_pretrained.apps.cli import main
from ae_pretrained.errors import PipelineError
from ae_pretrained.prediction import predict_files, ray_engine
from ae_pretrained.prediction.journal import JOURNALS
from ae_pretrained.ray_cluster import lacks_package, ray_cluster
from tests.prediction.small import save_image, save_small
from tests.ray_workers import one_worker_killed, two_workers

Capture = pytest.CaptureFixture[str]


def predict(model: Path, out: Path, *words: object) -> int:
    return main(["predict", *map(str, words), "--model", str(model), "--out", str(out)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with two_workers() as ray:
        yield ray


@pytest.mark.long
def test_the_same_files_as_of_the_plain_command(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, oxford_sample: Path, capsys: Capture
) -> None:
    """Over relative paths of real photographs, with a poisoned file, in several shards."""
    monkeypatch.setitem(predict_files._SHARD, "ray", 8)
    model = save_small(tmp_path / "segmenter.safetensors")
    (tmp_path / "photos").symlink_to(oxford_sample / "images")
    (tmp_path / "poison.jpg").write_bytes((oxford_sample / "images" / "Bengal_10.jpg").read_bytes()[:2000])
    listing = tmp_path / "list.txt"
    names = sorted(path.name for path in (oxford_sample / "images").glob("*.jpg"))[:24]
    listing.write_text("".join(f"photos/{name}\n" for name in names) + "poison.jpg\n")
    monkeypatch.chdir(tmp_path)
    for engine in ("local", "ray"):
        assert predict(model, Path(engine), "--listing", "list.txt", "--engine", engine) == 2
        said = capsys.readouterr()
        assert "24 images in" in said.out
        assert "ERROR: poison.jpg: " in said.err
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    told = json.loads((tmp_path / "ray" / "predictions.json").read_text())
    assert told["unreadable"][0]["file"] == "poison.jpg"


@pytest.mark.long
def test_a_killed_worker_loses_nothing(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setitem(predict_files._SHARD, "ray", 60)
    model = save_small(tmp_path / "segmenter.safetensors", resize="crop", size=64)
    for seed in range(120):
        save_image(tmp_path / "in" / f"{seed:03}.png", 300, 400, seed)
    assert predict(model, tmp_path / "local", tmp_path / "in") == 0
    journals = tmp_path / "ray" / JOURNALS

    def under_way() -> bool:
        return any(text.read_text().count('"row"') > 5 for text in journals.glob("*.jsonl"))

    with one_worker_killed("ray::MapWorker", under_way) as killed:
        assert predict(model, tmp_path / "ray", tmp_path / "in", "--engine", "ray") == 0
    assert killed, "a worker was killed while it was at work"
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


@pytest.mark.long
def test_results_that_cannot_be_written_end_with_a_sentence(
    cluster: Any, tmp_path: Path, capsys: Capture
) -> None:
    model = save_small(tmp_path / "segmenter.safetensors")
    image = save_image(tmp_path / "a.png")
    (tmp_path / "out" / "a_mask.png").mkdir(parents=True)
    assert predict(model, tmp_path / "out", image, "--engine", "ray", "--overwrite") == 1
    said = capsys.readouterr().err
    assert "a_mask.png" in said
    assert "cannot be written (Is a directory)" in said


def test_without_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    model, image = save_small(tmp_path / "segmenter.safetensors"), save_image(tmp_path / "a.png")
    assert predict(model, tmp_path / "out", image, "--engine", "ray") == 1
    assert "Ray is not installed; run pip install 'ae-pretrained[ray]'" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "out").glob("*")] == []


def test_no_cluster_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setattr(ray, "is_initialized", lambda: False)  # the other tests' cluster may still be there
    with (
        pytest.raises(PipelineError, match=r"no Ray cluster answers at 127\.0\.0\.1:1 \(no connection\)"),
        ray_cluster("127.0.0.1:1"),
    ):
        pass
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(PipelineError, match=r"RAY_ADDRESS: no Ray cluster answers at"), ray_cluster():
        pass


@pytest.mark.long
def test_a_worker_without_the_package(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The worker's class is in a module that this process has and a worker of the cluster has not."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "ae_pretrained_newer.py").write_text("class ShardWorker:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path / "modules")
    newer = importlib.import_module("ae_pretrained_newer")
    monkeypatch.setattr(ray_engine, "ShardWorker", newer.ShardWorker)
    model, image = save_small(tmp_path / "segmenter.safetensors"), save_image(tmp_path / "a.png")
    assert predict(model, tmp_path / "out", image, "--engine", "ray") == 1
    assert "a worker of the cluster lacks this version of ae-pretrained; install" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


def test_a_worker_without_the_package_is_recognised() -> None:
    assert lacks_package(RuntimeError("ModuleNotFoundError: No module named 'ae_pretrained.prediction'"))
    assert not lacks_package(RuntimeError("No module named 'numpy'"))
