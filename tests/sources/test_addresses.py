from __future__ import annotations

from pathlib import Path

import pytest

from ae_pretrained.apps.cli import main
from ae_pretrained.names import is_address
from ae_pretrained.sources.addresses import copy_from, files_at
from ae_pretrained.sources.base import DataError
from tests.prediction.small import save_image, save_small
from tests.sources.s3_server import s3_server


def test_what_is_an_address() -> None:
    assert [
        text for text in ("s3://b/a", "file:///a", "/a/b", "a://b", "C:\\a", "a.png") if is_address(text)
    ] == [
        "s3://b/a",
        "file:///a",
    ]


def test_files_below_an_address(tmp_path: Path) -> None:
    for name in ("b/2.txt", "a.txt", ".hidden/c.txt", "b/.d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    files = files_at(f"file://{tmp_path}")
    assert [file.address for file in files] == [f"file://{tmp_path}/a.txt", f"file://{tmp_path}/b/2.txt"]
    assert [file.size for file in files] == [5, 7]
    assert files_at(files[0].address)[0] == files[0], "an address of one file"
    copy_from(files[1].address, tmp_path / "copy" / "x.txt")
    assert (tmp_path / "copy" / "x.txt").read_text() == "b/2.txt"
    with pytest.raises(DataError, match="nothing is there"):
        copy_from(f"file://{tmp_path}/gone.txt", tmp_path / "copy" / "y.txt")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["x.txt"], "nothing half-written"


@pytest.mark.long
def test_s3_round_trip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Images put into a bucket are predicted from there; no bucket and no rights end with a sentence."""
    model = save_small(tmp_path / "segmenter.safetensors")
    for seed in range(3):
        save_image(tmp_path / "in" / f"{seed}.png", seed=seed)
    with s3_server(monkeypatch) as s3:
        s3.mkdir("photos")
        s3.put(f"{tmp_path}/in/", "photos/cats/", recursive=True)
        for out, source in (("local", str(tmp_path / "in")), ("s3", "s3://photos/cats")):
            assert main(["predict", source, "--model", str(model), "--out", str(tmp_path / out)]) == 0
        for path in (tmp_path / "local").glob("*.png"):
            assert path.read_bytes() == (tmp_path / "s3" / path.name).read_bytes()
        assert "s3://photos/cats/0.png" in (tmp_path / "s3" / "predictions.csv").read_text()
        capsys.readouterr()
        words = ["predict", "s3://nobody/cats", "--model", str(model), "--out", str(tmp_path / "none")]
        assert main(words) == 1
        assert "s3://nobody/cats: nothing is there" in capsys.readouterr().err

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError("Access Denied")

        monkeypatch.setattr(type(s3), "find", refuse)
        assert main([*words[:1], "s3://photos/cats", *words[2:]]) == 1
        said = capsys.readouterr().err
        assert "s3://photos/cats: may not be read (Access Denied); check keys and rights" in said
    assert not (tmp_path / "none").exists()
