"""ONNX, for onnxruntime and whatever else reads it."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator

import onnx
import torch
from torch.export import Dim

from ae_pretrained.apps.export.description import INPUT, OUTPUT, describe, inference_copy, smallest_input
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo

_OPSET = 18  # the one that PyTorch's exporter writes natively; any other is a conversion after the fact


def to_onnx(model: UNet, info: SegmenterInfo) -> onnx.ModelProto:
    """Export a segmenter; batch, height and width stay open.

    Args:
        model: the network.
        info: goes into ``metadata_props``, see :func:`ae_pretrained.apps.export.description.describe`.

    Returns:
        A model from ``images`` (N, 3, H, W) in [0, 1] to ``logits`` (N, C, H, W). H and W need not be multiples of
        the strides; they are at least :func:`ae_pretrained.apps.export.description.smallest_input`.
    """
    least = smallest_input(model)
    # Sides that differ from each other and from the batch: equal ones would be taken for one and the same.
    example = torch.zeros(2, 3, 2 * least + 6, 2 * least + 15)
    shapes = {0: Dim("batch"), 2: Dim("height", min=least), 3: Dim("width", min=least)}
    with _quiet():
        program = torch.onnx.export(
            inference_copy(model),
            (example,),
            dynamo=True,
            dynamic_shapes=(shapes,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=_OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    proto = program.model_proto
    _forget_origin(proto)
    for key, value in describe(info, model.encoder.strides[-1]).items():
        proto.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(proto, full_check=True)
    return proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns about the inside of PyTorch, which its user cannot change."""
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger("torch.onnx").setLevel(level)


def _forget_origin(proto: onnx.ModelProto) -> None:
    """Drop the stack traces that the exporter notes: they name folders of this machine."""
    graph = proto.graph
    for part in (
        proto,
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ):
        del part.metadata_props[:]
        part.doc_string = ""
