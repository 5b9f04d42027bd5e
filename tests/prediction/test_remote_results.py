"""`predict --out ADDRESS`: the files of a folder, put up; interrupted runs go on; no rights end with a sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import pytest
import requests

from ae_pretrained.apps.cli import main
from ae_pretrained.prediction.destination import RemoteDestination
from ae_pretrained.prediction.journal import JOURNALS
from tests.prediction.small import save_image
from tests.prediction.test_restart import COUNT, Killed, images, model, stop_at, written
from tests.ray_workers import two_workers
from tests.sources.s3_server import s3_server

VERSION = {"Version": "2012-10-17"}
Capture = pytest.CaptureFixture[str]
__all__ = ["images", "model", "written"]  # fixtures


def predict(model: Path, out: object, *words: object) -> int:
    return main(["predict", *map(str, words), "--model", str(model), "--out", str(out), "--batch-size", "2"])


def local(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def remote(system: Any, folder: str) -> dict[str, bytes]:
    """What lies anywhere below, so that a journal that was left there shows."""
    return {name[len(folder) + 1 :]: system.cat_file(name) for name in system.find(folder)}


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Storage in memory, empty; results are put up two images at a time."""
    monkeypatch.setattr(RemoteDestination, "at_once", 2)
    system = fsspec.filesystem("memory")
    yield system
    system.rm("/", recursive=True)


def test_the_files_of_a_folder(
    model: Path, images: Path, tmp_path: Path, memory: Any, capsys: Capture
) -> None:
    """Twice, with an image fewer at the second time, whose results stay known; and with one that is broken."""
    (images / "broken.png").write_bytes(b"no image")
    for _ in range(2):
        for out in (tmp_path / "out", "memory://bucket/out/"):
            assert predict(model, out, images) == 2
        assert remote(memory, "/bucket/out") == local(tmp_path / "out")
        (images / "0.png").unlink(missing_ok=True)
    told = json.loads(memory.cat_file("/bucket/out/predictions.json"))
    assert told["earlier_results"] == ["0_mask.png", "0_overlay.png"]
    assert "5 images in memory:///bucket/out; 1 could not be read" in capsys.readouterr().out


@pytest.mark.parametrize("error", [KeyboardInterrupt, Killed])
def test_what_is_done_is_not_done_twice(
    model: Path,
    images: Path,
    tmp_path: Path,
    memory: Any,
    written: list[str],
    monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:
    assert predict(model, tmp_path / "whole", images) == 0
    written.clear()
    with monkeypatch.context() as patch:
        stop_at(patch, "4.png", error)
        with pytest.raises(error):
            predict(model, "memory://bucket/out", images)
    assert sorted(written) == ["0.png", "1.png", "2.png", "3.png"]
    assert f"{JOURNALS}/001-000000.jsonl" in remote(memory, "/bucket/out")
    assert predict(model, "memory://bucket/out", images) == 0
    assert sorted(written[4:]) == ["4.png", "5.png"]
    assert remote(memory, "/bucket/out") == local(tmp_path / "whole")


def test_an_image_that_ends_the_process_is_named_in_the_end(
    model: Path, images: Path, memory: Any, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    stop_at(monkeypatch, "2.png", Killed)
    for _ in range(3):
        with pytest.raises(Killed):
            predict(model, "memory://bucket/out", images)
    assert predict(model, "memory://bucket/out", images) == 2
    assert "2.png: ended the process that worked on it, 2 times" in capsys.readouterr().err
    assert len(remote(memory, "/bucket/out")) == 2 * (COUNT - 1) + 2


def test_nothing_of_somebody_else_is_replaced(
    model: Path, images: Path, memory: Any, capsys: Capture
) -> None:
    memory.pipe("/bucket/out/3_mask.png", b"mine")
    assert predict(model, "memory://bucket/out", images) == 1
    assert "memory:///bucket/out: results would replace 3_mask.png, which no" in capsys.readouterr().err
    assert remote(memory, "/bucket/out") == {"3_mask.png": b"mine"}
    memory.put(f"{images}/1.png", "/bucket/in/a_mask.png")
    memory.put(f"{images}/2.png", "/bucket/in/a.png")
    assert predict(model, "memory://bucket/in", "memory://bucket/in", "--overwrite") == 1
    assert "in/a_mask.png: the result for memory:///bucket/in/a.png would" in capsys.readouterr().err
    assert set(remote(memory, "/bucket/in")) == {"a.png", "a_mask.png"}


@pytest.mark.parametrize("below", ["", "/results"])
def test_results_beside_or_below_the_images_are_no_images(
    model: Path, images: Path, memory: Any, below: str
) -> None:
    memory.put(f"{images}/", "/bucket/in/", recursive=True)
    for _ in range(2):
        assert predict(model, f"memory://bucket/in{below}", "memory://bucket/in") == 0
        told = json.loads(memory.cat_file(f"/bucket/in{below}/predictions.json"))
        assert len(told["predictions"]) == COUNT
        assert told["passed_over"] == []


def test_files_for_an_annotation_tool_are_refused(
    model: Path, images: Path, memory: Any, capsys: Capture
) -> None:
    assert predict(model, "memory://bucket/out", images, "--format", "coco") == 1
    assert "--format: found coco, with results that go to memory:///bucket/out" in capsys.readouterr().err
    assert memory.find("/") == []


def test_who_may_not_remove_is_told_before_any_work(
    model: Path,
    images: Path,
    memory: Any,
    written: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    with monkeypatch.context() as patch:
        patch.setattr(type(memory), "rm", refuse)
        assert predict(model, "memory://bucket/out", images) == 1
    said = capsys.readouterr().err
    assert "out/.write_check: may not be written, or not be removed (Access Denied); check keys" in said
    assert written == []


@contextmanager
def only_allowed(monkeypatch: pytest.MonkeyPatch, s3: Any, *actions: str) -> Iterator[None]:
    """The keys of the environment are of somebody who may do these things alone, and the server asks."""
    import boto3

    iam = boto3.client("iam", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    name = f"may{len(actions)}"
    iam.create_user(UserName=name)
    policy = {"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]} if actions else {}
    if policy:
        iam.put_user_policy(UserName=name, PolicyName="some", PolicyDocument=json.dumps(policy | VERSION))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    switch = f"{os.environ['AWS_ENDPOINT_URL']}/moto-api/reset-auth"
    requests.post(switch, data=b"0", timeout=10).raise_for_status()
    with monkeypatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        patch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        type(s3).clear_instance_cache()
        yield
    type(s3).clear_instance_cache()
    requests.post(switch, data=b"inf", timeout=10).raise_for_status()


@pytest.mark.long
def test_from_bucket_to_bucket(
    model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """With a restart in between; no bucket and no rights are found out before any work."""
    assert predict(model, tmp_path / "whole", images) == 0
    with s3_server(monkeypatch) as s3:
        s3.mkdir("photos")
        s3.mkdir("results")
        s3.put(f"{images}/", "photos/cats/", recursive=True)
        with monkeypatch.context() as patch:
            patch.setattr(RemoteDestination, "at_once", 2)
            stop_at(patch, "4.png", KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                predict(model, "s3://results/cats", "s3://photos/cats")
        s3.invalidate_cache()
        assert len(s3.ls("results/cats")) == 2 * 4 + 1
        capsys.readouterr()
        assert predict(model, "s3://results/cats", "s3://photos/cats") == 0
        said = capsys.readouterr()
        assert "4 of 6 images were done by an interrupted run" in said.err
        assert "6 images in s3://results/cats" in said.out
        s3.invalidate_cache()
        found = remote(s3, "results/cats")
        whole = local(tmp_path / "whole")
        assert {name: found[name] for name in found if name.endswith(".png")} == {
            name: whole[name] for name in whole if name.endswith(".png")
        }
        assert set(found) == set(whole)
        assert predict(model, "s3://nobody/cats", "s3://photos/cats") == 1
        said = capsys.readouterr()
        assert "cannot be written: there is no s3://nobody; make it, or choose another" in said.err
        with only_allowed(monkeypatch, s3):
            assert predict(model, "s3://results/others", images) == 1
            assert predict(model, tmp_path / "others", "s3://photos/cats") == 1
            said = capsys.readouterr()
            for address in ("s3://results/others", "s3://photos/cats"):
                assert f"{address}: may not be read (" in said.err
            assert said.err.count("check keys and rights, such as AWS_ACCESS_KEY_ID") == 2
        with only_allowed(monkeypatch, s3, "s3:Get*", "s3:List*"):
            assert predict(model, "s3://results/others", images) == 1
            said = capsys.readouterr()
            assert "s3://results/others/.write_check: may not be written, or not be removed (" in said.err
            assert "images in" not in said.out
        s3.invalidate_cache()
        assert not s3.exists("results/others")
    assert not (tmp_path / "others").exists()


@pytest.mark.long
def test_workers_of_a_cluster_put_their_results_up(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """No folder is shared: images come from a bucket, results and journals go to one."""
    for seed in range(12):
        save_image(tmp_path / "in" / f"{seed}.png", seed=seed)
    monkeypatch.setattr("ae_pretrained.prediction.predict_files._SHARD", {"local": 5, "ray": 5})
    with s3_server(monkeypatch) as s3, two_workers():
        s3.mkdir("photos")
        s3.put(f"{tmp_path}/in/", "photos/in/", recursive=True)
        for engine in ("local", "ray"):
            assert predict(model, f"s3://photos/{engine}", "s3://photos/in", "--engine", engine) == 0
        s3.invalidate_cache()
        assert remote(s3, "photos/ray") == remote(s3, "photos/local")
