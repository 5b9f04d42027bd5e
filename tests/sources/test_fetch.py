from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from ae_pretrained.sources import download
from ae_pretrained.sources import fetch as fetching
from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.download import Archive, download_oxford
from ae_pretrained.sources.fetch import fetch
from ae_pretrained.sources.oxford import OxfordSource
from ae_pretrained.sources.pointer import resolve_raw, write_link
from tests.preparation.test_prepare import data_params
from tests.sources.layouts import write_official


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One attempt a file, unless a test asks for more, and no pause between two."""
    monkeypatch.setattr(download, "_RETRIES", 0)
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder served on the loopback interface, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    Thread(target=http.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def pack(source: Path, folder: str, target: Path, extra: dict[str, bytes] | None = None) -> str:
    """A tar.gz of one folder with further members; returns its md5."""
    with tarfile.open(target, "w:gz") as tar:
        tar.add(source / folder, arcname=folder)
        for name, content in (extra or {}).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return hashlib.md5(target.read_bytes()).hexdigest()


def archives(root: Path, served: Path, address: str, **extra: bytes) -> list[Archive]:
    return [
        Archive(f"{address}/{name}.tar.gz", pack(root, name, served / f"{name}.tar.gz", extra), name)
        for name in ("images", "annotations")
    ]


def test_a_local_copy_is_linked_not_copied(tmp_path: Path) -> None:
    write_official(tmp_path / "there")
    for root in (tmp_path / "there", tmp_path):
        fetch(data_params(source="oxford_iiit_pet", root=str(root)), tmp_path / "raw")
        assert resolve_raw(tmp_path / "raw") == (tmp_path / "there").resolve()
        assert [path.name for path in (tmp_path / "raw").iterdir()] == ["source.json"]


def test_a_folder_of_something_else_says_what_was_looked_for(tmp_path: Path) -> None:
    root = tmp_path / "holiday"
    root.mkdir()
    (root / "beach.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"holiday holds no official.*looked for images/.*found beach.jpg"):
        fetch(data_params(source="oxford_iiit_pet", root=str(root)), tmp_path / "raw")


def test_a_relative_root_gives_the_same_pointer_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pointers = []
    for name in ("one machine", "another"):
        write_official(tmp_path / name / "pets")
        (tmp_path / name / "repository").mkdir()
        monkeypatch.chdir(tmp_path / name / "repository")
        write_link(Path("data/raw"), Path("../pets"), 16)
        monkeypatch.chdir(tmp_path)
        raw = tmp_path / name / "repository" / "data" / "raw"
        assert resolve_raw(raw) == tmp_path / name / "pets"
        pointers.append((raw / "source.json").read_bytes())
    assert pointers[0] == pointers[1]


def test_a_link_to_a_folder_that_is_gone(tmp_path: Path) -> None:
    write_official(tmp_path / "there")
    fetch(data_params(source="oxford_iiit_pet", root=str(tmp_path / "there")), tmp_path / "raw")
    (tmp_path / "there").rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=r"which is no folder any more; set data\.root"):
        resolve_raw(tmp_path / "raw")


def test_download(tmp_path: Path, server: tuple[Path, str]) -> None:
    write_official(tmp_path / "there")
    extra = {"images/._hidden.jpg": b"x", "elsewhere/a.txt": b"x"}
    download_oxford(tmp_path / "raw", archives(tmp_path / "there", *server, **extra))
    found = OxfordSource(tmp_path / "raw", ["background", "cat", "dog"]).listing().samples
    assert len(found) == 16
    assert all(sample.image.is_file() for sample in found)
    names = {path.name for path in (tmp_path / "raw").rglob("*")}
    assert not names & {"._hidden.jpg", "a.txt", "images.tar.gz"}


def test_an_empty_root_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "local"
    root.mkdir()
    (root / "README.md").write_text("put images here")
    monkeypatch.setattr(fetching, "download_oxford", write_official)
    fetch(data_params(source="oxford_iiit_pet", root=str(root)), tmp_path / "raw")
    assert resolve_raw(tmp_path / "raw") == tmp_path / "raw"
    assert (tmp_path / "raw/annotations/list.txt").is_file()


def test_a_wrong_root_leaves_an_earlier_fetch_alone(tmp_path: Path) -> None:
    write_official(tmp_path / "there")
    fetch(data_params(source="oxford_iiit_pet", root=str(tmp_path / "there")), tmp_path / "raw")
    with pytest.raises(DataError, match=r"misspelt is no folder; point data\.root"):
        fetch(data_params(source="oxford_iiit_pet", root=str(tmp_path / "misspelt")), tmp_path / "raw")
    assert resolve_raw(tmp_path / "raw") == (tmp_path / "there").resolve()


def nothing_is_left(tmp_path: Path) -> bool:
    return not (tmp_path / "raw").exists() and not list(tmp_path.glob(".raw*"))


def test_wrong_checksum(tmp_path: Path, server: tuple[Path, str]) -> None:
    write_official(tmp_path / "there")
    good = archives(tmp_path / "there", *server)
    bad = [Archive(good[0].url, "0" * 32, "images"), good[1]]
    with pytest.raises(
        DataError, match=r"images\.tar\.gz: wrong checksum.*expected md5:0{32} but got [0-9a-f]{32}"
    ):
        download_oxford(tmp_path / "raw", bad)
    assert nothing_is_left(tmp_path)
    download_oxford(tmp_path / "raw", good)
    assert (tmp_path / "raw/images").is_dir()


def test_what_a_killed_download_has_left_is_not_trusted(tmp_path: Path, server: tuple[Path, str]) -> None:
    write_official(tmp_path / "there")
    for name in (".raw.part/stale.txt", ".raw.downloads/images.tar.gz", ".raw.downloads/tmp1234"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("half")
    download_oxford(tmp_path / "raw", archives(tmp_path / "there", *server))
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {"images", "annotations"}
    assert not list(tmp_path.glob(".raw*"))


class CutShort(Quiet):
    """Promises a whole file and closes the connection half-way, as often as it is told."""

    times = 0
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        type(self).times -= 1
        if self.times < 0:
            return super().do_GET()
        content = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])
        return None


@pytest.fixture
def shaky(server: tuple[Path, str]) -> Iterator[str]:
    """The address of a second server of the same folder, whose connections break."""
    CutShort.asked.clear()
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(CutShort, directory=str(server[0])))
    Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


def test_a_connection_that_breaks_is_tried_again(
    tmp_path: Path, server: tuple[Path, str], shaky: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_official(tmp_path / "there")
    wanted = archives(tmp_path / "there", server[0], shaky)
    monkeypatch.setattr(download, "_RETRIES", 2)
    CutShort.times = 3
    with pytest.raises(DataError, match=r"images\.tar\.gz: could not be downloaded"):
        download_oxford(tmp_path / "raw", wanted)
    assert CutShort.asked == ["/images.tar.gz"] * 3
    assert nothing_is_left(tmp_path)
    CutShort.times = 2
    download_oxford(tmp_path / "raw", wanted)
    assert len(list((tmp_path / "raw/images").iterdir())) == 16


def test_a_complete_archive_is_not_downloaded_twice(
    tmp_path: Path, server: tuple[Path, str], shaky: str
) -> None:
    write_official(tmp_path / "there")
    first, second = archives(tmp_path / "there", server[0], shaky)
    with pytest.raises(DataError, match=r"annotations.tar.gz: wrong.*images.tar.gz is complete and kept"):
        download_oxford(tmp_path / "raw", [first, replace(second, md5="0" * 32)])
    assert not (tmp_path / "raw").exists()
    assert [path.name for path in (tmp_path / ".raw.downloads").iterdir()] == ["images.tar.gz"]
    CutShort.asked.clear()
    download_oxford(tmp_path / "raw", [first, second])
    assert CutShort.asked == ["/annotations.tar.gz"]
    assert len(list((tmp_path / "raw/images").iterdir())) == 16
    assert not list(tmp_path.glob(".raw*"))


def test_a_file_that_is_no_archive(tmp_path: Path, server: tuple[Path, str]) -> None:
    (server[0] / "images.tar.gz").write_bytes(b"<html>moved</html>")
    digest = hashlib.md5(b"<html>moved</html>").hexdigest()
    with pytest.raises(DataError, match="cannot be unpacked"):
        download_oxford(tmp_path / "raw", [Archive(f"{server[1]}/images.tar.gz", digest, "images")])
    assert nothing_is_left(tmp_path)


def test_links_in_an_archive_are_not_followed(tmp_path: Path, server: tuple[Path, str]) -> None:
    path = server[0] / "images.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        link = tarfile.TarInfo("images/link")
        link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path)
        tar.addfile(link)
        inside = tarfile.TarInfo("images/link/planted.txt")
        inside.size = 1
        tar.addfile(inside, io.BytesIO(b"x"))
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    download_oxford(tmp_path / "raw", [Archive(f"{server[1]}/images.tar.gz", digest, "images")])
    assert not (tmp_path / "planted.txt").exists()
    assert not (tmp_path / "raw/images/link").is_symlink()


@pytest.mark.parametrize("name", ["../outside.txt", "images/../../outside.txt", "/etc/outside.txt"])
def test_a_member_outside_its_folder_is_refused(tmp_path: Path, server: tuple[Path, str], name: str) -> None:
    write_official(tmp_path / "there")
    with pytest.raises(DataError, match="points outside"):
        download_oxford(tmp_path / "raw", archives(tmp_path / "there", *server, **{name: b"x"}))
    assert not (tmp_path / "outside.txt").exists()
    assert nothing_is_left(tmp_path)


def test_without_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    # Port 9 of the loopback interface: nothing answers there.
    with pytest.raises(DataError, match=r"could not be downloaded.*data.source=synthetic.*data.root"):
        download_oxford(tmp_path / "raw", [Archive("http://127.0.0.1:9/images.tar.gz", "0" * 32, "images")])
    assert nothing_is_left(tmp_path)


def test_a_missing_archive(tmp_path: Path, server: tuple[Path, str]) -> None:
    with pytest.raises(DataError, match="404"):
        download_oxford(tmp_path / "raw", [Archive(f"{server[1]}/absent.tar.gz", "0" * 32, "images")])
