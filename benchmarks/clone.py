"""Throw-away clones of the repository, in which pipelines may run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def run(command: Sequence[str], folder: Path) -> str:
    """Run a command in a clone, with its own code; raises CalledProcessError with what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "DVC_NO_ANALYTICS": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(command, cwd=folder, env=environment, text=True, capture_output=True)
    if done.returncode:
        sys.stderr.write(done.stdout[-4000:] + done.stderr[-4000:])
        done.check_returncode()
    return done.stdout


def clone(folder: Path) -> None:
    """The last commit, without outputs and with an empty DVC cache, so that every stage really runs."""
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder)], check=True)


def use_cache(folder: Path, cache: Path) -> None:
    """Give a clone another DVC cache."""
    run(["dvc", "cache", "dir", "--local", str(cache)], folder)
