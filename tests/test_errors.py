"""Faults of the machine that end with a sentence, not with a traceback."""

from __future__ import annotations

import ast
import errno
import subprocess
import sys
from pathlib import Path

import pytest

from ae_pretrained.apps.cli import main
from ae_pretrained.errors import PipelineError, unwritable
from ae_pretrained.hardware import check_compiler
from ae_pretrained.stage_runner import run_stage
from tests.conftest import ROOT


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_written(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    def stage() -> None:
        raise OSError(number, "no", "models/segmenter.safetensors")

    with pytest.raises(
        SystemExit, match=r"ERROR: models/segmenter\.safetensors: cannot be written .*folder of your own"
    ):
        run_stage(stage)


def test_another_fault_keeps_its_traceback() -> None:
    def stage() -> None:
        raise FileNotFoundError(errno.ENOENT, "no", "models/segmenter.safetensors")

    with pytest.raises(FileNotFoundError):
        run_stage(stage)
    assert unwritable(OSError("no number")) is None


def test_the_command_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "no", "params.yaml")

    monkeypatch.setattr("ae_pretrained.params.presets.apply_preset", refuse)
    assert main(["preset", "oxford"]) == 1
    assert "ERROR: params.yaml: cannot be written or read, you may not write there" in capsys.readouterr().err


def test_python_3_9_is_told_what_to_do() -> None:
    """No 3.9 is at hand: it can read the first file that it meets, and stops there."""
    ast.parse((ROOT / "ae_pretrained/__init__.py").read_text(encoding="utf-8"), feature_version=(3, 9))
    program = "import sys; sys.version_info = (3, 9, 18); import ae_pretrained"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "ae_pretrained needs Python 3.10 or newer" in done.stderr
    assert "Traceback" not in done.stderr


def test_compiling_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(PipelineError, match=r"runtime\.compile: found true, .*apt-get install g\+\+"):
        check_compiler()
    (tmp_path / "g++").touch(mode=0o755)
    check_compiler()
