"""What `pip install` of the wheel gives, in an environment and folders that know nothing of the repository."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
import sysconfig
import urllib.request
from pathlib import Path

import pytest

from tests.apps.init.folders import write_images
from tests.pipeline.conftest import copy_repository

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from what Git tracks: what lies about in a working folder is not in it."""
    source = copy_repository(tmp_path_factory.mktemp("source"))
    out = tmp_path_factory.mktemp("dist")
    source.run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation",
        "--wheel-dir", str(out), ".",
    )  # fmt: skip
    (path,) = out.glob("*.whl")
    return path


class Installed:
    """A fresh virtual environment with the wheel; the packages that it needs are those of the tests."""

    def __init__(self, folder: Path, wheel: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        bin_folder = folder / ("Scripts" if sys.platform == "win32" else "bin")
        self.python, self.command = bin_folder / "python", bin_folder / "ae-pretrained"
        asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
        site = Path(subprocess.check_output([self.python, "-c", asked], text=True).strip())
        (site / "packages.pth").write_text(sysconfig.get_path("purelib"))
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "--no-deps"]
        subprocess.run([*pip, "--ignore-installed", "--no-index", str(wheel)], check=True)
        self.environment = {
            "PATH": os.pathsep.join([str(bin_folder), os.environ["PATH"]]),
            "HOME": "/nonexistent",  # nothing may need a home to write to
            "OMP_NUM_THREADS": "1",
            "DVC_NO_ANALYTICS": "1",
        }

    def run(self, folder: Path, *words: str) -> str:
        done = subprocess.run(
            [str(self.command), *words],
            cwd=folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("fresh") / "venv", wheel)


def test_it_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size <= 20_000_000


def test_predict_init_and_demo_in_an_empty_folder(installed: Installed, tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", (0, 1, 255), unlabelled=4)
    work = tmp_path / "work"
    work.mkdir()
    where = subprocess.check_output(
        [installed.python, "-c", "import ae_pretrained; print(ae_pretrained.__file__)"],
        cwd=work,
        env=installed.environment,
        text=True,
    )
    assert str(installed.python.parents[1]) in where

    installed.run(work, "predict", str(images / "images/p00.png"))
    (row,) = csv.DictReader((work / "predictions/predictions.csv").read_text().splitlines())
    assert (work / "predictions/p00_mask.png").is_file()
    assert row["class"] in ("", "cat", "dog")

    installed.run(
        work, "init", "project", "--from", str(images), "--classes", "soil,leaf", "--image-size", "64"
    )
    assert "valid" in installed.run(work / "project", "validate")
    installed.run(work / "project", "stage", "validate")

    demo = subprocess.Popen(
        [str(installed.command), "demo", "--port", "0"],
        cwd=work,
        env=installed.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert demo.stdout is not None
        address = next(found for line in demo.stdout if (found := re.search(r"http://[\d.]+:\d+", line)))
        with urllib.request.urlopen(address[0], timeout=60) as page:
            assert b"<html" in page.read()
    finally:
        demo.terminate()
        demo.wait(timeout=30)
