"""The data set at an address: copied by the stage fetch, going on where an interrupted copy was."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.sources import mirror as mirror_module
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.fetch import fetch
from ae_pretrained.sources.mirror import mirror
from tests.prediction.small import save_image
from tests.processed import tiny_params
from tests.sources.s3_server import s3_server


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def write_pairs(root: Path, count: int) -> Path:
    for seed in range(count):
        save_image(root / "images" / f"{seed}.png", 40, 40, seed)
        mask = np.zeros((40, 40, 3), np.uint8)
        mask[seed : seed + 20] = 1
        from PIL import Image

        (root / "masks").mkdir(exist_ok=True)
        Image.fromarray(mask[..., 0]).save(root / "masks" / f"{seed}.png")
    return root


def test_an_interrupted_copy_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "source"
    for name in ("a", "b/c", "b/d", "e"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name * 3)
    genuine, copied = mirror_module.copy_from, []

    def limited(address: str, target: Path) -> None:
        if len(copied) == 2:
            raise DataError("the network is gone")
        copied.append(address)
        genuine(address, target)

    monkeypatch.setattr(mirror_module, "_CONNECTIONS", 1)
    monkeypatch.setattr(mirror_module, "copy_from", limited)
    with pytest.raises(DataError, match="the network is gone"):
        mirror(f"file://{source}", tmp_path / "copy")
    assert len(copied) == 2

    def counted(address: str, target: Path) -> None:
        copied.append(address)
        genuine(address, target)

    monkeypatch.setattr(mirror_module, "copy_from", counted)
    (source / "a").write_text("new")  # of the same size as before
    (source / "e").unlink()
    (tmp_path / "copy" / "stray").touch()
    mirror(f"file://{source}", tmp_path / "copy")
    assert sorted(Path(address).name for address in copied[2:]) == ["a", "d"], (
        "what is there is not copied again"
    )
    assert contents(tmp_path / "copy") == contents(source)


def test_fetch_copies_from_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_pairs(tmp_path / "source", 4)
    data = tiny_params(data__source="folder", data__root=f"file://{source}").data
    fetch(data, tmp_path / "data" / "raw")
    assert contents(tmp_path / "data" / "raw") == contents(source)
    assert "4 images copied from file://" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["raw"]


def test_an_address_without_what_the_source_looks_for(tmp_path: Path) -> None:
    save_image(tmp_path / "source" / "photos" / "a.png")
    for root, message in (
        (f"file://{tmp_path}/source", "has no images"),
        (f"file://{tmp_path}/nothing", "nothing is there"),
    ):
        data = tiny_params(data__source="folder", data__root=root).data
        with pytest.raises(DataError, match=message):
            fetch(data, tmp_path / "raw")
        assert not (tmp_path / "raw").exists()


@pytest.mark.long
def test_prepare_from_s3_gives_the_arrays_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_pairs(tmp_path / "source", 20)
    with s3_server(monkeypatch) as s3:
        s3.mkdir("datasets")
        s3.put(f"{source}/", "datasets/pets/", recursive=True)
        for name, root in (("local", str(source)), ("s3", "s3://datasets/pets")):
            params = tiny_params(
                data__source="folder", data__root=root, data__classes=["background", "stripe"]
            )
            out = tmp_path / name
            fetch(params.data, out / "raw")
            prepare(
                out / "raw",
                out / "processed",
                params.data,
                0,
                metrics_file=out / "m.json",
                plots=out / "plots",
            )
    local, remote = contents(tmp_path / "local" / "processed"), contents(tmp_path / "s3" / "processed")
    assert set(local) == {"images.npy", "masks.npy", "index.csv"} | set(local)
    assert local["images.npy"] == remote["images.npy"]
    assert local["masks.npy"] == remote["masks.npy"]
    assert local["index.csv"] == remote["index.csv"]
