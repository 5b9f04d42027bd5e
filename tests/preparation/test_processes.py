from __future__ import annotations

import cv2
import numpy as np

from ae_pretrained.preparation.processes import count_processes, process_pool


def _blurred(value: int) -> tuple[int, int]:
    image = np.full((600, 600, 3), value, dtype=np.uint8)
    return int(cv2.GaussianBlur(image, (9, 9), 2).mean()), cv2.getNumThreads()


def test_processes_started_after_opencv_has_run_threads_do_not_hang() -> None:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(4)
    try:
        _blurred(1)
        with process_pool(2) as pool:
            jobs = [pool.submit(_blurred, value) for value in range(6)]
            assert [job.result(timeout=60) for job in jobs] == [(value, 1) for value in range(6)]
        assert cv2.getNumThreads() == 4
    finally:
        cv2.setNumThreads(threads)


def test_number_of_processes() -> None:
    assert count_processes(3, 100) == 3
    assert count_processes(3, 2) == 2
    assert count_processes(0, 1) == 1
    assert count_processes(0, 100) >= 1
    assert count_processes(2, 0) == 1
