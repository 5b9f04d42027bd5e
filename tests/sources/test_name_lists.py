from __future__ import annotations

from pathlib import Path

import pytest

from ae_pretrained.sources.base import DataError
from ae_pretrained.sources.name_lists import find_stem, read_groups, read_names


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_names_by_byte_order_mark(tmp_path: Path, encoding: str, line_end: str) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes(line_end.join(["# names", "", "Käfer 1", " b.c "]).encode(encoding))
    assert list(read_names(path)) == ["Käfer 1", "b.c"]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16-le"])
def test_other_encodings_name_the_file_and_the_way_on(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "train.txt"
    path.write_bytes("a\nKäfer 1\n".encode(encoding))
    with pytest.raises(DataError, match=r"train\.txt.*save the file as\s+.?.?UTF-8"):
        list(read_names(path))


@pytest.mark.parametrize(
    ("entry", "stem"),
    [
        ("a", "a"),
        ("a.jpg", "a"),
        ("a.PNG", "a"),
        ("images/a.jpg", "a"),
        ("./images/a.jpg", "a"),
        ("/data/set/images/sub/b 1.tif", "sub/b 1"),
        ("images\\sub\\b 1.tif", "sub/b 1"),
        ("images/a.jpg masks/a.png", "a"),
        ("a.jpg,a_mask.png", "a"),
        ("sub/b 1\tmasks/b", "sub/b 1"),
        ("v1.2", "v1.2"),
        ("v1.2.jpg", "v1.2"),
        ("nowhere.png", "nowhere"),
    ],
)
def test_entries_as_tools_write_them(entry: str, stem: str) -> None:
    assert find_stem(entry, {"a", "sub/b 1", "v1.2"}) == stem


@pytest.mark.parametrize("text", ["name,group\na.jpg,p1\nimages/b.png,p2\nc,p2\n", "a\tp1\nb\tp2\nc\tp2\n"])
def test_groups(tmp_path: Path, text: str) -> None:
    (tmp_path / "groups.csv").write_text(text)
    groups, absent = read_groups(tmp_path / "groups.csv", {"a", "b"})
    assert groups == {"a": "p1", "b": "p2"}
    assert absent == ["c"]


@pytest.mark.parametrize(
    ("text", "said"),
    [("a\n", r"line 1: expected 'name,group'"), ("a,p1\na,p2\n", r"in the groups 'p1' and 'p2'")],
)
def test_groups_that_say_nothing_or_too_much(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "groups.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read_groups(tmp_path / "groups.csv", {"a"})
