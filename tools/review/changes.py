"""What differs between two states: parameters and metrics."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from ae_pretrained.errors import PipelineError
from ae_pretrained.params.editing import changed_keys, flatten
from tools.review.directions import Direction, direction
from tools.review.revisions import Snapshot

ABSENT = object()
"""Stands for a key that one of the states does not have."""


@dataclass(frozen=True)
class Change:
    """One figure in both states.

    Attributes:
        file: metrics file, relative to the project.
        key: dotted key in it.
        before: value in the base, or ``ABSENT``.
        after: value here, or ``ABSENT``.
    """

    file: str
    key: str
    before: Any
    after: Any

    @property
    def welcome(self) -> bool | None:
        """Whether the change is for the better; None where that cannot be said."""
        sign = direction(PurePath(self.file).stem, self.key)
        if sign in (None, Direction.NEUTRAL) or not (is_number(self.before) and is_number(self.after)):
            return None
        if math.isnan(self.after) or math.isnan(self.before):
            return None if math.isnan(self.after) and math.isnan(self.before) else math.isnan(self.before)
        return None if self.after == self.before else (self.after - self.before) * int(sign or 0) > 0

    @property
    def visible(self) -> bool:
        """Whether it shows in the digits that are printed."""
        return format_value(self.before) != format_value(self.after)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def format_value(value: Any) -> str:
    """Four decimals, three significant digits below 0.1, counts whole; a dash for what is absent."""
    if value is ABSENT:
        return "–"
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if math.isnan(value):
            return "**NaN**"
        return f"{value:.4f}" if abs(value) >= 0.1 or value == 0 else f"{value:#.3g}"
    if isinstance(value, list):
        return "[" + ", ".join(format_value(item) for item in value) + "]"
    return str(value)


def format_difference(before: Any, after: Any) -> str:
    """The signed difference in the digits that its terms are shown in; empty where there is none."""
    if not (is_number(before) and is_number(after)) or math.isnan(before) or math.isnan(after):
        return ""
    value = after - before
    if isinstance(value, int):
        text = f"{value:+,}"
    else:
        text = f"{value:+.4f}" if max(abs(before), abs(after)) >= 0.1 else f"{value:+.3g}"
    return text.replace("-", "−")


def read_yaml(state: Snapshot, path: str) -> dict[str, Any]:
    """A YAML file as plain values; empty where the state has no such file.

    Raises:
        PipelineError: when the file is no YAML mapping, for instance after a merge conflict.
    """
    content = state.read(path)
    if content is None:
        return {}
    try:
        values = YAML(typ="safe", pure=True).load(content.decode("utf-8"))
    except (YAMLError, UnicodeDecodeError) as error:
        raise PipelineError(f"{path} ({state.name}): not valid YAML; mend it first\n{error}") from None
    if not isinstance(values, dict):
        raise PipelineError(f"{path} ({state.name}): expected a mapping, found {type(values).__name__}")
    return values


def params_changes(base: Snapshot, here: Snapshot) -> list[tuple[str, Any, Any]]:
    """Every parameter that differs: dotted key, value in the base, value here."""
    before, after = read_yaml(base, "params.yaml"), read_yaml(here, "params.yaml")
    known = flatten(before), flatten(after)
    return [
        (".".join(key), *(values.get(key, ABSENT) for values in known)) for key in changed_keys(before, after)
    ]


def read_metrics(state: Snapshot) -> dict[tuple[str, str], Any]:
    """All figures of ``metrics/*.json`` by file and dotted key.

    Raises:
        PipelineError: for a file that is no JSON object.
    """
    figures: dict[tuple[str, str], Any] = {}
    for file in state.names("metrics", ".json"):
        try:
            values = json.loads((state.read(file) or b"").decode("utf-8"))
        except ValueError as error:
            raise PipelineError(f"{file} ({state.name}): not valid JSON ({error}); run dvc repro") from None
        if not isinstance(values, dict):
            raise PipelineError(f"{file} ({state.name}): expected an object, found {type(values).__name__}")
        figures |= {(file, ".".join(key)): value for key, value in flatten(values).items()}
    return figures


def metrics_changes(base: Snapshot, here: Snapshot) -> list[Change]:
    """Every figure that differs, in the order of the files."""
    before, after = read_metrics(base), read_metrics(here)
    changes = [
        Change(*name, before.get(name, ABSENT), after.get(name, ABSENT))
        for name in [*after, *(name for name in before if name not in after)]
    ]
    return [change for change in changes if not _same(change.before, change.after)]


def _same(before: Any, after: Any) -> bool:
    both_nan = all(isinstance(value, float) and math.isnan(value) for value in (before, after))
    return both_nan or (before is not ABSENT and after is not ABSENT and before == after)
