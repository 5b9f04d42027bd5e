"""The metrics of a run as a table on the terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ae_pretrained.errors import PipelineError
from ae_pretrained.report.comparison import HEADLINES, changes_since_commit
from ae_pretrained.report.numbers import format_number


def format_summary(metrics: Path, report: Path) -> str:
    """Headline figures of every stage, the scores per class, what changed since the commit, and where to look next.

    Raises:
        PipelineError: when there are no metrics yet.
    """
    files = [metrics / f"{stage}.json" for stage in HEADLINES]
    found = [file for file in files if file.is_file()]
    if not found:
        raise PipelineError(f"{metrics}: no metrics there; run `dvc repro` first")
    lines: list[str] = []
    for file in found:
        values = json.loads(file.read_text(encoding="utf-8"))
        shown = [(key, values[key]) for key in HEADLINES[file.stem] if key in values]
        lines += ["", f"{file.stem}"]
        lines += [f"  {key:<28}{_shown(value)}" for key, value in shown]
        lines += _class_table(values)
    lines += ["", *_since_commit(metrics)]
    lines += ["", f"Report: {report}", f"Plots:  {report.parent}/", f"Metrics: {metrics}/"]
    return "\n".join(lines[1:])


def _since_commit(metrics: Path) -> Iterator[str]:
    changes = changes_since_commit(metrics)
    if changes is None:
        yield "No committed run to compare with: `git commit` this one."
        return
    if not changes:
        yield "The same figures as in the last commit."
        return
    yield "  " + f"{'against the last commit':<40}{'before':>11}{'now':>11}{'change':>11}"
    for item in changes:
        figures = (format_number(item.before), format_number(item.now), f"{item.now - item.before:+.4g}")
        yield f"  {f'{item.stage}: {item.key}':<40}" + "".join(f"{figure:>11}" for figure in figures)


def _shown(value: Any) -> str:
    return " to ".join(map(format_number, value)) if isinstance(value, list) else format_number(value)


def _class_table(values: dict[str, Any]) -> Iterator[str]:
    columns = ("iou", "dice", "precision", "recall")
    rows = [
        (name, item)
        for name, item in values.items()
        if isinstance(item, dict) and all(column in item for column in columns)
    ]
    if rows:
        yield "  " + f"{'class':<28}" + "".join(f"{column:>11}" for column in columns)
    for name, item in rows:
        yield "  " + f"{name:<28}" + "".join(f"{item[column]:>11.4f}" for column in columns)
