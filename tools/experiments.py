"""A short table of all experiments: what was varied, the headline figures, best first.

`dvc exp show` has a column for every one of some three hundred parameters, figures and dependencies, and gives
a failed experiment the figures of the commit that it started from. ``make experiments`` asks DVC for the same
data and prints the columns in which experiments differ.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ae_pretrained.errors import PipelineError
from ae_pretrained.params.editing import flatten
from tools.review.changes import ABSENT, format_value
from tools.review.directions import direction
from tools.review.page import markdown_table

FIGURES = (
    "eval_seg.mean_iou",
    "eval_seg.mean_foreground_dice",
    "eval_seg.boundary_iou",
    "robustness.mean_iou",
    "eval_ae.psnr",
)
"""Columns of figures unless others are asked for: stem of the metrics file, then the key in it."""


@dataclass(frozen=True)
class Experiment:
    """One row.

    Attributes:
        name: branch, short commit or name of the experiment.
        state: empty for a finished one, else what DVC calls it (``queued``, ``running``, ``failed``).
        params: dotted key to value.
        figures: ``stem.key`` to value; empty unless the experiment is finished.
    """

    name: str
    state: str
    params: dict[str, Any]
    figures: dict[str, Any]


def read_experiments(shown: list[dict[str, Any]]) -> list[Experiment]:
    """Commits and their experiments, from what ``dvc exp show --json`` prints; without the working tree."""
    found = []
    for commit in shown:
        if commit["rev"] == "workspace":
            continue
        found.append(_experiment(commit.get("name") or commit["rev"][:7], "", commit.get("data")))
        for item in commit.get("experiments") or []:
            state = (item.get("executor") or {}).get("state") or "success"
            newest = item["revs"][0]
            name = item.get("name") or newest["rev"][:7]
            found.append(_experiment(name, "" if state == "success" else state, newest.get("data")))
    return found


def _experiment(name: str, state: str, data: dict[str, Any] | None) -> Experiment:
    data = data or {}
    params: dict[str, Any] = {}
    figures: dict[str, Any] = {}
    for file in (data.get("params") or {}).values():
        params |= {".".join(key): value for key, value in flatten(file.get("data") or {}).items()}
    for path, file in (data.get("metrics") or {}).items():
        stem = PurePath(path).stem
        figures |= {".".join((stem, *key)): v for key, v in flatten(file.get("data") or {}).items()}
    return Experiment(name, state, params, {} if state else figures)


def format_experiments(experiments: list[Experiment], figures: Sequence[str], sort: str) -> str:
    """The table.

    Args:
        experiments: the rows; the first is the commit that the others are compared with.
        figures: which figures to show; one in which no two rows differ is left out.
        sort: figure by which the rows are ordered, best first; rows without it come last.

    Raises:
        PipelineError: when no experiment has one of the figures.
    """
    known = {key for item in experiments for key in item.figures}
    for name in (*figures, sort):
        if name not in known:
            close = ", ".join(sorted(key for key in known if key.endswith(name.rpartition(".")[2]))) or "none"
            raise PipelineError(f"figure {name!r}: no experiment has it; similar ones: {close}")
    varied = [
        key
        for key in dict.fromkeys(key for item in experiments for key in item.params)
        if len({json.dumps(item.params.get(key), sort_keys=True) for item in experiments}) > 1
    ]
    shown = [key for key in figures if key == sort or _differs(experiments, key)]
    file, _, key = sort.partition(".")
    sign = direction(file, key) or 1
    rows = sorted(experiments, key=lambda e: (sort not in e.figures, -sign * e.figures.get(sort, 0.0)))
    with_state = any(item.state for item in experiments)
    head = ("experiment", *(("state",) if with_state else ()), *varied, *shown)
    cells = [
        (
            item.name,
            *((item.state,) if with_state else ()),
            *(str(item.params.get(key, "–")) for key in varied),
            *(format_value(item.figures.get(key, ABSENT)) for key in shown),
        )
        for item in rows
    ]
    return "\n".join(markdown_table(head, cells, range(len(head) - len(shown), len(head)), aligned=True))


def _differs(experiments: list[Experiment], key: str) -> bool:
    return len({format_value(item.figures[key]) for item in experiments if key in item.figures}) > 1


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.experiments", description=__doc__)
    parser.add_argument(
        "--figures", nargs="+", default=FIGURES, metavar="FILE.KEY", help="columns of figures"
    )
    parser.add_argument(
        "--sort", default="eval_seg.mean_iou", metavar="FILE.KEY", help="default: %(default)s"
    )
    parser.add_argument("--num", type=int, default=1, help="commits to look back (default: %(default)s)")
    arguments = parser.parse_args(argv)
    command = [sys.executable, "-m", "dvc", "exp", "show", "--json", "--num", str(arguments.num)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr.strip(), file=sys.stderr)
        return done.returncode
    try:
        experiments = read_experiments(json.loads(done.stdout))
        print(format_experiments(experiments, arguments.figures, arguments.sort), flush=True)
    except PipelineError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        sys.stderr.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
