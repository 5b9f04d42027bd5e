"""Named sets of parameters and how one is written into ``params.yaml``.

A preset is a YAML file that holds the keys in which any preset differs from the committed default, so that nothing
of the preset before is left; everything else keeps its value. ``extends: NAME`` takes over another preset of the same
folder, whose values give way to the file's own. Writing one keeps the comments of params.yaml.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from ae_pretrained.files import write_text
from ae_pretrained.params.editing import Key, changed_keys, flatten, set_values
from ae_pretrained.params.reading import ParamsError, read_params, validate_params


def list_presets(folder: Path) -> dict[str, str]:
    """Names of the presets in a folder, each with the first line of its leading comment."""
    presets = {}
    for path in sorted(folder.glob("*.yaml")):
        first = path.read_text(encoding="utf-8").splitlines()[0]
        presets[path.stem] = first.lstrip("# ").strip()
    return presets


def read_preset(name: str, folder: Path) -> dict[Key, Any]:
    """Every value that a preset sets, its own and those of the presets that it extends.

    Raises:
        ParamsError: for an unknown preset, or one that extends itself in the end.
    """
    return _read_extended([name], folder)


def _read_extended(chain: list[str], folder: Path) -> dict[Key, Any]:
    """The last preset of a chain, in which each extends the next."""
    *before, name = chain
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(list_presets(folder)) or "none"
        wanted = f", which {before[-1]} extends," if before else ""
        raise ParamsError(f"preset {name!r}{wanted} is unknown; there are: {known} (in {folder}/)")
    if name in before:
        raise ParamsError(f"{path}: extends itself: {' -> '.join(chain)}")
    values = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    base = values.pop("extends", None)
    return (_read_extended([*chain, base], folder) if base else {}) | flatten(values)


def apply_preset(name: str, folder: Path, params_file: Path) -> dict[Key, tuple[Any, Any]]:
    """Write a preset into a params file.

    Args:
        name: the preset.
        folder: where presets are.
        params_file: the file to change; it is changed only if the outcome is valid.

    Returns:
        Every key that changed, with its value before and after.

    Raises:
        ParamsError: for an unknown preset, or when the outcome would not be valid.
    """
    before = read_params(params_file)
    preset = read_preset(name, folder)
    known_keys = flatten(before)
    unknown = [key for key in preset if key not in known_keys]
    if unknown:
        names = ", ".join(".".join(key) for key in unknown)
        raise ParamsError(f"preset {name!r} in {folder}/: keys that {params_file} does not have: {names}")
    text = set_values(params_file.read_text(encoding="utf-8"), preset)
    after = YAML(typ="safe", pure=True).load(text)
    validate_params(after, f"{params_file} with preset {name!r}")
    write_text(params_file, text)
    return changed_keys(before, after)
