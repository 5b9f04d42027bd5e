from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import fsspec
import pytest

from ae_pretrained.apps.cli import main
from ae_pretrained.prediction.listing import find_all, read_listing
from ae_pretrained.sources.base import DataError
from tests.prediction.small import save_image, save_small

Capture = pytest.CaptureFixture[str]


def test_a_listing_names_files_and_addresses(tmp_path: Path) -> None:
    a, b = save_image(tmp_path / "in" / "a.png"), save_image(tmp_path / "in" / "b.png")
    listing = tmp_path / "list.txt"
    listing.write_bytes(f"in/a.png\r\n\n{b}\nin/../in/a.png\ns3://bucket/c.png\n".encode())
    assert read_listing(listing)[-1] == "s3://bucket/c.png"
    assert find_all([], listing) == ([str(a), str(b), "s3://bucket/c.png"], [])
    assert find_all([str(b)], listing)[0] == [str(b), str(a), "s3://bucket/c.png"], "each once"


def test_bad_listings(tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    with pytest.raises(DataError, match=r"list\.txt: this listing cannot be read"):
        read_listing(listing)
    listing.write_text("\n\n")
    with pytest.raises(DataError, match="names no file; expected the path or address"):
        read_listing(listing)
    save_image(tmp_path / "a.png")
    listing.write_text("a.png\n" + "".join(f"gone{n}.png\n" for n in range(9)))
    with pytest.raises(
        DataError, match=r"9 of 10 files are not there \(line 2: gone0\.png, .* and 4 more\); rel"
    ):
        read_listing(listing)


def test_images_at_an_address(tmp_path: Path, capsys: Capture) -> None:
    """The same masks as from a folder; files that are no images are counted, broken ones named."""
    for seed in range(3):
        save_image(tmp_path / "in" / f"sub{seed}" / "cat.png", seed=seed)
    (tmp_path / "in" / "broken.png").write_bytes(b"no image")
    (tmp_path / "in" / "notes.txt").write_text("no image")
    memory = fsspec.filesystem("memory")
    memory.put(f"{tmp_path}/in/", "/photos/", recursive=True)
    memory.pipe("/photos/.hidden/cat.png", b"no image")
    model = save_small(tmp_path / "segmenter.safetensors")
    try:
        for out, source in (("local", str(tmp_path / "in")), ("remote", "memory://photos")):
            words = ["predict", source, "--model", str(model), "--out", str(tmp_path / out)]
            assert main(words) == 2
            said = capsys.readouterr()
            assert "3 images in" in said.out
            assert "passed over 1 file, no image by name or content: notes.txt" in said.out
    finally:
        memory.rm("/photos", recursive=True)
    local, remote = (
        json.loads((tmp_path / out / "predictions.json").read_text()) for out in ("local", "remote")
    )
    assert [entry["file"] for entry in remote["predictions"]] == [
        f"memory:///photos/sub{seed}/cat.png" for seed in range(3)
    ]
    assert "memory:///photos/broken.png: not a readable image" in remote["unreadable"][0]["error"]
    for one, other in zip(local["predictions"], remote["predictions"], strict=True):
        assert {**one, "file": ""} == {**other, "file": ""}
        assert (tmp_path / "local" / one["mask"]).read_bytes() == (
            tmp_path / "remote" / other["mask"]
        ).read_bytes()


def test_bad_sources(tmp_path: Path, capsys: Capture) -> None:
    model = save_small(tmp_path / "segmenter.safetensors")
    empty = tmp_path / "list.txt"
    empty.touch()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").touch()
    for words, message in (
        ([], "no images; name files, folders or addresses, or a --listing"),
        (["--listing", str(empty)], "names no file"),
        (["file:///nowhere/at/all"], "file:///nowhere/at/all: nothing is there"),
        ([f"file://{tmp_path}/texts"], "1 files, and none is called an image"),
        (["nothing://bucket/a.png"], "nothing://bucket/a.png: "),
        (["a.png", "--out", "nothing://bucket/out"], "nothing://bucket/out: "),
    ):
        assert main(["predict", *words, "--model", str(model)]) == 1
        assert message in capsys.readouterr().err
    assert not os.path.lexists("predictions")


def test_a_kind_of_storage_without_its_package(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(
        DataError, match=r"gs:// is not installed; run pip install 'ae-pretrained\[gcs\]', on the workers of"
    ):
        find_all(["gs://bucket/folder"])
    assert main(["predict", "a.png", "--out", "gs://bucket/results"]) == 1
    assert "gs://bucket/results: the package of fsspec that knows gs://" in capsys.readouterr().err
