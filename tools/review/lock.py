"""What dvc.lock says: which stages have other inputs and outputs, and whether it fits the files beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ae_pretrained.params.editing import changed_keys, flatten
from tools.review.changes import read_yaml
from tools.review.revisions import Snapshot


@dataclass(frozen=True)
class StageChange:
    """How the record of a stage differs.

    Attributes:
        name: the stage; ``note`` says whether it is new or gone.
        inputs: dependencies and parameters that changed, appeared or went.
        outputs: what it wrote that is not the same any more.
    """

    name: str
    note: str
    inputs: list[str]
    outputs: list[str]


def stage_changes(base: Snapshot, here: Snapshot) -> list[StageChange]:
    """Stages whose record in dvc.lock differs, in the order of the lock."""
    before, after = (_stages(state) for state in (base, here))
    changes = []
    for name in [*after, *(name for name in before if name not in after)]:
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        note = "new" if old is None else "gone" if new is None else ""
        old, new = old or {}, new or {}
        inputs = _paths(old, new, "deps") + [f"`{key}`" for key in _params(old, new)]
        if old.get("cmd") != new.get("cmd") and not note:
            inputs.insert(0, "its command")
        changes.append(StageChange(name, note, inputs, _paths(old, new, "outs")))
    return changes


def inconsistencies(state: Snapshot) -> list[str]:
    """Where dvc.lock does not fit the parameters, code and results in Git, as sentences: what is not current.

    Only files that Git tracks are looked at; data and weights are DVC's own business.
    """
    found = []
    params = {".".join(key): value for key, value in flatten(read_yaml(state, "params.yaml")).items()}
    tracked = state.tracked()
    for name, stage in _stages(state).items():
        ran_with = _locked_params(stage)
        inputs = [f"`{key}`" for key, value in ran_with.items() if params.get(key) != value]
        inputs += _differing(state, tracked, stage.get("deps", []))
        if inputs:
            found.append(f"{', '.join(shortened(inputs))} changed since stage {name} ran: run `dvc repro`.")
        for path in _differing(state, tracked, stage.get("outs", [])):
            found.append(f"{path} is not what stage {name} wrote: run `dvc repro`.")
    return found


def shortened(items: list[str], most: int = 6) -> Iterator[str]:
    """The first items, and how many more there are."""
    yield from items[:most]
    if len(items) > most:
        yield f"and {len(items) - most} more"


def _differing(state: Snapshot, tracked: frozenset[str], items: list[dict[str, Any]]) -> list[str]:
    """Paths in Git whose content is not what the lock recorded."""
    paths = []
    for item in items:
        path = item["path"]
        if path in tracked:
            same = _md5(state.read(path) or b"") == item["md5"]
        elif inside := sorted(name for name in tracked if name.startswith(f"{path}/")):
            same = _folder_md5(state, path, inside) == item["md5"]
        else:
            continue
        if not same:
            paths.append(f"`{path}`")
    return paths


def _folder_md5(state: Snapshot, folder: str, paths: list[str]) -> str:
    """DVC's hash of a folder: that of the JSON list of its files, by relative path."""
    entries = [{"md5": _md5(state.read(p) or b""), "relpath": p[len(folder) + 1 :]} for p in paths]
    entries.sort(key=lambda entry: tuple(entry["relpath"].split("/")))
    return _md5(json.dumps(entries, sort_keys=True).encode()) + ".dir"


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def _stages(state: Snapshot) -> dict[str, Any]:
    return read_yaml(state, "dvc.lock").get("stages") or {}


def _locked_params(stage: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for values in (stage.get("params") or {}).values():
        flat |= {".".join(key): value for key, value in flatten(values).items()}
    return flat


def _params(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    changed = changed_keys(_locked_params(old), _locked_params(new))
    return [".".join(key) for key in changed]


def _paths(old: dict[str, Any], new: dict[str, Any], kind: str) -> list[str]:
    before, after = ({item["path"]: item for item in stage.get(kind, [])} for stage in (old, new))
    lines = []
    for path in sorted(before.keys() | after.keys()):
        if path not in before or path not in after:
            lines.append(f"{path} ({'new' if path in after else 'gone'})")
        elif before[path].get("md5") != after[path].get("md5"):
            files = after[path].get("nfiles")
            lines.append(f"{path} ({files} files)" if files and files > 1 else path)
    return lines
