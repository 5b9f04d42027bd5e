"""``ae-pretrained init``: a project folder for the user's own images."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from ae_pretrained.errors import PipelineError

_EPILOG = """\
IMAGES is an export of an annotation tool (COCO, labelme, CVAT, Pascal VOC, Roboflow, Supervisely, Label Studio,
YOLO), found by looking at it, or holds images/ and masks/, paired by name (a.jpg with a.png or a_mask.png). A mask
has the number of its class in each pixel: 0 background, 1 the first class, and so on; 255 is unlabelled. Black and
white masks and masks in colour are understood too. Images alone will do, with --classes: label-next then chooses
which to label. Nothing of the folder is changed. docs/own-data.md has an example.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("init", help="make a project for your own images and masks", epilog=_EPILOG)
    parser.add_argument("folder", type=Path, metavar="DIR", help="the project: a new or an empty folder")
    parser.add_argument(
        "--from", dest="images", type=Path, required=True, help="folder with images/ and masks/, or an export"
    )
    parser.add_argument(
        "--format", help="what the export is, if looking at it does not tell: coco, yolo, folder, …"
    )
    parser.add_argument("--classes", help="names by mask value, background first: background,leaf,flower")
    parser.add_argument(
        "--mask-values",
        help="value of each class in the mask files, background first, if they are not 0,1,2,…",
    )
    parser.add_argument(
        "--colors",
        help='of masks in colour, class and colour: "background 0 0 0,leaf 0 128 0,flower #c80000"',
    )
    parser.add_argument(
        "--binary", action="store_true", help="every value but 0 is one class (masks that number instances)"
    )
    parser.add_argument(
        "--empty-masks",
        choices=["background", "unlabelled"],
        help="what a mask without foreground means: that nothing is there, or that nobody labelled it",
    )
    parser.add_argument(
        "--unnamed-classes",
        choices=["stop", "background", "ignore"],
        default="stop",
        help="what classes of an export are that --classes does not name (default: stop)",
    )
    parser.add_argument(
        "--group-by",
        choices=["none", "folder"],
        default="none",
        help="folder: images of one sub-folder (patient, scene) stay in one split",
    )
    parser.add_argument(
        "--leak-check",
        choices=["on", "off"],
        default="on",
        help="whether near-duplicates are kept in one split (default: on)",
    )
    parser.add_argument("--ignore-index", help="mask value of unlabelled pixels (default: 255)")
    parser.add_argument(
        "--image-size",
        type=int,
        help="side of the images that the models see, px (default: 64; of crops 256, or what fits)",
    )
    parser.add_argument(
        "--resize",
        choices=["auto", "stretch", "pad", "crop"],
        default="auto",
        help="squash images to a square, or train on crops of them (default: auto, by what survives of the masks)",
    )
    parser.add_argument(
        "--scale", type=float, help="of --resize crop: size at which images are kept, 1 for their own"
    )
    parser.add_argument(
        "--on-error",
        choices=["stop", "skip"],
        default="stop",
        help="what to do about unusable files (default: stop)",
    )
    parser.add_argument(
        "--sixteen-bits",
        choices=["full", "found"],
        default="full",
        help="scale 16-bit images by the full range, or by the bit depth found, such as 12 bits (default: full)",
    )
    parser.add_argument(
        "--alpha",
        choices=["matte", "drop"],
        default="matte",
        help="a fourth band is transparency, or is left out (default: matte)",
    )
    parser.add_argument(
        "--exif",
        choices=["apply", "ignore", "with_mask"],
        default="apply",
        help="turn images as their EXIF says, and masks not; neither; or both (default: apply)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    classes = _names(arguments.classes)
    values = None if arguments.mask_values is None else _values("--mask-values", arguments.mask_values)
    ignore = None if arguments.ignore_index is None else _values("--ignore-index", arguments.ignore_index)
    if ignore is not None and len(ignore) != 1:
        raise PipelineError(f"--ignore-index: expected one number, found {arguments.ignore_index!r}")

    from ae_pretrained.apps.init.create_project import create_project
    from ae_pretrained.apps.init.options import InitOptions
    from ae_pretrained.apps.init.sanity import NO_MASKS
    from ae_pretrained.sources.formats.detection import FORMATS

    if arguments.format is not None and arguments.format not in {*FORMATS, "folder"}:
        raise PipelineError(
            f"--format: expected one of folder, {', '.join(FORMATS)}; found {arguments.format!r}"
        )
    options = InitOptions(
        format=arguments.format,
        colors=tuple(filter(None, (word.strip() for word in (arguments.colors or "").split(",")))),
        binary=arguments.binary,
        empty_masks=arguments.empty_masks,
        unnamed_classes=arguments.unnamed_classes,
        group_by=arguments.group_by,
        leak_check=arguments.leak_check == "on",
        classes=classes,
        mask_values=values,
        ignore_index=None if ignore is None else ignore[0],
        resize=arguments.resize,
        scale=arguments.scale,
        image_size=arguments.image_size,
        on_error=arguments.on_error,
        sixteen_bits=arguments.sixteen_bits,
        alpha=arguments.alpha,
        exif=arguments.exif,
    )
    report = create_project(arguments.folder, arguments.images, options)
    print(report)
    print(f"\n{arguments.folder} is ready. Next:\n  cd {shlex.quote(str(arguments.folder))}")
    if NO_MASKS in report:
        print("  dvc repro train_ae\n  ae-pretrained label-next 20 --hold-out 0.2")
    else:
        print("  dvc repro")
    print("README.md there says more.")


def _names(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(","))
    if len(set(names)) != len(names) or not all(names):
        raise PipelineError(
            f"--classes: expected different names with commas between them, found {text!r}; for instance "
            "background,leaf,flower"
        )
    return names


def _values(option: str, text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    values = tuple(int(word) for word in words if word.isdecimal())
    if len(values) != len(words) or any(value > 255 for value in values) or len(set(values)) != len(values):
        raise PipelineError(f"{option}: expected different numbers from 0 to 255, found {text!r}")
    return values
