"""Which number format to train in, on what, and what else of the machine decides the digits of a result."""

from __future__ import annotations

import math
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from ae_pretrained.errors import PipelineError

if TYPE_CHECKING:
    from ae_pretrained.params.model_params import RuntimeParams

LightningPrecision = Literal["32-true", "bf16-mixed", "16-mixed"]


def resolve_accelerator(name: str) -> Literal["cpu", "gpu"]:
    """``auto`` takes a GPU where there is one.

    Raises:
        PipelineError: when a GPU is asked for and none is there.
    """
    if name == "gpu" and not torch.cuda.is_available():
        raise PipelineError(
            "runtime.accelerator: found 'gpu', but PyTorch sees no GPU on this machine; use 'auto' or 'cpu'"
        )
    return "gpu" if name != "cpu" and torch.cuda.is_available() else "cpu"


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware (AVX-512 BF16, AMX, or Arm's bf16 extension).

    PyTorch emulates bf16 elsewhere, at a fraction of the speed of fp32.
    """
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    if capabilities:
        names = ("avx512_bf16", "amx_bf16", "bf16")
        return any(bool(capabilities.get(name)) for name in names)
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def resolve_precision(name: str, accelerator: str) -> LightningPrecision:
    """Turn a ``precision`` parameter into Lightning's name for it.

    Args:
        name: ``auto``, ``32``, ``bf16`` or ``16``.
        accelerator: ``cpu`` or ``gpu``.

    Raises:
        PipelineError: for fp16 on a CPU, which has no loss scaling there.
    """
    if name == "16" and accelerator == "cpu":
        raise PipelineError("precision: '16' needs a GPU; on a CPU use 'auto', 'bf16' or '32'")
    if name == "auto":
        if accelerator == "gpu":
            name = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "16"
        else:
            name = "bf16" if cpu_has_bf16() else "32"
    return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[name]  # type: ignore[return-value]


def use_tf32(convolutions: bool) -> None:
    """Have a GPU compute convolutions of float32 in TF32, which has 10 bits for 23, or in float32.

    PyTorch's own default is TF32. Matrix products are in float32 either way: no network here has any, but the
    positions of an augmentation are one, and so is SSIM, which is a difference of squares.
    """
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = convolutions


def check_compiler() -> None:
    """Refuse ``runtime.compile`` where torch.compile has nothing to build its code with.

    Raises:
        PipelineError: saying what to install.
    """
    names = [os.environ.get("CXX", ""), "g++", "clang++"]
    if not any(name and shutil.which(name.split()[0]) for name in names):
        raise PipelineError(
            "runtime.compile: found true, but there is no C++ compiler (g++, clang++, or what CXX names); install "
            "one (Debian: apt-get install g++), or set it to false"
        )


def use_threads(number: int) -> None:
    """Have PyTorch compute with so many threads in this process from now on; 0 leaves it as it is."""
    if number > 0:
        torch.set_num_threads(number)


def advice_on_threads(seconds: float = 0.3) -> str:
    """A sentence where other programs keep cores busy that PyTorch's threads count on; empty otherwise.

    PyTorch splits every operation into equal parts, one a thread, and waits for the last: one busy core slows down
    all of them. Empty too where it cannot be told: outside of Linux.

    Args:
        seconds: how long the cores are watched; this process rests meanwhile.
    """
    before = _core_times()
    time.sleep(seconds)
    after = _core_times()
    threads, cores = torch.get_num_threads(), len(after)
    if threads == 1 or cores == 0 or before.keys() != after.keys():
        return ""
    spent = [(after[core][0] - before[core][0], after[core][1] - before[core][1]) for core in after]
    busy = sum(work / total for work, total in spent if total > 0)
    free = max(1, math.floor(cores - busy + 0.25))  # a core that is busy for a moment counts as free
    if free >= threads:
        return ""
    return f"another program uses {busy:.1f} of {cores} cores: runtime.threads={free} is faster"


def _core_times() -> dict[str, tuple[int, int]]:
    """Ticks at work, and all ticks, of each core that this process may use; nothing where Linux does not tell."""
    listing = Path("/proc/stat")  # Linux
    if not listing.is_file():
        return {}
    mine = {f"cpu{core}" for core in os.sched_getaffinity(0)}
    rows = [line.split() for line in listing.read_text(encoding="ascii").splitlines()]
    times = {row[0]: [int(number) for number in row[1:9]] for row in rows if row[0] in mine}
    # The fourth and fifth are idle, and waiting for a disk; guests (ninth and tenth) are in the first two already.
    return {core: (sum(ticks) - ticks[3] - ticks[4], sum(ticks)) for core, ticks in times.items()}


def numerics(runtime: RuntimeParams, precision: str) -> dict[str, Any]:
    """What of the machine decides the outcome of a training, as JSON-like values.

    Args:
        runtime: the section of the parameters.
        precision: as in ``train_ae.precision`` and ``train_seg.precision``.

    Returns:
        ``accelerator``: ``cpu`` or ``gpu``; ``precision``: what ``auto`` stands for on it; ``processes``: devices of
        all nodes, by which batches, updates and schedule go; ``threads``: of PyTorch, by which sums on a CPU are
        split and rounded, None on a GPU; ``compile``, ``deterministic`` and ``tf32``. Loader workers change nothing.

    Raises:
        PipelineError: for a GPU that is not there, or a precision that the device does not have.
    """
    accelerator = resolve_accelerator(runtime.accelerator)
    return {
        "accelerator": accelerator,
        "precision": resolve_precision(precision, accelerator),
        "processes": runtime.devices * runtime.num_nodes,
        "threads": (runtime.threads or torch.get_num_threads()) if accelerator == "cpu" else None,
        "compile": runtime.compile,
        "deterministic": runtime.deterministic,
        "tf32": runtime.tf32,
    }
