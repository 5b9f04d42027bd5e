"""``ae-pretrained label-next``: which images of a project to label next."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ae_pretrained.selection.choices import Selection

_EPILOG = """\
Run in a project after `dvc repro`. Writes label_next.csv and label_next.png, and prints the table. The images that
are chosen are for train: val and test are fixed before (docs/how-to/label-next.md).
"""
_WIDEST = 56


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("label-next", help="which images to label next", epilog=_EPILOG)
    parser.add_argument("count", metavar="N", type=int, help="how many images")
    parser.add_argument(
        "--strategy",
        choices=("coverage", "uncertain", "random", "stratified"),
        default="coverage",
        help="coverage: images that stand for all others; uncertain: the same among those of which the segmenter is "
        "least sure; random; stratified: in turn from each predicted class (default: %(default)s)",
    )
    parser.add_argument(
        "--hold-out",
        type=float,
        metavar="SHARE",
        help="fix val and test first: write val.txt and test.txt with what is in them now, filled up at random to "
        "this share of all images each (0: as they are)",
    )
    parser.add_argument(
        "--prelabel",
        choices=("labelme", "cvat", "png"),
        help="write what the segmenter says of them into a new folder, to be corrected in an annotation tool",
    )
    parser.add_argument(
        "--drafts", type=Path, default=Path("drafts"), help="folder of --prelabel (default: %(default)s)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path(), help="folder of the two files (default: the project)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from ae_pretrained.errors import PipelineError
    from ae_pretrained.evaluation.inference import best_compute
    from ae_pretrained.memory import keep_freed_memory
    from ae_pretrained.names import shown
    from ae_pretrained.params import load_params
    from ae_pretrained.prediction.drafts import is_taken, write_drafts
    from ae_pretrained.selection.choose_images import choose_images

    keep_freed_memory()
    params = load_params(Path("params.yaml"))
    segmenter, drafts = Path("models/segmenter.safetensors"), arguments.drafts
    if arguments.prelabel:  # before any work, and before val and test are written
        if not segmenter.is_file():
            raise PipelineError(
                f"{segmenter}: no segmenter yet, and --prelabel asks it; run `dvc repro train_seg` first, or draw "
                "the first masks without drafts"
            )
        if is_taken(drafts):
            raise PipelineError(
                f"{drafts}: is not empty; name a new folder with --drafts, nothing is overwritten"
            )
    selection = choose_images(
        Path(),
        params,
        arguments.count,
        arguments.strategy,
        best_compute(params.runtime.accelerator, params.runtime.threads),
        arguments.out,
        arguments.hold_out,
    )
    print(format_selection(selection, arguments.out))
    if arguments.prelabel:
        images = {choice.name: choice.image for choice in selection.choices}
        result = write_drafts(images, drafts, arguments.prelabel, model=segmenter)
        for error in result.unreadable.values():
            print(f"note: {shown(error)}")
        print(
            f"{len(result.written)} drafts in {shown(drafts)}: correct them, then `ae-pretrained labels {drafts}`"
        )


def format_selection(selection: Selection, out: Path) -> str:
    """What was chosen and why, as a table, and what to do with it."""
    from math import isnan

    from ae_pretrained.names import shown
    from ae_pretrained.selection.choices import SHEET, TABLE

    lines = [f"note: {shown(note)}" for note in selection.notes]
    if held := selection.hold_out:
        sizes = " and ".join(f"{len(names)} images in {split}.txt" for split, names in held.names.items())
        lines.append(f"val and test are fixed: {sizes}, {len(held.unlabelled)} of them without a mask")
        if held.unlabelled:
            lines.append("label these too, whatever they show: until then they are not measured")
    names = [shown(item.name) for item in selection.choices]
    width = min(_WIDEST, max(5, *map(len, names)))
    entropies = any(not isnan(item.entropy) for item in selection.choices)
    heading = f"{'rank':>4}  {'image':<{width}}  {'stands for':>10}  {'nearest labelled':>16}"
    lines.append(heading + ("  entropy  predicted" if entropies else ""))
    for rank, (name, item) in enumerate(zip(names, selection.choices, strict=True), start=1):
        short = name if len(name) <= width else f"…{name[1 - width :]}"
        nearest = "none yet" if isnan(item.nearest) else f"{item.nearest:.2f}"
        line = f"{rank:>4}  {short:<{width}}  {item.share:>10.1%}  {nearest:>16}"
        lines.append(line + (f"  {item.entropy:>7.3f}  {shown(item.predicted)}" if entropies else ""))
    lines.append(
        f"{shown(out / TABLE)} and {shown(out / SHEET)}: label these, add the masks, then `dvc repro`"
    )
    return "\n".join(lines)
