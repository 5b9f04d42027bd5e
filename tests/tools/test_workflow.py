"""The workflow of the continuous integration: what can be known of it without its server."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT
from tools.check_lock import stale_stages

FILE = ROOT / ".github" / "workflows" / "ci.yml"


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(FILE)


def commands(workflow: dict[str, Any]) -> list[str]:
    return [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]


def test_every_make_target_exists(workflow: dict[str, Any]) -> None:
    targets = {t for run in commands(workflow) for t in re.findall(r"\bmake (?:--\S+ )*([\w-]+)", run)}
    assert targets == {"test", "setup", "review", "check-lock"}
    for target in targets:
        done = subprocess.run(
            ["make", "--dry-run", "--no-print-directory", target], cwd=ROOT, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def test_shell_lines_parse(workflow: dict[str, Any]) -> None:
    for run in commands(workflow):
        subprocess.run(["bash", "-n"], input=run, text=True, check=True)


def test_permissions_are_minimal(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    asked = {name: job.get("permissions") for name, job in workflow["jobs"].items()}
    assert asked == {"test": None, "review": {"contents": "read", "pull-requests": "write"}}
    assert "pull_request_target" not in workflow["on"]


def test_nothing_from_outside_is_pasted_into_a_shell(workflow: dict[str, Any]) -> None:
    """Expressions go through `env`: a branch name must not become a command."""
    assert all("${{" not in run for run in commands(workflow))


def test_supported_pythons_are_tested(workflow: dict[str, Any]) -> None:
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.10", "3.11", "3.12"]


def test_stale_stages_are_read_from_a_dry_run() -> None:
    said = "Stage 'fetch' didn't change, skipping\nRunning stage 'train_ae':\n> python -m stages.train_ae\n"
    assert stale_stages(said) == ["train_ae"]
    assert stale_stages("Data and pipelines are up to date.\n") == []
