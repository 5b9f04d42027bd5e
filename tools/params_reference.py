"""``docs/params.md``: every key of params.yaml with meaning, type, range, default and what the presets set.

``python -m tools.params_reference --write`` writes it from the schema in ae_pretrained/params; a test compares.
"""

from __future__ import annotations

import argparse
import re
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Len, Lt, MinLen
from pydantic.fields import FieldInfo

from ae_pretrained.params import Params, read_params
from ae_pretrained.params.editing import flatten
from ae_pretrained.params.presets import list_presets, read_preset
from ae_pretrained.params.section import Section, sections

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "params.md"
_NAMES = {float: "number", int: "whole number", bool: "true or false", str: "text"}

_HEAD = """# Parameters

*For people who want to know what a key of params.yaml does, and what it may be.*

Every key of [`params.yaml`](../params.yaml), made from the schema by `make reference`. Default is what is committed;
the last column is what the presets set where they differ from it.

Types are strict: `1e-3` is a number, `"1e-3"` and `yes` are refused, and a key that is not here is an error. Try a
value with `dvc exp run -S train_seg.lr=0.001`.
"""


def describe(annotation: Any, limits: Sequence[Any] = ()) -> str:
    """Type and range of a field in words."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        extra = [
            part for item in inner[1:] for part in (item.metadata if isinstance(item, FieldInfo) else [item])
        ]
        return describe(inner[0], [*extra, *limits])
    if origin is Literal:
        return " \\| ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " \\| ".join(describe(item) for item in inner)
    if origin is list:
        least = next((limit.min_length for limit in limits if isinstance(limit, MinLen | Len)), 0)
        return f"list, each: {describe(inner[0])}" + (f"; at least {least}" if least else "")
    return " ".join(filter(None, (_NAMES[annotation], _range(limits))))


def _range(limits: Sequence[Any]) -> str:
    words = []
    for limit in limits:
        for kind, sign in ((Ge, "≥"), (Gt, ">"), (Le, "≤"), (Lt, "<")):
            if isinstance(limit, kind):
                words.append(f"{sign} {getattr(limit, kind.__name__.lower())}")
    return ", ".join(words)


def page() -> str:
    """The whole document."""
    defaults = {".".join(key): value for key, value in flatten(read_params(ROOT / "params.yaml")).items()}
    presets = {
        name: {".".join(key): value for key, value in read_preset(name, ROOT / "presets").items()}
        for name in list_presets(ROOT / "presets")
    }
    lines = [_HEAD]
    for prefix, model in sections(Params):
        rows = []
        for name, field in model.model_fields.items():
            key = f"{prefix}.{name}" if prefix else name
            if key not in defaults:
                continue
            others = [
                f"{preset}: `{_yaml(values[key])}`"
                for preset, values in presets.items()
                if key in values and values[key] != defaults[key]
            ]
            rows.append(
                (
                    f"`{key}`",
                    (field.description or "").replace("|", "\\|"),
                    describe(field.annotation, field.metadata),
                    f"`{_yaml(defaults[key])}`",
                    ", ".join(others),
                )
            )
        if rows:
            lines += [f"## {prefix or 'Top level'}", "", *_docstring(model)]
            head = ("key", "meaning", "type and range", "default", "presets")
            lines += [*map(_row, (head, ("---",) * len(head), *rows)), ""]
    return "\n".join(lines).rstrip() + "\n"


def _row(cells: Sequence[str]) -> str:
    """A row of a Markdown table; a bar in a cell is escaped."""
    return "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in cells) + " |"


def _docstring(model: type[Section]) -> list[str]:
    text = (model.__doc__ or "").strip().splitlines()
    return [text[0], ""] if text and model is not Params else []


def _yaml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_yaml(item) for item in value) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/params.md")
    if parser.parse_args().write:
        TARGET.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
