"""A Ray cluster of two workers on this machine, and the end of one of its workers, for the tests of both engines."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from ae_pretrained.ray_cluster import ray_cluster
from tests.conftest import ROOT


@contextmanager
def two_workers() -> Iterator[Any]:
    """The module ``ray`` with a local cluster of two CPUs; the test is skipped where Ray is not installed."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'ae-pretrained[ray]'")
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = f"{ROOT}{os.pathsep}{before}"
    os.environ.setdefault("RAY_worker_niceness", "0")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        with ray_cluster():
            yield ray
    finally:
        ray.shutdown()
        os.environ["PYTHONPATH"] = before


def processes_called(start: str) -> list[int]:
    """Processes of this cluster that Ray calls so, such as ``ray::run_cell``."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(start.encode()):
            found.append(int(folder.name))
    return sorted(found)


@contextmanager
def one_worker_killed(name: str, when: Callable[[], bool]) -> Iterator[list[int]]:
    """Send SIGKILL to one worker process once ``when`` is true; the list then has its number."""
    killed: list[int] = []
    over = Event()

    def watch() -> None:
        while not over.is_set():
            if when() and (workers := processes_called(name)):
                os.kill(workers[0], signal.SIGKILL)
                killed.append(workers[0])
                return
            time.sleep(0.02)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()
