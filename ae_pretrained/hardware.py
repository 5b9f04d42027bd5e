"""Which number format to train in, on what, and what else of the machine decides the digits of a result."""

from __future__ import annotations

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


def numerics(runtime: RuntimeParams, precision: str) -> dict[str, Any]:
    """What of the machine decides the outcome of a training, as JSON-like values.

    Args:
        runtime: the section of the parameters.
        precision: as in ``train_ae.precision`` and ``train_seg.precision``.

    Returns:
        ``accelerator``: ``cpu`` or ``gpu``; ``precision``: what ``auto`` stands for on it; ``processes``: devices of
        all nodes, by which batches, updates and schedule go; ``compile``, ``deterministic`` and ``tf32``. Loader
        workers change nothing, and the number of threads the last digit alone.

    Raises:
        PipelineError: for a GPU that is not there, or a precision that the device does not have.
    """
    accelerator = resolve_accelerator(runtime.accelerator)
    return {
        "accelerator": accelerator,
        "precision": resolve_precision(precision, accelerator),
        "processes": runtime.devices * runtime.num_nodes,
        "compile": runtime.compile,
        "deterministic": runtime.deterministic,
        "tf32": runtime.tf32,
    }
