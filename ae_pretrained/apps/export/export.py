"""One model file in, one file of another format out."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from ae_pretrained.errors import PipelineError
from ae_pretrained.files import write_bytes
from ae_pretrained.models.weights import is_autoencoder, load_autoencoder, load_unet, save_model

Format = Literal["onnx", "torchscript", "safetensors"]
_ENDINGS: dict[Format, str] = {"onnx": ".onnx", "torchscript": ".pt", "safetensors": ".safetensors"}


@dataclass(frozen=True)
class ExportOptions:
    """What to write.

    Attributes:
        format: ``onnx``, ``torchscript`` or ``safetensors``.
        half: floating-point weights in 16 bits (safetensors); they are calculated with in 32 all the same.
        quantize: convolutions in 8 bits (onnx).
    """

    format: Format
    half: bool = False
    quantize: bool = False

    def __post_init__(self) -> None:
        if self.half and self.format != "safetensors":
            raise PipelineError(
                f"--half: found with --format {self.format}; half precision is for --format safetensors"
            )
        if self.quantize and self.format != "onnx":
            raise PipelineError(
                f"--quantize: found with --format {self.format}; 8 bits are for --format onnx"
            )

    def default_name(self, model: Path) -> str:
        """Such as ``segmenter_int8.onnx``."""
        detail = "_half" if self.half else "_int8" if self.quantize else ""
        return f"{model.stem}{detail}{_ENDINGS[self.format]}"


def export_model(model: Path, out: Path, options: ExportOptions) -> int:
    """Write a model in another format, whole or not at all.

    Args:
        model: a segmenter of this pipeline; for safetensors an autoencoder will do as well.
        out: the file to write; its folder is made where it is absent.
        options: the format.

    Returns:
        The size of the file, bytes.

    Raises:
        PipelineError: when ``model`` is absent, damaged or something else, when ``out`` is the same file, or cannot
            be written.
    """
    if out.resolve() == model.resolve():
        raise PipelineError(f"{out}: is the model itself; choose another file with --out")
    if out.is_dir():
        raise PipelineError(f"{out}: is a folder; name a file with --out")
    content = _weights(model, options) if options.format == "safetensors" else _program(model, options)
    try:
        write_bytes(out, content)
    except OSError as error:
        raise PipelineError(
            f"{out}: cannot be written ({error.strerror}); choose another file with --out"
        ) from None
    return len(content)


def _weights(path: Path, options: ExportOptions) -> bytes:
    dtype = torch.float16 if options.half else torch.float32
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "model.safetensors"
        if is_autoencoder(path):
            save_model(load_autoencoder(path), out, dtype=dtype)
        else:
            model, info = load_unet(path)
            save_model(model, out, info, dtype)
        return out.read_bytes()


def _program(path: Path, options: ExportOptions) -> bytes:
    model, info = load_unet(path)
    if options.format == "torchscript":
        from ae_pretrained.apps.export.torchscript import to_torchscript

        return to_torchscript(model, info)
    from ae_pretrained.apps.export.onnx_model import to_onnx
    from ae_pretrained.apps.export.quantization import quantize

    proto = to_onnx(model, info)
    return (quantize(proto) if options.quantize else proto).SerializeToString()
