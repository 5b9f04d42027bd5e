"""The template that ``ae-pretrained init`` makes projects from, out of this repository's own pipeline.

A project has the stages of ``dvc.yaml``, its ``params.yaml`` and its stage scripts, but no copy of the library. Where
the repository's stages depend on files of the library, a project's depend on ``library/STAGE.txt``, the hashes of the
same files as they are installed. ``make deps`` writes the template; a test compares.
"""

from __future__ import annotations

import argparse
import io
import json
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from tools.stage_deps import ROOT, declared_deps

TEMPLATE = ROOT / "ae_pretrained" / "project" / "template"
_HEADER = """\
# The pipeline, as `ae-pretrained init` wrote it. Every `dvc repro` starts with the stage `library`, which takes a
# second: it writes down what is installed, so that an upgraded library re-runs the stages that its changes touch.
"""
_PACKAGES = "library/packages.txt"


def project_template() -> dict[str, str]:
    """Texts of the generated files by their path below the template."""
    files = {
        "dvc.yaml": _pipeline(),
        "modules.json": json.dumps(_modules(), indent=2) + "\n",
        "params.yaml": (ROOT / "params.yaml").read_text(encoding="utf-8"),
    }
    for script in sorted((ROOT / "stages").glob("*.py")):
        # The ending keeps linters, type checkers and importers from taking a template for a module.
        files[f"stages/{script.name}.txt"] = script.read_text(encoding="utf-8")
    return files


def _modules() -> dict[str, list[str]]:
    """Of every stage, the files and folders of the library that it imports."""
    return {
        name: [dep for dep in code if dep.startswith("ae_pretrained/")]
        for name, (code, _) in declared_deps().items()
    }


def _pipeline() -> str:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 110
    yaml.indent(mapping=2, sequence=4, offset=2)
    document = yaml.load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    stages = document["stages"]
    for name, stage in stages.items():
        stage["deps"] = [*_project_deps(stage["deps"]), f"library/{name}.txt"]
    stages.insert(0, "library", _library_stage(list(stages)))
    # Images by breed: one's own images have none.
    document["plots"] = [
        plot for plot in document["plots"] if not (isinstance(plot, str) and "breed" in plot)
    ]
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    _, _, body = buffer.getvalue().partition("stages:\n")
    first = next(name for name in stages if name != "library")
    body = body.replace(f"\n  {first}:", f"\n\n  {first}:", 1)
    text = f"{_HEADER}stages:\n{body}"
    # A comment is lost with the last item before it.
    note = "# `dvc plots show` and `dvc plots diff` draw these; plots/report.html needs no network.\n"
    return text if note in text else text.replace("\nplots:\n", f"\n{note}plots:\n")


def _project_deps(deps: list[str]) -> list[str]:
    renamed = [_PACKAGES if dep == "requirements.lock" else str(dep) for dep in deps]
    return [dep for dep in renamed if not dep.startswith("ae_pretrained/")]


def _library_stage(names: list[str]) -> dict[str, Any]:
    outs = [_PACKAGES, *(f"library/{name}.txt" for name in names)]
    return CommentedMap(
        desc="Write down the installed library, for the stages that use it",
        cmd="python -m ae_pretrained.apps.init.library library",
        always_changed=True,
        outs=[{out: {"cache": False}} for out in outs],
    )


def write_template() -> None:
    """Write the generated files, and remove scripts that are no more."""
    files = project_template()
    for old in (TEMPLATE / "stages").glob("*"):
        if f"stages/{old.name}" not in files:
            old.unlink()
    for name, text in files.items():
        path = TEMPLATE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the template into the package")
    if parser.parse_args().write:
        write_template()
        return
    for name in project_template():
        print(name)


if __name__ == "__main__":
    main()
