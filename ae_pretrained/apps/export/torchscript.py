"""TorchScript, for libtorch in C++ and for PyTorch without this package."""

from __future__ import annotations

import io
import warnings

import torch

from ae_pretrained.apps.export.description import describe, inference_copy, smallest_input
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo


def to_torchscript(model: UNet, info: SegmenterInfo) -> bytes:
    """Trace a segmenter; batch, height and width stay open, for the trace follows the sizes it is given.

    Args:
        model: the network.
        info: goes into extra files of the archive, one per key of
            :func:`ae_pretrained.apps.export.description.describe`;
            ``torch.jit.load(path, _extra_files={"classes": ""})`` reads them.

    Returns:
        The file: from (N, 3, H, W) in [0, 1] to logits (N, C, H, W).
    """
    side = 2 * smallest_input(model) + 6
    with warnings.catch_warnings(), torch.inference_mode(False):
        # The one branch of the network is the check that an image is large enough, which a trace leaves out.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(inference_copy(model), torch.zeros(2, 3, side, side + 9), check_trace=False)
        stream = io.BytesIO()
        torch.jit.save(traced, stream, _extra_files=describe(info, model.encoder.strides[-1]))
    return stream.getvalue()
