"""``ae-pretrained export``: a model in a format that runs elsewhere, or small enough to be shipped."""

from __future__ import annotations

import argparse
from pathlib import Path

_EPILOG = """\
onnx and torchscript take images (N, 3, H, W) in [0, 1] and give logits (N, classes, H, W), for any N, H and W;
class names, size and normalisation are in the file. safetensors is this package's own format. docs/predict.md has
examples.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "export", help="write a model as ONNX or TorchScript, or smaller", epilog=_EPILOG
    )
    parser.add_argument("--format", choices=("onnx", "torchscript", "safetensors"), required=True)
    parser.add_argument(
        "--model", type=Path, help="a .safetensors file (default: the segmenter that comes with the package)"
    )
    parser.add_argument(
        "--out", type=Path, help="file to write (default: the model's name in the current folder)"
    )
    parser.add_argument("--half", action="store_true", help="safetensors: weights in 16 bits, half the size")
    parser.add_argument(
        "--quantize", action="store_true", help="onnx: weights in 8 bits, a quarter of the size"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from ae_pretrained.apps.export.export import ExportOptions, export_model
    from ae_pretrained.prediction.shipped import shipped_model

    options = ExportOptions(arguments.format, half=arguments.half, quantize=arguments.quantize)
    model = arguments.model or shipped_model("segmenter")
    out = arguments.out or Path(options.default_name(model))
    size = export_model(model, out, options)
    print(f"{out}: {size / 1e6:.1f} MB")
