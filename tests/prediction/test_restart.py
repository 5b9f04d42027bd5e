"""An interrupted prediction goes on where it was, and no image stops the others for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ae_pretrained.apps.cli import main
from ae_pretrained.prediction import predict_resized, streaming
from ae_pretrained.prediction.journal import JOURNALS
from tests.prediction.small import save_image, save_small

Capture = pytest.CaptureFixture[str]
COUNT = 6


class Killed(BaseException):
    """Stands for the end of the process: nothing catches it."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_small(tmp_path / "model" / "segmenter.safetensors")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for seed in range(COUNT):
        save_image(tmp_path / "in" / f"{seed}.png", 20 + seed, seed=seed)
    return tmp_path / "in"


def predict(model: Path, out: Path, images: Path, *more: str) -> int:
    return main(
        ["predict", str(images), "--model", str(model), "--out", str(out), "--batch-size", "2", *more]
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images whose results are written, in order."""
    genuine, names = predict_resized.write_results, []

    def watched(image, *words, **more):  # type: ignore[no-untyped-def]
        names.append(image.path.name)
        return genuine(image, *words, **more)

    monkeypatch.setattr(predict_resized, "write_results", watched)
    return names


def stop_at(monkeypatch: pytest.MonkeyPatch, name: str, error: type[BaseException]) -> Callable[[], None]:
    """Have an image end the run while it is decoded; returns what mends it."""
    genuine = streaming.read_first_page

    def read(path: Path, *words, **more):  # type: ignore[no-untyped-def]
        if path.name == name:
            raise error
        return genuine(path, *words, **more)

    monkeypatch.setattr(streaming, "read_first_page", read)
    return lambda: monkeypatch.setattr(streaming, "read_first_page", genuine)


@pytest.mark.parametrize("error", [KeyboardInterrupt, Killed])
def test_what_is_done_is_not_done_twice(
    model: Path,
    images: Path,
    tmp_path: Path,
    written: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    error: type[BaseException],
) -> None:
    assert predict(model, tmp_path / "whole", images) == 0
    written.clear()
    mend = stop_at(monkeypatch, "4.png", error)
    with pytest.raises(error):
        predict(model, tmp_path / "out", images)
    done = list(written)
    assert sorted(done) == ["0.png", "1.png", "2.png", "3.png"]
    with (tmp_path / "out" / JOURNALS / "001-000000.jsonl").open("a") as journal:
        journal.write('{"image": "torn')
    mend()
    assert predict(model, tmp_path / "out", images) == 0
    assert sorted(written[len(done) :]) == ["4.png", "5.png"]
    assert "4 of 6 images were done by an interrupted run" in capsys.readouterr().err
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_what_changed_in_between_is_done_again(
    model: Path,
    images: Path,
    tmp_path: Path,
    written: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    """A changed image, one that came, another option, another model."""

    def interrupted(out: Path) -> None:
        with monkeypatch.context() as patch:
            stop_at(patch, "4.png", KeyboardInterrupt)
            with pytest.raises(KeyboardInterrupt):
                predict(model, out, images)
        written.clear()

    interrupted(tmp_path / "changed")
    save_image(images / "1.png", 50, seed=9)
    save_image(images / "00.png")
    assert predict(model, tmp_path / "changed", images) == 0
    assert sorted(written) == ["00.png", "1.png", "4.png", "5.png"]
    interrupted(tmp_path / "option")
    assert predict(model, tmp_path / "option", images, "--no-flip") == 0
    assert len(written) == COUNT + 1
    assert "begun anew" in capsys.readouterr().err
    interrupted(tmp_path / "model2")
    other = save_small(tmp_path / "other.safetensors", norm="instance")
    assert predict(other, tmp_path / "model2", images) == 0
    assert len(written) == COUNT + 1
    told = json.loads((tmp_path / "model2" / "predictions.json").read_text())
    assert len(told["predictions"]) == COUNT + 1


def test_an_image_that_ends_the_process_is_named_in_the_end(
    model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Found among others, then twice on its own; after that the others are done."""
    stop_at(monkeypatch, "2.png", Killed)
    for _ in range(3):
        with pytest.raises(Killed):
            predict(model, tmp_path / "out", images)
    assert predict(model, tmp_path / "out", images) == 2
    told = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [Path(entry["file"]).name for entry in told["predictions"]] == [
        f"{n}.png" for n in range(COUNT) if n != 2
    ]
    assert [Path(entry["file"]).name for entry in told["unreadable"]] == ["2.png"]
    assert "ended the process that worked on it, 2 times" in capsys.readouterr().err
    assert not (tmp_path / "out" / JOURNALS).exists()


def test_ctrl_c_is_no_image_s_fault(
    model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend = stop_at(monkeypatch, "2.png", KeyboardInterrupt)
    for _ in range(4):
        with pytest.raises(KeyboardInterrupt):
            predict(model, tmp_path / "out", images)
    mend()
    assert predict(model, tmp_path / "out", images) == 0


def test_a_decoder_that_fails_in_a_new_way_is_said_of_its_image(
    model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """Once it is a fault of ours, with its traceback; the next run goes on beyond it."""
    stop_at(monkeypatch, "2.png", MemoryError)
    with pytest.raises(MemoryError):
        predict(model, tmp_path / "out", images)
    assert predict(model, tmp_path / "out", images) == 2
    said = capsys.readouterr().err
    assert "2.png: MemoryError" in said


def test_files_of_somebody_else_are_still_safe(
    model: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, "4.png", KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            predict(model, tmp_path / "out", images)
    (tmp_path / "out" / "new_mask.png").write_text("mine")
    save_image(images / "new.png")
    assert predict(model, tmp_path / "out", images) == 1
    assert "results would replace new_mask.png" in capsys.readouterr().err
    assert (tmp_path / "out" / "new_mask.png").read_text() == "mine"
    (tmp_path / "out" / "new_mask.png").unlink()
    assert predict(model, tmp_path / "out", images) == 0
