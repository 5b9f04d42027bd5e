"""``ae-pretrained labels``: corrected masks into the project in the current folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ae_pretrained.apps.labels.take_labels import TakenLabels

_EPILOG = """\
Reads labelme's JSON files, CVAT's annotations.xml ("CVAT for images 1.1", unpacked) or masks/NAME.png. Masks go to
data/labels/ of the project; the next `dvc repro` trains on them, and never evaluates on them. Exit code: 0; 2 when
some files were not taken (the others were); 1 when none was.
"""
LABELS = Path("data/labels")
_MOST = 20


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("labels", help="add corrected masks to what is trained on", epilog=_EPILOG)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the corrected files")
    parser.add_argument(
        "--drafts", type=Path, help="folder that the drafts were written to, if FOLDER is another one"
    )
    parser.add_argument(
        "--accept-untouched",
        action="store_true",
        help="take drafts that nobody changed: they are right as they are",
    )
    parser.add_argument(
        "--replace", action="store_true", help="replace masks that an earlier call added and that differ now"
    )
    parser.add_argument("--dry-run", action="store_true", help="report, and write nothing")
    parser.add_argument(
        "--params", type=Path, default=Path("params.yaml"), help="parameter file (default: %(default)s)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    from ae_pretrained.apps.labels.take_labels import take_labels
    from ae_pretrained.params import load_params
    from ae_pretrained.sources.added_masks import AddedMasks

    taken = take_labels(
        arguments.folder,
        load_params(arguments.params).data,
        AddedMasks(LABELS),
        drafts_folder=arguments.drafts,
        accept_untouched=arguments.accept_untouched,
        replace=arguments.replace,
        dry_run=arguments.dry_run,
    )
    print(summary(taken, arguments.dry_run))
    done = len(taken.added) + len(taken.replaced) + len(taken.unchanged)
    return 0 if not (taken.problems or taken.untouched) else 2 if done else 1


def summary(taken: TakenLabels, dry_run: bool = False) -> str:
    """What came of the files, as text."""
    from ae_pretrained.metrics.confusion import iou_per_class
    from ae_pretrained.names import shown_lines

    would = "would be " if dry_run else ""
    lines = [f"{len(taken.added)} masks {would}added to {LABELS.as_posix()}, for training"]
    if taken.replaced:
        lines.append(f"{len(taken.replaced)} masks {would}replaced")
    if taken.unchanged:
        lines.append(f"{len(taken.unchanged)} masks were there already")
    if taken.compared:
        width = max(5, *(len(name) for name in taken.classes))
        lines.append(f"Drafts against corrections, {taken.compared} masks:")
        lines.append(f"  {'class':<{width}}  {'IoU':>6}  {'drafted px':>12}  {'corrected px':>12}")
        iou, before, after = iou_per_class(taken.confusion), taken.confusion.sum(1), taken.confusion.sum(0)
        for number, name in enumerate(taken.classes):
            share = "–" if before[number] + after[number] == 0 else f"{iou[number]:.3f}"
            lines.append(f"  {name:<{width}}  {share:>6}  {before[number]:>12}  {after[number]:>12}")
    if taken.untouched:
        lines.append(
            f"{len(taken.untouched)} drafts were not taken, since nobody changed them. Right as they are? Tick "
            "'checked' in labelme, or call again with --accept-untouched:"
        )
        lines += _shortened(taken.untouched)
    if taken.problems:
        lines.append(f"{len(taken.problems)} files were not taken:")
        lines += _shortened(taken.problems, len(taken.problems))
    lines += [f"note: {note}" for note in taken.notes]
    if (taken.added or taken.replaced) and not dry_run:
        lines.append("Next: git add data/labels, and dvc repro (or dvc exp run)")
    return shown_lines("\n".join(lines))


def _shortened(lines: list[str], most: int = _MOST) -> list[str]:
    more = [f"  … and {len(lines) - most} more"] if len(lines) > most else []
    return [*(f"  {line}" for line in lines[:most]), *more]
