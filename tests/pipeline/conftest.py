"""A temporary copy of the repository with a tiny configuration, and DVC inside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ae_pretrained.params.editing import set_values
from tests.conftest import ROOT
from tests.processed import SMALL

TINY: dict[str, Any] = {
    **SMALL,
    "data.synthetic.num_trainval": 48,
    "data.synthetic.num_test": 12,
    "train_ae.epochs": 2,
    "train_ae.loss.perceptual_size": 0,
    "train_seg.epochs": 2,
    "train_seg.freeze_epochs": 1,
    "eval_ae.num_examples": 1,
    "eval_seg.num_examples": 1,
    "eval_seg.bootstrap_samples": 50,
    "robustness.max_images": 6,
}


@dataclass(frozen=True)
class Workspace:
    """A repository in a temporary folder."""

    path: Path

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            # `python` in dvc.yaml is the Python that runs the tests.
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "DVC_NO_ANALYTICS": "1",
            "OMP_NUM_THREADS": "1",
            "GIT_AUTHOR_NAME": "Test",
            "GIT_AUTHOR_EMAIL": "test@example.org",
            "GIT_COMMITTER_NAME": "Test",
            "GIT_COMMITTER_EMAIL": "test@example.org",
        }
        done = subprocess.run(
            words, cwd=self.path, env=environment, capture_output=True, text=True, check=False, timeout=900
        )
        if check and done.returncode != 0:
            pytest.fail(f"{' '.join(words)} failed with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done

    def dvc(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "dvc", *words, check=check)

    def git(self, *words: str) -> str:
        return self.run("git", *words).stdout

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--allow-empty", "--message", message)

    def set_params(self, **values: Any) -> None:
        """Set dotted keys of params.yaml, with dots written as double underscores."""
        path = self.path / "params.yaml"
        keyed = {tuple(key.split("__")): value for key, value in values.items()}
        path.write_text(set_values(path.read_text(encoding="utf-8"), keyed), encoding="utf-8")


def copy_repository(target: Path, without: tuple[str, ...] = ("results/", "docs/")) -> Workspace:
    """Every file of the repository that Git tracks or would track, but for some folders; nothing is committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file() and not name.startswith(without):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    workspace = Workspace(target)
    workspace.git("init", "--initial-branch", "main")
    return workspace


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy with the tiny configuration, the whole pipeline run once and committed.

    Without the studies: DVC would read their files, too, at each of its commands.
    """
    target = tmp_path_factory.mktemp("tiny")
    workspace = copy_repository(target, without=("results/", "docs/", "studies/", "tests/"))
    workspace.set_params(**{key.replace(".", "__"): value for key, value in TINY.items()})
    workspace.commit("Tiny configuration")
    workspace.dvc("repro")
    workspace.commit("Results")
    return workspace
