"""The device that an evaluation runs on."""

from __future__ import annotations

import torch

from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.hardware import resolve_accelerator


def best_compute(accelerator: str) -> Compute:
    """A GPU where there is one and ``accelerator`` allows it; float32, as figures are to be exact.

    Args:
        accelerator: ``auto``, ``cpu`` or ``gpu``.
    """
    return Compute(torch.device("cuda" if resolve_accelerator(accelerator) == "gpu" else "cpu"))
