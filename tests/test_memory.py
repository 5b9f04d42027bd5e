from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable

import pytest

from ae_pretrained.memory import keep_freed_memory

# Page faults of the last 20 of 25 rounds that want and free a block, as a training step does many.
_PROGRAM = """
import resource, sys, torch
from ae_pretrained.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for round_ in range(25):
    if round_ == 5:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = torch.ones(40 * 2**18)
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(way: str) -> int:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, way], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory is handed back by glibc alone")
def test_freed_memory_is_used_again() -> None:
    """40 MiB are 10,240 pages of 4 KiB, which 20 rounds ask for 20 times, or hardly ever.

    Hardly: a kernel that is short of memory may take idle pages away all the same.
    """
    returned, kept = page_faults("return"), page_faults("keep")
    if returned < 10 * 5_000:
        pytest.skip(f"this system hands out memory in larger pages: {returned} page faults")
    assert kept < returned / 2


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: Callable[..., tuple[str, str]] = lambda *_, **__: ("", "")  # noqa: E731
    monkeypatch.setattr(platform, "libc_ver", nothing)
    assert not keep_freed_memory()
