"""The CSV plots of dvc.yaml at a glance: last and best value, and a line of block characters."""

from __future__ import annotations

import csv
import io
import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ae_pretrained.errors import PipelineError
from tools.review.changes import read_yaml
from tools.review.directions import Direction, direction
from tools.review.revisions import Snapshot

_BLOCKS = "▁▂▃▄▅▆▇█"
_WIDTH = 20  # characters of a line


@dataclass(frozen=True)
class Curve:
    """One line of a plot in both states.

    Attributes:
        title: of the plot.
        label: field, and the group where the file holds several lines.
        sign: whether high values are welcome.
        before: values along the x axis in the base, None where it has no such line.
        after: the same here.
    """

    title: str
    label: str
    sign: Direction
    before: list[float] | None
    after: list[float] | None

    @property
    def changed(self) -> bool:
        return repr(self.before) != repr(self.after)  # NaN is not equal to itself

    def best(self, values: list[float]) -> float | None:
        finite = [value for value in values if math.isfinite(value)]
        if not finite or self.sign is Direction.NEUTRAL:
            return None
        return max(finite) if self.sign is Direction.HIGHER else min(finite)

    def lines(self) -> tuple[str, str]:
        """Both states on one scale."""
        both = [value for value in (self.before or []) + (self.after or []) if math.isfinite(value)]
        low, high = (min(both), max(both)) if both else (0.0, 0.0)
        return tuple(sparkline(values or [], low, high) for values in (self.before, self.after))  # type: ignore[return-value]


def sparkline(values: list[float], low: float, high: float) -> str:
    """Values as block characters between two bounds; a dot for one that is no number.

    More values than fit are averaged in equal runs.
    """
    if len(values) > _WIDTH:
        cuts = [round(i * len(values) / _WIDTH) for i in range(_WIDTH + 1)]
        runs = [values[a:b] for a, b in itertools.pairwise(cuts)]
        values = [sum(run) / len(run) for run in runs]
    scale = (len(_BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BLOCKS[round((v - low) * scale)] if math.isfinite(v) else "·" for v in values)


def curve_changes(base: Snapshot, here: Snapshot) -> list[Curve]:
    """Every line of a CSV plot in Git that differs, in the order of dvc.yaml."""
    found = []
    for title, file, field in _plotted(here):
        before, after = _series(base, file, field), _series(here, file, field)
        sign = direction(PurePath(file).stem, field) or Direction.NEUTRAL
        for group in [*after, *(group for group in before if group not in after)]:
            label = f"{field}, {group}" if group else field
            found.append(Curve(title, label, sign, before.get(group), after.get(group)))
    return [curve for curve in found if curve.changed]


def _plotted(state: Snapshot) -> Iterator[tuple[str, str, str]]:
    """Title, file and field of every line in the plots of dvc.yaml."""
    for entry in read_yaml(state, "dvc.yaml").get("plots", []):
        if not isinstance(entry, dict):
            continue
        for name, options in entry.items():
            y = (options or {}).get("y")
            for file, fields in y.items() if isinstance(y, dict) else ():
                for field in _listed(fields):
                    yield str(options.get("title", name)), str(file), str(field)


def _listed(fields: Any) -> Iterable[Any]:
    return fields if isinstance(fields, list) else [fields]


def _series(state: Snapshot, file: str, field: str) -> dict[str, list[float]]:
    """Values of a field by group; the group is what the columns of text say, empty where there are none.

    A field of words, such as the classes that a confusion plot counts, has no values.
    """
    content = state.read(file)
    if content is None:
        return {}
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8"))))
    series: dict[str, list[float]] = {}
    texts = [name for name in (rows[0] if rows else []) if any(_number(row[name]) is None for row in rows)]
    for row in rows:
        if field not in row:
            raise PipelineError(f"{file} ({state.name}): expected a column {field!r}, found {list(row)}")
        group = " ".join(str(row[name]) for name in texts if name != field)
        value = _number(row[field])
        series.setdefault(group, []).append(math.nan if value is None else value)
    return {} if rows and all(_number(row[field]) is None for row in rows) else series


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return None
