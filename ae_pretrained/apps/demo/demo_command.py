"""``ae-pretrained demo``: a local web page to try a model on images."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("demo", help="a local web page: drop an image, see what the model sees")
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine alone)"
    )
    parser.add_argument("--port", type=int, default=8000, help="0: any free port (default: %(default)s)")
    parser.add_argument("--model", type=Path, help="segmenter (default: the one that comes with the package)")
    parser.add_argument(
        "--autoencoder",
        type=Path,
        help="for the reconstruction (default: the one that comes with the package, unless --model is given)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from ae_pretrained.apps.demo.server import serve

    try:
        serve(arguments.host, arguments.port, arguments.model, arguments.autoencoder)
    except KeyboardInterrupt:  # while it was loading
        print("\nStopped.")
