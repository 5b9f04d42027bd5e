"""The house as docs and dvc.yaml describe it: what stages depend on, which way imports point, names that differ.

DVC does not follow imports. A stage that lists too little goes stale in silence; one that lists too much trains again
for a changed plot colour. So every stage lists the folders of the library that its script imports, directly or not.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import pytest
from ruamel.yaml import YAML

from ae_pretrained.params import read_params
from ae_pretrained.params.editing import flatten
from ae_pretrained.report.sections import DATA_CAPTIONS, GALLERIES
from tests.conftest import ROOT

LIBRARY = "ae_pretrained"
PACKAGES = (LIBRARY, "stages", "studies")
PIPELINES = [
    "dvc.yaml",
    *sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("studies/*/dvc.yaml")),
]
# In no list of dependencies. DVC tracks the values of params.yaml key by key. The modules beside the folders are
# imported everywhere: in the lists, a better error message would train everything again. Who changes what one of them
# does to a figure runs `dvc repro --force` (CONTRIBUTING.md).
SUPPORT = {
    *(f"{LIBRARY}/{name}.py" for name in ("__init__", "compat", "constants", "errors", "files", "hardware")),
    *(f"{LIBRARY}/{name}.py" for name in ("memory", "names", "provenance", "stage_runner")),
    f"{LIBRARY}/params",
    "stages/__init__.py",
    "studies/__init__.py",
}
# From the top: a folder may import what stands below it. Folders of one line: independent of each other, or not.
LAYERS = (
    grimp.Layer("apps"),
    grimp.Layer("study"),
    grimp.Layer("selection"),
    grimp.Layer("prediction", "evaluation", "pretraining", "finetuning", "report", independent=True),
    grimp.Layer("training"),
    grimp.Layer("models", "losses", "metrics", independent=False),
    grimp.Layer("annotations", "dataset", "preparation", "sources", "synthetic", independent=False),
    grimp.Layer("params", "figures", "pretrained", "windows", independent=True),
    grimp.Layer(*sorted(path.stem for path in (ROOT / LIBRARY).glob("[!_]*.py")), independent=False),
)


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, cache_dir=None, exclude_type_checking_imports=True)


def stages_of(pipeline: str) -> dict[str, dict[str, Any]]:
    return YAML(typ="safe", pure=True).load(ROOT / pipeline)["stages"]


def dependency_of(module: str) -> str:
    """What dvc.yaml names for a module: a folder of the library, a file elsewhere."""
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    parts = file.relative_to(ROOT).parts
    return "/".join(parts[:2] if parts[0] == LIBRARY else parts)


def imported_by(script: str) -> set[str]:
    """Folders and files that a script needs, with the ``__init__`` of every package above an imported module."""
    pending, found = {script}, set()
    while pending:
        module = pending.pop()
        found.add(module)
        above = {module.rpartition(".")[0]} - {""}
        pending |= (above | imports().find_upstream_modules(module)) - found
    return {dependency_of(module) for module in found} - SUPPORT


def script_of(command: str) -> str:
    """The module that does the work of ``python -m MODULE``, or of ``python -m ae_pretrained study STEP FOLDER``."""
    module, *words = command.split()[2:]
    if module != LIBRARY:
        return module
    step = {"prepare": "images", "cells": "cells", "summarise": "summarise"}[words[1]]
    return f"{LIBRARY}.study.{step}"


def is_code(dep: str) -> bool:
    """Beside its scripts, a study keeps data and settings."""
    return dep.startswith(f"{LIBRARY}/") or (dep.startswith(("stages/", "studies/")) and dep.endswith(".py"))


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_stage_depends_on_what_its_script_imports(pipeline: str) -> None:
    wrong = []
    for name, stage in stages_of(pipeline).items():
        imported = imported_by(script_of(stage["cmd"]))
        listed = {str(dep) for dep in stage["deps"]}
        # What a study found is a record, which newer code does not make stale: its stages may list no code at all.
        for in_library in (True, False):
            code = {dep for dep in listed if is_code(dep) and dep.startswith(LIBRARY) == in_library}
            if code or pipeline == "dvc.yaml":
                expected = {dep for dep in imported if dep.startswith(LIBRARY) == in_library}
                wrong += [f"{name}: {dep} is imported and not listed" for dep in sorted(expected - code)]
                wrong += [f"{name}: {dep} is listed and not imported" for dep in sorted(code - expected)]
    assert wrong == [], f"{pipeline}, deps:\n" + "\n".join(wrong)


def test_code_is_imported_where_the_test_above_can_see_it() -> None:
    """By name, only packages import what a notebook asks them for, and the command line; no module asks them."""
    by_name, asked = [], []
    lazy = {f"{LIBRARY}{dots}": names for dots, names in lazy_names().items()}
    for path in sorted(file for top in PACKAGES for file in (ROOT / top).rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        for node in nodes(path):
            if getattr(node, "attr", getattr(node, "id", "")) in ("import_module", "__import__"):
                by_name.append(where)
            elif isinstance(node, ast.ImportFrom) and lazy.get(node.module or "", set()) & {
                alias.name for alias in node.names
            }:
                asked.append(f"{where}, line {node.lineno}: import from the module, not from {node.module}")
    assert [name for name in by_name if not name.endswith("__init__.py") and "/apps/" not in name] == []
    assert asked == []


def lazy_names() -> dict[str, set[str]]:
    """What packages import at first use (`_LAZY` in their ``__init__``), by the rest of their dotted name."""
    found = {}
    for path in (ROOT / LIBRARY).rglob("__init__.py"):
        for node in nodes(path):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_LAZY":
                dots = "".join(f".{part}" for part in path.parent.relative_to(ROOT / LIBRARY).parts)
                found[dots] = set(ast.literal_eval(node.value))
    return found


def test_every_parameter_is_declared_by_a_stage_and_exists() -> None:
    """`dvc exp run -S` on a key that no stage declares would record an experiment in which nothing ran."""
    declared = {key: name for name, stage in stages_of("dvc.yaml").items() for key in stage.get("params", [])}
    paths = list(flatten(read_params(ROOT / "params.yaml")))
    known = [{".".join(path[: i + 1]) for i in range(len(path))} for path in paths]
    for path, prefixes in zip(paths, known, strict=True):
        assert prefixes & declared.keys(), f"{'.'.join(path)} is declared by no stage"
    unknown = {key: name for key, name in declared.items() if key not in set().union(*known)}
    assert unknown == {}, "declared in dvc.yaml, but not in params.yaml"


def test_imports_point_one_way() -> None:
    folders = {path.name for path in (ROOT / LIBRARY).iterdir() if (path / "__init__.py").is_file()}
    assert folders == {name for layer in LAYERS[:-1] for name in layer.module_tails}, (
        "give it a place in LAYERS"
    )
    illegal = imports().find_illegal_dependencies_for_layers(LAYERS, containers={LIBRARY})
    chains = {
        " -> ".join((sorted(route.heads)[0], *route.middle, sorted(route.tails)[0]))
        for dependency in illegal
        for route in dependency.routes
    }
    assert sorted(chains) == []


@pytest.mark.parametrize("folder", ["dataset", "losses", "metrics", "models"])
def test_what_a_notebook_uses_takes_plain_arguments(folder: str) -> None:
    chain = imports().find_shortest_chain(f"{LIBRARY}.{folder}", f"{LIBRARY}.params", as_packages=True)
    assert chain is None, "a params object is unpacked by stages and tasks"


def test_images_of_dvc_yaml_have_a_caption_in_the_report() -> None:
    """DVC needs the names of the images one by one: of a folder it would draw the tables too."""
    plots = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["plots"]
    images = {entry for entry in plots if isinstance(entry, str) and entry.endswith(".png")}
    folders = [("prepare", DATA_CAPTIONS), *((gallery.folder, gallery.captions) for gallery in GALLERIES)]
    shown = {f"plots/{folder}/{stem}.png" for folder, captions in folders for stem in captions}
    shown = {image for image in shown if not image.startswith("plots/eval_ae/")}  # a folder without tables
    assert images - shown == {"plots/prepare/breed_counts.png", "plots/prepare/original_sizes.png"}
    # Of a run that has such images.
    assert shown - images == {"plots/prepare/contact_unlabelled.png", "plots/prepare/suspicious.png"}


@pytest.mark.parametrize("package", ["stages", "studies"])
def test_the_library_imports_no_stage(package: str) -> None:
    graph = imports()
    of_package = {module for module in graph.modules if module.split(".")[0] == package}
    importers = {name for module in of_package for name in graph.find_modules_that_directly_import(module)}
    assert importers <= of_package


def test_no_two_modules_or_classes_have_one_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / LIBRARY).rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        if not path.stem.startswith("__"):
            places[f"module {path.stem}"].append(where)
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                places[f"class {node.name}"].append(where)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def test_pillow_opens_only_the_formats_that_are_named() -> None:
    """Without ``formats=`` it tries all its plugins on a file of the user, some of which run other programs."""
    opened = 0
    for path in sorted((ROOT / LIBRARY).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Image.open":
                opened += 1
                named = {keyword.arg for keyword in node.keywords}
                assert "formats" in named, f"{path}, line {node.lineno}: Image.open without formats="
    assert opened > 5
