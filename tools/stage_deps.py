"""Which modules a stage imports, and hence what its ``deps`` in dvc.yaml have to be.

DVC does not follow imports. A stage that lists too little goes stale in silence, one that lists the whole
library re-runs for a changed plot colour. ``make deps`` writes the exact list; a test compares.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import grimp
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ae_pretrained", "stages", "studies")
# The stages of a study run from the root of the repository (`wdir`), so that their paths read alike.
PIPELINES = ("dvc.yaml", "studies/label_efficiency/dvc.yaml")


def pipeline_stages(pipeline: str) -> dict[str, dict[str, Any]]:
    """The stages of a dvc.yaml, by name."""
    stages = YAML(typ="safe").load(ROOT / pipeline)["stages"]
    assert isinstance(stages, dict)
    return stages


def stage_scripts(pipeline: str = "dvc.yaml") -> dict[str, str]:
    """Module of every stage script by stage name, as dvc.yaml runs them."""
    return {name: stage["cmd"].split()[2] for name, stage in pipeline_stages(pipeline).items()}


def import_closure(graph: grimp.ImportGraph, script: str) -> set[str]:
    """Files (relative to the repository) of a script and of all that it imports, directly or not."""
    modules = {script} | graph.find_upstream_modules(script)
    # Importing a module runs the __init__ of every package above it, and all that those import.
    pending = set(modules)
    while pending:
        module = pending.pop()
        above = {module.rpartition(".")[0]} - {""}
        for new in (above | graph.find_upstream_modules(module)) - modules:
            modules.add(new)
            pending.add(new)
    files = {module_file(module) for module in modules}
    return files | {data for file in files if file.endswith("/__init__.py") for data in package_data(file)}


def module_file(module: str) -> str:
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return file.relative_to(ROOT).as_posix()


def package_data(init: str) -> Iterator[str]:
    """Files that are no Python in a package's own folders, such as templates; its code reads them."""
    if init.startswith("studies/"):  # what lies there are settings and outputs, which dvc.yaml names
        return
    package = (ROOT / init).parent
    for path in sorted(package.rglob("*")):
        own = not any(
            (parent / "__init__.py").is_file() for parent in path.parents if package in parent.parents
        )
        if path.is_file() and path.suffix not in (".py", ".pyc") and own:
            yield path.relative_to(ROOT).as_posix()


def collapse(files: Iterable[str]) -> list[str]:
    """Name a folder in place of its files where all of them are listed, to keep dvc.yaml readable."""
    files = set(files)
    folders = sorted(
        {parent for file in files for parent in Path(file).parents if parent.name}, key=lambda p: len(p.parts)
    )
    for folder in folders:
        inside = {file for file in files if folder in Path(file).parents}
        there = {path.relative_to(ROOT).as_posix() for path in (ROOT / folder).rglob("*") if _is_source(path)}
        if len(inside) > 1 and there <= files:
            files = (files - inside) | {folder.as_posix()}
    return sorted(files)


def _is_source(path: Path) -> bool:
    return path.is_file() and path.suffix != ".pyc"


def expected_deps(pipeline: str = "dvc.yaml") -> dict[str, list[str]]:
    """Code dependencies of every stage."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    return {name: collapse(import_closure(graph, script)) for name, script in stage_scripts(pipeline).items()}


def declared_deps(pipeline: str = "dvc.yaml") -> dict[str, tuple[list[str], list[str]]]:
    """Per stage, the dependencies in dvc.yaml that are code, and the others."""
    result = {}
    for name, stage in pipeline_stages(pipeline).items():
        deps = [str(dep) for dep in stage.get("deps", [])]
        code = [dep for dep in deps if _is_code(dep)]
        result[name] = (code, [dep for dep in deps if dep not in code])
    return result


def _is_code(dep: str) -> bool:
    """Whether a dependency is code; a study keeps its data and settings beside its scripts."""
    package = dep.split("/")[0]
    return package in PACKAGES and (package != "studies" or dep.endswith(".py"))


def write_deps(pipeline: str) -> None:
    """Put the exact lists into a dvc.yaml; data dependencies, order and comments stay."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    path = ROOT / pipeline
    document = yaml.load(path)
    declared = declared_deps(pipeline)
    for name, code in expected_deps(pipeline).items():
        document["stages"][name]["deps"] = [*declared[name][1], *code]
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    path.write_text(buffer.getvalue(), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the lists into dvc.yaml")
    write = parser.parse_args().write
    for pipeline in PIPELINES:
        if write:
            write_deps(pipeline)
            continue
        print(pipeline)
        for name, code in expected_deps(pipeline).items():
            print(name, *code, sep="\n  ")


if __name__ == "__main__":
    main()
