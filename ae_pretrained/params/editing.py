"""Changing ``params.yaml`` without losing its comments, and undoing what an experiment put into it."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML

from ae_pretrained.files import write_text
from ae_pretrained.params.reading import read_params

Key = tuple[str, ...]
_MISSING = object()


def flatten(values: dict[str, Any], prefix: Key = ()) -> dict[Key, Any]:
    """Nested sections as one mapping from dotted paths to values; lists count as values."""
    flat: dict[Key, Any] = {}
    for key, value in values.items():
        path = (*prefix, str(key))
        if isinstance(value, dict):
            flat |= flatten(value, path)
        else:
            flat[path] = value
    return flat


def changed_keys(before: dict[str, Any], after: dict[str, Any]) -> dict[Key, tuple[Any, Any]]:
    """Keys whose values differ, with both; None stands for an absent key."""
    old, new = flatten(before), flatten(after)
    keys = [*new, *(key for key in old if key not in new)]
    return {
        key: (old.get(key), new.get(key)) for key in keys if old.get(key, _MISSING) != new.get(key, _MISSING)
    }


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


def experiment_overrides() -> set[Key]:
    """The keys that ``dvc exp run -S KEY=VALUE`` has set, when this process runs below such a command.

    DVC writes them into params.yaml before any stage runs and leaves them there when a stage fails. It tells
    its stages that an experiment is running, but not what was set; the command line does.
    """
    keys: set[Key] = set()
    for process in psutil.Process().parents():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if "exp" not in words or "run" not in words:
            continue
        for position, word in enumerate(words):
            if word in ("-S", "--set-param") and position + 1 < len(words):
                assignment = words[position + 1]
            elif word.startswith("--set-param="):
                assignment = word.removeprefix("--set-param=")
            elif word.startswith("-S") and not word.startswith("--") and "=" in word:
                assignment = word[2:]
            else:
                continue
            name = assignment.partition("=")[0].strip().lstrip("+~").rpartition(":")[2]
            keys.add(tuple(name.split(".")))
    return keys


def committed_text(path: Path, revision: str) -> str | None:
    """The file as it stands in a Git revision, or None where it does not."""
    command = ["git", "-C", str(path.resolve().parent), "show", f"{revision}:./{path.name}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def restore(path: Path, keys: Iterable[Key], references: Iterable[str]) -> list[str]:
    """Give keys of a params file their former values back.

    Args:
        path: the params file.
        keys: what to restore; a key that no reference holds is removed.
        references: texts to take the values from. One that agrees with the file in every other key is what
            the file was before, and comes first; otherwise their order counts. When the result says the same
            as a reference, that text is written as it is, so that not even the layout changes.

    Returns:
        A line for every key that was put back.
    """
    keys = set(keys)
    current = flatten(read_params(path))
    parsed = [(text, flatten(YAML(typ="safe", pure=True).load(text))) for text in references]

    def differs_elsewhere(reference: tuple[str, dict[Key, Any]]) -> bool:
        _, values = reference
        return any(current.get(key) != values.get(key) for key in (current.keys() | values.keys()) - keys)

    parsed.sort(key=differs_elsewhere)
    values, lines = {}, []
    for key in sorted(keys):
        former = next((reference[key] for _, reference in parsed if key in reference), None)
        if current.get(key) != former:
            values[key] = former
            lines.append(f"{'.'.join(key)}: {current.get(key)!r} -> {former!r}")
    text = set_values(path.read_text(encoding="utf-8"), values)
    result = flatten(YAML(typ="safe", pure=True).load(text))
    text = next((reference for reference, same in parsed if same == result), text)
    write_text(path, text)
    return lines
