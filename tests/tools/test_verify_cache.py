from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tools.verify_cache import verify


def store(cache: Path, content: bytes, suffix: str = "") -> Path:
    digest = hashlib.md5(content).hexdigest()
    path = cache / "files" / "md5" / digest[:2] / f"{digest[2:]}{suffix}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)
    return path


def test_damage_is_found_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cache = tmp_path / "cache"
    whole, damaged = store(cache, b"[]", ".dir"), store(cache, b"weights")
    output = tmp_path / "models" / "weights"
    output.parent.mkdir()
    output.write_bytes(b"weights")
    digest = hashlib.md5(b"weights").hexdigest()
    lock = f"stages:\n  train:\n    outs:\n    - path: models/weights\n      md5: {digest}\n"
    (tmp_path / "dvc.lock").write_text(lock)
    assert verify(tmp_path, cache, remove=False) == 0
    for path in (damaged, output):  # as a disk error leaves it: read-only, other bytes
        path.chmod(0o644)
        path.write_bytes(b"wei?hts")
        path.chmod(0o444)
    assert verify(tmp_path, cache, remove=False) == 2
    said = capsys.readouterr().out
    assert f"{damaged}: damaged" in said
    assert f"{output}: not the file that dvc.lock recorded" in said
    assert damaged.exists()
    assert verify(tmp_path, cache, remove=True) == 2
    assert not damaged.exists()
    assert not output.exists()
    assert whole.exists()
