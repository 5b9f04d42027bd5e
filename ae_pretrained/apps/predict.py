"""``ae-pretrained predict``: masks, overlays and a table for the user's own images."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ae_pretrained.prediction.destination import Destination
    from ae_pretrained.prediction.prediction_tables import Row, Unreadable

_EPILOG = """\
Writes STEM_mask.png (class ids, with a palette), STEM_overlay.png, predictions.json and predictions.csv. Exit code:
0; 2 when some images could not be read (the others are done); 1 when nothing was done. Files of the same names in
--out are replaced only if an earlier run of predict wrote them (its predictions.json there says so). After an
interruption, the same command goes on where it was.
"""
_WIDEST = 48


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("predict", help="segment your own images", epilog=_EPILOG)
    parser.add_argument(
        "images",
        nargs="*",
        metavar="IMAGE",
        help="image files, folders of images (with their sub-folders), and addresses such as s3://bucket/folder",
    )
    parser.add_argument(
        "--listing",
        type=Path,
        metavar="FILE",
        help="text file with the path or address of an image in each line",
    )
    parser.add_argument(
        "--model",
        type=Path,
        help="segmenter.safetensors, or an exported .onnx file (default: the one that comes with the package)",
    )
    parser.add_argument(
        "--out",
        default="predictions",
        help="folder of the results, or an address such as s3://bucket/results (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        choices=("auto", "cpu", "cuda"),
        default="auto",
        help="default: auto, a GPU if there is one",
    )
    parser.add_argument(
        "--batch-size",
        type=int,
        default=16,
        help="images, or windows of one, per batch (default: %(default)s)",
    )
    parser.add_argument(
        "--window",
        type=int,
        help="models trained with resize: crop: side in px of the window that slides over an image (default: 512)",
    )
    parser.add_argument(
        "--overlap", type=float, help="share of its side by which it overlaps the next one (default: 0.25)"
    )
    parser.add_argument(
        "--no-flip",
        action="store_true",
        help="do not average with the prediction for the mirror image: twice as fast, a little worse",
    )
    parser.add_argument(
        "--format",
        choices=("labelme", "cvat", "coco"),
        help="write the masks for an annotation tool too: NAME.json an image, annotations.xml, annotations.json",
    )
    parser.add_argument(
        "--epsilon",
        type=float,
        help="of --format labelme: how far outlines may move for fewer corners, px; up to 0.44 every pixel "
        "comes back (default: 0.4)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace files of the same names in --out, even if no earlier run of predict wrote them",
    )
    parser.add_argument(
        "--engine",
        choices=("local", "ray"),
        default="local",
        help="local: this process; ray: the workers of a Ray cluster (default: %(default)s)",
    )
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="of --engine ray: HOST:PORT of the cluster (default: that of RAY_ADDRESS, or one on this machine)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ae_pretrained.annotations.writers import EPSILON
    from ae_pretrained.errors import PipelineError
    from ae_pretrained.memory import keep_freed_memory
    from ae_pretrained.prediction.destination import destination_at

    keep_freed_memory()
    if arguments.epsilon is None:
        arguments.epsilon = EPSILON
    elif arguments.format != "labelme" or not 0 <= arguments.epsilon <= 20:
        raise PipelineError(
            f"--epsilon {arguments.epsilon:g}: expected 0 to 20 px, with --format labelme; found --format "
            f"{arguments.format or 'left out'}"
        )
    if not arguments.images and arguments.listing is None:
        raise PipelineError("predict: no images; name files, folders or addresses, or a --listing")
    with destination_at(arguments.out) as place:
        return _predict(arguments, place)


def _predict(arguments: argparse.Namespace, place: Destination) -> int:
    from tqdm import tqdm

    from ae_pretrained.annotations.digests import file_digest
    from ae_pretrained.annotations.writers import AnnotationWriter
    from ae_pretrained.names import named, shown
    from ae_pretrained.prediction.input_files import count_files
    from ae_pretrained.prediction.listing import find_all
    from ae_pretrained.prediction.naming import earlier_results
    from ae_pretrained.prediction.predict_files import predict_into
    from ae_pretrained.prediction.segmenter import Segmenter
    from ae_pretrained.prediction.shipped import shipped_model

    results = [f"{place}/{name}" for name in earlier_results(place)]
    images, others = find_all(arguments.images, arguments.listing, str(place), results)
    segmenter = Segmenter.load(arguments.model, arguments.device)
    annotations = None
    if arguments.format is not None:
        model = file_digest(arguments.model or shipped_model("segmenter"))
        annotations = AnnotationWriter(
            arguments.format, place.folder, segmenter.classes, model, arguments.epsilon
        )
    result = predict_into(
        segmenter,
        images,
        place,
        batch_size=arguments.batch_size,
        flip_averaging=not arguments.no_flip,
        window=arguments.window,
        overlap=arguments.overlap,
        overwrite=arguments.overwrite,
        annotations=annotations,
        passed_over=others,
        engine=arguments.engine,
        cluster=arguments.cluster,
        report=_printer(images, segmenter.classes),
        announce=lambda line: tqdm.write(line, file=sys.stderr),
    )
    done, failed = len(result.rows), len(result.unreadable)
    unread = f"; {failed} could not be read" if failed else ""
    print(f"{done} {'image' if done == 1 else 'images'} in {shown(str(place))}{unread}")
    if others:
        names = named([Path(name) for name in others])
        print(f"passed over {count_files(len(others))}, no image by name or content: {names}")
    if paged := [row for row in result.rows if row.pages > 1]:
        names = ", ".join(f"{Path(row.file).name} ({row.pages})" for row in paged[:5])
        print(
            f"{count_files(len(paged))} with several pages or frames, of which the first was predicted: "
            f"{names}{', …' if len(paged) > 5 else ''}"
        )
    return 2 if failed else 0


def _printer(images: Sequence[str], classes: Sequence[str]) -> Callable[[Row | Unreadable], None]:
    """Prints a table, a line at a time, beside the progress bar."""
    from tqdm import tqdm

    from ae_pretrained.names import shown
    from ae_pretrained.prediction.prediction_tables import Unreadable

    width = min(_WIDEST, max(len(shown(image)) for image in images))
    widest = max(5, *(len(name) for name in classes[1:]))
    header = f"{'image':<{width}}  {'size':>11}  {'class':<{widest}}  {'share':>7}  confidence"
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
        name_found = item.class_name or "none"
        share = f"{100 * item.shares[item.class_name]:.1f} %" if item.class_name else "–"
        size = f"{item.width} x {item.height}"
        tqdm.write(f"{name:<{width}}  {size:>11}  {name_found:<{widest}}  {share:>7}  {item.confidence:.3f}")

    return line
