"""Changing ``params.yaml`` without losing its comments, and telling two of them apart."""

from __future__ import annotations

import io
from typing import Any

from ruamel.yaml import YAML

Key = tuple[str, ...]
_MISSING = object()


def flatten(values: dict[str, Any], prefix: Key = ()) -> dict[Key, Any]:
    """Nested sections as one mapping from paths of names to values; lists count as values."""
    flat: dict[Key, Any] = {}
    for key, value in values.items():
        path = (*prefix, str(key))
        if isinstance(value, dict):
            flat |= flatten(value, path)
        else:
            flat[path] = value
    return flat


def changed_keys(
    before: dict[str, Any], after: dict[str, Any], prefix: Key = ()
) -> dict[Key, tuple[Any, Any]]:
    """Keys whose values differ, with both; None stands for an absent key.

    A section that one of the two does not have, or has a plain value in place of, counts as one key.
    """
    changed: dict[Key, tuple[Any, Any]] = {}
    for key in [*after, *(key for key in before if key not in after)]:
        path = (*prefix, str(key))
        old, new = before.get(key, _MISSING), after.get(key, _MISSING)
        if isinstance(old, dict) and isinstance(new, dict):
            changed |= changed_keys(old, new, path)
        elif old != new:
            changed[path] = (before.get(key), after.get(key))
    return changed


def set_values(text: str, values: dict[Key, Any]) -> str:
    """Set keys in the text of a YAML file; comments, order and quoting of everything else stay.

    A value of None removes its key.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    document = yaml.load(text)
    for path, value in values.items():
        section = document
        for name in path[:-1]:
            section = section.setdefault(name, {})
        if value is None:
            section.pop(path[-1], None)
        elif isinstance(value, list) and isinstance(section.get(path[-1]), list):
            section[path[-1]][:] = value
        else:
            section[path[-1]] = value
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    return buffer.getvalue()
