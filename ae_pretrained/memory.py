"""Keep memory that is freed and wanted again in the next step, instead of fetching it anew from the system."""

from __future__ import annotations

import ctypes
import platform

# From glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Make glibc keep what this process frees, until it ends.

    glibc takes every block above 32 MiB from the system and gives it back when it is freed, and cuts the end of
    the heap off whenever it is free. A training step frees and wants hundreds of MiB, and the system clears every
    page of it each time: 16 % of the CPU time of a step at 64 px and 22 % at 128 px (bf16, batch 32, width 16),
    31 % of an evaluation. Nothing that is computed changes. The price is memory: what was once needed stays, 1 to
    5 % more than the peak before (23 % in float32 at 128 px).

    For processes of our own, not for a library call: the setting holds for the whole process.

    Returns:
        Whether it took effect; there is nothing to do on other systems than Linux with glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    # -1 is the largest threshold there is: never cut the heap. No block is mapped on its own.
    return bool(mallopt(_TRIM_THRESHOLD, -1)) and bool(mallopt(_MMAP_MAX, 0))
