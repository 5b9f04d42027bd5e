"""``ae-pretrained study``: make a study in a project, and the steps that its ``dvc.yaml`` calls."""

from __future__ import annotations

import argparse
from pathlib import Path

FOLDER, SEEDS = Path("study"), 3

_EPILOG = """\
Run in a project after `dvc repro`: writes study/grid.yaml and study/dvc.yaml. `dvc repro study/dvc.yaml` then trains
from scratch, from the autoencoder and from an ImageNet encoder on shares of your masks, and says what pretraining
saves and what more masks would bring (docs/how-to/study.md). It can be stopped and goes on where it was.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "study", help="does pretraining save labels here, and what would more masks bring?", epilog=_EPILOG
    )
    parser.set_defaults(run=_new, folder=FOLDER, seeds=SEEDS)
    steps = parser.add_subparsers(dest="step", metavar="STEP")

    def step(name: str, text: str) -> argparse.ArgumentParser:
        added = steps.add_parser(name, help=text)
        added.add_argument(
            "folder", nargs="?", type=Path, default=FOLDER, help="of the study (default: %(default)s)"
        )
        return added

    new = step("new", "make a study of this project (the default)")
    new.add_argument(
        "--seeds",
        type=int,
        default=SEEDS,
        metavar="N",
        help="trainings of each kind, each with its own choice of masks",
    )
    new.set_defaults(run=_new)
    step("prepare", "prepare the images of a study that has params.yaml of its own").set_defaults(
        run=_prepare
    )
    pretrain = step("pretrain", "pretrain the autoencoders that missing cells start from")
    pretrain.add_argument("names", nargs="*", metavar="NAME", help="these alone")
    pretrain.set_defaults(run=_pretrain)
    cells = step("cells", "run the cells that have no record yet")
    cells.add_argument(
        "--engine",
        choices=("local", "ray", "list"),
        default="local",
        help="local: one after the other, here; ray: on a Ray cluster; list: print the commands, run none",
    )
    cells.add_argument(
        "--cluster", metavar="HOST:PORT", help="of --engine ray (default: RAY_ADDRESS, or this machine)"
    )
    cells.set_defaults(run=_cells)
    cell = steps.add_parser("cell", help="run one cell")
    cell.add_argument("folder", type=Path, help="of the study")
    cell.add_argument("arm")
    cell.add_argument("share", metavar="run", help="share of the labels x updates, such as 0.05x2500")
    cell.add_argument("seed", type=int)
    cell.set_defaults(run=_cell)
    step("summarise", "tables, figure and answer").set_defaults(run=_summarise)


def _new(arguments: argparse.Namespace) -> None:
    from ae_pretrained.apps.study.new_study import write_study

    made = write_study(arguments.folder, arguments.seeds)
    for line in made:
        print(line)
    print(f"Next: dvc repro {arguments.folder}/dvc.yaml")


def _prepare(arguments: argparse.Namespace) -> None:
    from ae_pretrained.study.images import prepare_images
    from ae_pretrained.study.layout import Study

    prepare_images(Study(arguments.folder))


def _pretrain(arguments: argparse.Namespace) -> None:
    from ae_pretrained.memory import keep_freed_memory
    from ae_pretrained.study.cells import pretrain_for_missing
    from ae_pretrained.study.layout import Study

    keep_freed_memory()
    pretrain_for_missing(Study(arguments.folder), arguments.names)


def _cells(arguments: argparse.Namespace) -> None:
    from ae_pretrained.memory import keep_freed_memory
    from ae_pretrained.study.cells import run_missing
    from ae_pretrained.study.layout import Study

    keep_freed_memory()
    run_missing(Study(arguments.folder), arguments.engine, arguments.cluster)


def _cell(arguments: argparse.Namespace) -> None:
    from ae_pretrained.memory import keep_freed_memory
    from ae_pretrained.study.cells import run_one
    from ae_pretrained.study.layout import Study

    keep_freed_memory()
    run_one(Study(arguments.folder), arguments.arm, arguments.share, arguments.seed)


def _summarise(arguments: argparse.Namespace) -> None:
    from ae_pretrained.study.layout import Study
    from ae_pretrained.study.summarise import write_results

    write_results(Study(arguments.folder))
