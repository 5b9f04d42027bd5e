"""The command ``ae-pretrained``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ae_pretrained.apps import label_next, predict, stage_command
from ae_pretrained.apps.demo import demo_command
from ae_pretrained.apps.export import export_command
from ae_pretrained.apps.init import init_command
from ae_pretrained.apps.labels import labels_command
from ae_pretrained.apps.study import study_command
from ae_pretrained.errors import PipelineError, unwritable
from ae_pretrained.names import shown_lines


def _validate(arguments: argparse.Namespace) -> None:
    from ae_pretrained.params import load_params

    load_params(arguments.params)
    print(f"{arguments.params}: valid")


def _preset(arguments: argparse.Namespace) -> None:
    from ae_pretrained.params.presets import apply_preset, list_presets

    if arguments.name is None:
        for name, line in list_presets(arguments.folder).items():
            print(f"{name:<12}{line}")
        return
    changes = apply_preset(arguments.name, arguments.folder, arguments.params)
    for key, (before, after) in changes.items():
        print(f"{'.'.join(key)}: {before} -> {after}")
    print(f"{len(changes)} values changed in {arguments.params}. Next: dvc repro")


def _summary(arguments: argparse.Namespace) -> None:
    from ae_pretrained.apps.summary import format_summary

    print(format_summary(arguments.metrics, arguments.report))


def _report(arguments: argparse.Namespace) -> None:
    from ae_pretrained.params import read_params
    from ae_pretrained.report.build import build_report
    from ae_pretrained.report.comparison import changes_since_commit

    build_report(
        read_params(arguments.params),
        arguments.metrics,
        arguments.plots,
        arguments.out,
        partial=True,
        changes=changes_since_commit(arguments.metrics),
    )
    print(arguments.out)


def build_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported before a command runs."""
    parser = argparse.ArgumentParser(
        prog="ae-pretrained", description="Autoencoder pretraining and transfer to segmentation."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    params_help = "parameter file (default: %(default)s)"

    validate = commands.add_parser("validate", help="check params.yaml against the schema")
    validate.add_argument("params", nargs="?", type=Path, default=Path("params.yaml"), help=params_help)
    validate.set_defaults(run=_validate)

    preset = commands.add_parser("preset", help="write a named set of values into params.yaml")
    preset.add_argument("name", nargs="?", help="the preset; without it, the list of presets")
    preset.add_argument("--params", type=Path, default=Path("params.yaml"), help=params_help)
    preset.add_argument(
        "--folder", type=Path, default=Path("presets"), help="folder of presets (default: %(default)s)"
    )
    preset.set_defaults(run=_preset)

    summary = commands.add_parser("summary", help="print the metrics of the last run as a table")
    summary.add_argument("--metrics", type=Path, default=Path("metrics"), help="default: %(default)s")
    summary.add_argument(
        "--report", type=Path, default=Path("plots/report.html"), help="default: %(default)s"
    )
    summary.set_defaults(run=_summary)
    report = commands.add_parser(
        "report", help="write a page of what is there of a run, with what changed since the last commit"
    )
    report.add_argument("--params", type=Path, default=Path("params.yaml"), help=params_help)
    report.add_argument("--metrics", type=Path, default=Path("metrics"), help="default: %(default)s")
    report.add_argument("--plots", type=Path, default=Path("plots"), help="default: %(default)s")
    report.add_argument("--out", type=Path, default=Path("logs/report.html"), help="default: %(default)s")
    report.set_defaults(run=_report)
    init_command.add_parser(commands)
    stage_command.add_parser(commands)
    predict.add_parser(commands)
    labels_command.add_parser(commands)
    study_command.add_parser(commands)
    label_next.add_parser(commands)
    demo_command.add_parser(commands)
    export_command.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = build_parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or 0)
    except PipelineError as error:
        print(f"ERROR: {shown_lines(str(error))}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        return 0
    except OSError as error:
        if (sentence := unwritable(error)) is None:
            raise
        print(f"ERROR: {shown_lines(sentence)}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
