"""``ae-pretrained predict``: masks, overlays and a table of one's own photos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ae_pretrained.prediction.prediction_tables import Row, Unreadable

_EPILOG = """\
Writes STEM_mask.png (class ids, with a palette), STEM_overlay.png, predictions.json and predictions.csv. Exit code:
0, or 2 when some photos could not be read (the others are done), or 1 when nothing was done.
"""
_WIDEST = 48


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("predict", help="segment photos of one's own", epilog=_EPILOG)
    parser.add_argument(
        "photos",
        nargs="+",
        type=Path,
        metavar="PHOTO",
        help="photos, and folders of photos (with their sub-folders)",
    )
    parser.add_argument(
        "--model",
        type=Path,
        help="segmenter.safetensors, or an exported .onnx file (default: the one that comes with the package)",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("predictions"), help="folder of the results (default: %(default)s)"
    )
    parser.add_argument(
        "--device", choices=("auto", "cpu", "cuda"), default="auto", help="default: a GPU if any"
    )
    parser.add_argument(
        "--batch-size", type=int, default=16, help="photos that are predicted at once (default: %(default)s)"
    )
    parser.add_argument(
        "--no-flip",
        action="store_true",
        help="do not average with the prediction for the mirror image: twice as fast, a little worse",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ae_pretrained.memory import keep_freed_memory
    from ae_pretrained.prediction.input_files import find_photos
    from ae_pretrained.prediction.predict_files import predict_into
    from ae_pretrained.prediction.segmenter import Segmenter

    keep_freed_memory()
    photos = find_photos(arguments.photos, leave_out=arguments.out)
    segmenter = Segmenter.load(arguments.model, arguments.device)
    result = predict_into(
        segmenter,
        photos,
        arguments.out,
        batch_size=arguments.batch_size,
        flip_averaging=not arguments.no_flip,
        report=_printer(photos, segmenter.classes),
    )
    done, failed = len(result.rows), len(result.unreadable)
    unread = f"; {failed} could not be read" if failed else ""
    print(f"{done} {'photo' if done == 1 else 'photos'} in {arguments.out}{unread}")
    return 2 if failed else 0


def _printer(photos: Sequence[Path], classes: Sequence[str]) -> Callable[[Row | Unreadable], None]:
    """Prints a table, a line at a time, beside the progress bar."""
    from tqdm import tqdm

    from ae_pretrained.prediction.naming import shown
    from ae_pretrained.prediction.prediction_tables import Unreadable

    width = min(_WIDEST, max(len(shown(photo)) for photo in photos))
    species = max(7, *(len(name) for name in classes[1:]))
    header = f"{'photo':<{width}}  {'size':>11}  {'species':<{species}}  {'share':>7}  confidence"
    headed = False

    def line(item: Row | Unreadable) -> None:
        nonlocal headed
        if isinstance(item, Unreadable):
            tqdm.write(f"ERROR: {item.error}", file=sys.stderr)
            return
        if not headed:
            tqdm.write(header)
            headed = True
        name = item.file if len(item.file) <= width else f"…{item.file[1 - width :]}"
        share = f"{100 * item.shares[item.species]:.1f} %" if item.species else "–"
        size = f"{item.width} x {item.height}"
        tqdm.write(
            f"{name:<{width}}  {size:>11}  {item.species or 'none':<{species}}  {share:>7}  {item.confidence:.3f}"
        )

    return line
