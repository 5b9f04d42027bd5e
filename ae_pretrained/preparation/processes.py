"""Processes that work on images side by side."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import cv2


def count_processes(wanted: int, jobs: int) -> int:
    """How many processes to start: ``wanted``, or one a core where that is 0, and never more than there are jobs."""
    # Not the cores of the machine, but those that this process may use: containers and batch systems give few.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(wanted or cores, jobs))


@contextmanager
def process_pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """A pool in which OpenCV keeps to one thread a process, for the processes are the parallelism.

    Jobs that have not been started when the body of the ``with`` ends are dropped.
    """
    # A forked process inherits the locks of OpenCV's threads but not the threads, and waits for them forever: they
    # are ended here for as long as processes may be started.
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    pool = ProcessPoolExecutor(processes, initializer=cv2.setNumThreads, initargs=(1,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
        cv2.setNumThreads(threads)
