"""Reading and checking ``params.yaml``; errors name every key at fault, what was found and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import YAMLError

from ae_pretrained.errors import PipelineError
from ae_pretrained.params.schema import Params
from ae_pretrained.params.section import sections

# For a params.yaml of an earlier version. Renamed or removed keys: what to do about each. None so far.
RENAMED: dict[str, str] = {}
# Keys that were added: the value with which everything is as it was without the key.
ADDED: dict[str, Any] = {
    "data.colors": [],
    "data.group_by": "none",
    "data.mask_values": [],
    "data.masks.absent": "stop",
    "data.masks.empty": "unlabelled",
    "data.masks.threshold": 0,
    "data.unnamed_classes": "stop",
    "data.alpha": "matte",
    "data.exif": "apply",
    "data.sixteen_bits": "full",
    "data.scale": 1.0,
    "model.encoder": "convolutional",
    "data.val_blocks": 0,
    "eval_seg.overlap": 0.25,
    "eval_seg.window": 512,
    "robustness.batch_size": 64,
    "robustness.flip_averaging": False,
    "runtime.deterministic": "warn",
    "runtime.logger": "none",
    "runtime.tf32": False,
    "runtime.threads": 0,
    "train_ae.half_size": 0.0,
    "train_ae.init": "scratch",
    "train_ae.keep": "best",
    "train_ae.loss.latent": 0.0,
    "train_ae.loss.teacher": "efficientnet_lite0",
    "train_ae.loss.teacher_size": 0,
    "train_ae.loss.contrastive": 0.0,
    "train_ae.loss.dense": 0.0,
    "train_ae.loss.shuffled": False,
    "train_ae.loss.temperature": 0.2,
    "train_ae.loss.perceptual_levels": 3,
    "train_ae.loss.perceptual_size": 0,
    "train_ae.views": {
        "smallest_area": 0.3,
        "flip": 0.5,
        "jitter": 0.8,
        "brightness": 0.4,
        "contrast": 0.4,
        "saturation": 0.4,
        "hue": 0.1,
        "grey": 0.2,
        "blur": 0.5,
        "places": 4,
        "reconstructed": 1.0,
    },
    "train_ae.views.reconstructed": 1.0,
    "train_seg.foreground_crops": 0.33,
    "train_seg.half_size": 0.0,
    "train_seg.keep": "best",
    "train_seg.unlabelled": {
        "use": "none",
        "batch_size": 0,
        "weight": 1.0,
        "ramp": 0.2,
        "confidence": 0.9,
        "cutmix": 1.0,
        "jitter": 0.8,
        "brightness": 0.5,
        "contrast": 0.5,
        "saturation": 0.5,
        "hue": 0.1,
        "grey": 0.2,
        "blur": 0.5,
    },
}


class ParamsError(PipelineError):
    """``params.yaml`` holds something that the pipeline cannot use; the text names every key at fault."""


def schema_keys() -> Iterator[str]:
    """Dotted names of every section and key of the schema."""
    for prefix, section in sections(Params):
        for name in section.model_fields:
            yield f"{prefix}.{name}" if prefix else name


_KEYS = tuple(schema_keys())


def _keys_of(section: str) -> dict[str, str]:
    """Keys directly in a section (the empty text is the whole file): name to dotted name."""
    parts = (key.rpartition(".") for key in _KEYS)
    return {name: f"{above}{dot}{name}" for above, dot, name in parts if above == section}


def _describe(error: ValidationError) -> str:
    return "\n".join(dict.fromkeys(f"  {_describe_fault(item)}" for item in error.errors()))


def _describe_fault(fault: Any) -> str:
    where = ".".join(map(str, fault["loc"]))
    # Of a key with several types, such as `full` or a number, pydantic adds the type to its path.
    while fault["type"] != "extra_forbidden" and where and re.sub(r"(\.\d+)+$", "", where) not in _KEYS:
        where = where.rpartition(".")[0]
    found = f"found {fault['input']!r}"
    if fault["type"] == "extra_forbidden":
        return f"{where}: {RENAMED.get(where) or f'unknown key, {found}; {_nearest(where)}'}"
    if fault["type"] == "missing":
        if where in ADDED:
            value = json.dumps(ADDED[where]).strip('"')  # as in YAML: false, not False
            return f"{where}: missing; it came later, and {value} is what was done without it"
        return f"{where}: missing; docs/params.md says what it may be"
    if fault["type"] == "value_error":  # its text begins with the keys, as the section knows them
        return f"{where}{'.' if where else ''}{fault['ctx']['error']!s}"
    found = f"{where}: {found} ({type(fault['input']).__name__})"
    if fault["type"] in ("model_type", "model_attributes_type"):
        return f"{found}; expected a section with the keys {', '.join(_keys_of(where))}"
    return f"{found}; {fault['msg']}"


def _nearest(where: str) -> str:
    """A sentence on which known key an unknown one may stand for."""
    section, _, name = where.rpartition(".")
    beside = _keys_of(section)
    if close := get_close_matches(name, beside, n=1):
        return f"did you mean {beside[close[0]]}?"
    elsewhere = [key for key in _KEYS if key.rpartition(".")[2] == name]
    elsewhere = [key for key in elsewhere if key.startswith(f"{section}.")] or elsewhere
    if elsewhere:
        return f"did you mean {' or '.join(elsewhere)}?"
    return f"known {f'in {section}' if section else 'at the top'}: {', '.join(beside)}"


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
    except UnicodeDecodeError as error:
        raise ParamsError(
            f"{path}: not valid UTF-8 (byte {error.start}: {error.object[error.start]:#04x}); save the file as UTF-8"
        ) from None
    return parse_params(text, str(path))


def parse_params(text: str, name: str) -> dict[str, Any]:
    """The plain values of YAML 1.2 text; ``name`` is the file's in errors (see :func:`read_params`)."""
    if any(line.startswith(("<<<<<<< ", ">>>>>>> ")) for line in text.splitlines()):
        raise ParamsError(f"{name}: holds the marks of a merge conflict; resolve it first")
    try:
        return YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise ParamsError(f"{name}{_yaml_mistake(error, text)}") from None
    except Exception as error:  # of a value such as 2001-99-99 the parser raises what the conversion raised
        raise ParamsError(
            f"{name}: holds a value that YAML cannot read ({error}); put texts in quotes"
        ) from None


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
