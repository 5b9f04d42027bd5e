from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ae_pretrained.provenance import CODE_FOLDERS, PACKAGE, code_digest, code_version, processor, provenance
from tests.conftest import ROOT
from tests.processed import tiny_params


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A small library in a folder of its own, without Git."""
    folder = tmp_path / "somewhere" / "ae_pretrained"
    for name in ("__init__.py", "files.py", "losses/dice.py", "figures/charts.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x = 1\n", encoding="utf-8")
    return folder


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_what_makes_a_result_now() -> None:
    runtime = tiny_params(runtime__accelerator="cpu", runtime__tf32=True).runtime
    made_by = provenance(seed=7, runtime=runtime, precision="32")
    assert json.loads(json.dumps(made_by)) == made_by
    assert made_by == provenance(7, runtime, "32")
    assert (made_by["deterministic"], made_by["tf32"], made_by["processes"]) == ("warn", True, 1)
    assert (made_by["seed"], made_by["device"], made_by["precision"]) == (7, "cpu", "32-true")
    assert made_by["threads"] == torch.get_num_threads()
    assert made_by["packages"]["torch"].startswith(torch.__version__.partition("+")[0])
    assert made_by["packages"]["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}.")
    assert made_by["code"] == code_digest()
    assert made_by["processor"] == processor() != ""


def test_reading_a_record_needs_no_pytorch() -> None:
    program = "import sys, ae_pretrained.provenance; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_every_folder_of_the_digest_is_there() -> None:
    assert [name for name in CODE_FOLDERS if not (PACKAGE / name / "__init__.py").is_file()] == []


def test_the_digest_is_of_the_code_that_trains(library: Path) -> None:
    before = code_digest(library)
    (library / "figures" / "charts.py").write_text("x = 2\n", encoding="utf-8")
    (library / "losses" / "notes.txt").write_text("no code\n", encoding="utf-8")
    assert code_digest(library) == before
    (library / "losses" / "dice.py").write_bytes(b"x = 1\r\n")  # as a checkout on Windows has it
    assert code_digest(library) == before
    (library / "losses" / "dice.py").write_text("x = 2\n", encoding="utf-8")
    changed = code_digest(library)
    (library / "losses" / "dice.py").rename(library / "losses" / "overlap.py")
    assert len({before, changed, code_digest(library)}) == 3


def test_without_git_there_is_no_commit(library: Path) -> None:
    version = code_version(library)
    assert version == {"commit": None, "modified": None, "code": code_digest(library)}


def test_commit_and_changes_of_the_library_alone(library: Path, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    (tmp_path / "README.md").write_text("before\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "All")
    head = git(tmp_path, "rev-parse", "HEAD")

    def version() -> tuple[object, object]:
        code_version.cache_clear()
        found = code_version(library)
        return found["commit"], found["modified"]

    assert version() == (head, False)
    (tmp_path / "README.md").write_text("after\n", encoding="utf-8")
    (library / "new.py").write_text("untracked = True\n", encoding="utf-8")
    assert version() == (head, False)
    (library / "files.py").write_text("x = 2\n", encoding="utf-8")
    assert version() == (head, True)


def test_an_installed_library_is_not_of_the_commit_of_the_project_around_it(
    library: Path, tmp_path: Path
) -> None:
    shutil.move(library, tmp_path / "site-packages")
    (tmp_path / ".gitignore").write_text("site-packages\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "A project")
    assert code_version(tmp_path / "site-packages")["commit"] is None
