"""Reading and checking ``params.yaml``; errors name every key at fault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import YAMLError

from ae_pretrained.errors import PipelineError
from ae_pretrained.params.schema import Params


class ParamsError(PipelineError):
    """``params.yaml`` holds something that the pipeline cannot use; the text names every key at fault."""


def _location(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts) or "params"


def _describe(error: ValidationError) -> str:
    lines = []
    for item in error.errors():
        where = _location(item["loc"])
        if item["type"] == "extra_forbidden":
            lines.append(f"  {where}: unknown key, found {item['input']!r}; misspelt?")
        elif item["type"] == "missing":
            lines.append(f"  {where}: missing")
        elif item["type"] == "value_error":
            lines.append(f"  {where}: {item['ctx']['error']!s}")
        else:
            lines.append(
                f"  {where}: found {item['input']!r} ({type(item['input']).__name__}); {item['msg']}"
            )
    return "\n".join(lines)


def validate_params(values: Any, name: str = "params.yaml") -> Params:
    """Check plain values (nested dicts) against the schema.

    Raises:
        ParamsError: naming every key at fault, the value found and what is allowed.
    """
    if not isinstance(values, dict):
        raise ParamsError(f"{name}: expected a mapping of sections, found {type(values).__name__}")
    try:
        return Params.model_validate(values)
    except ValidationError as error:
        raise ParamsError(f"{name} cannot be used:\n{_describe(error)}") from None


def read_params(path: Path) -> dict[str, Any]:
    """The plain values of a YAML 1.2 file.

    Raises:
        ParamsError: when the file is absent or is no YAML (tabs, duplicate keys, merge conflict marks).
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; run from the folder that holds params.yaml") from None
    if any(line.startswith(("<<<<<<< ", ">>>>>>> ")) for line in text.splitlines()):
        raise ParamsError(f"{path}: holds the marks of a merge conflict; resolve it first")
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ParamsError(f"{path}{_yaml_mistake(error, text)}") from None


def _yaml_mistake(error: YAMLError, text: str) -> str:
    """Line, content and what is wrong with it, in words for people who do not know the parser."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f": not valid YAML: {error}"
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    if isinstance(error, DuplicateKeyError):
        key = line.partition(":")[0].strip()
        problem = f"the key {key!r} is set a second time in its section; keep one of the two"
    elif "\t" in line:
        problem = "found a tab; YAML is indented with spaces"
    else:
        problem = f"not valid YAML, {getattr(error, 'problem', error)}"
    return f", line {mark.line + 1} ({line.strip()!r}): {problem}"


def load_params(path: Path) -> Params:
    """Read and check a params file."""
    return validate_params(read_params(path), str(path))
