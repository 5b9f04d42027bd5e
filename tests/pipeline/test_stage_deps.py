from __future__ import annotations

import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from ae_pretrained.params import read_params
from ae_pretrained.params.editing import flatten
from tests.conftest import ROOT
from tools.stage_deps import PIPELINES, declared_deps, expected_deps, stage_scripts


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_deps_are_exactly_what_each_stage_imports(pipeline: str) -> None:
    expected = expected_deps(pipeline)
    for stage, (code, _) in declared_deps(pipeline).items():
        assert sorted(code) == expected[stage], f"{pipeline}:{stage}: run `make deps`"


@pytest.mark.parametrize("stage", sorted(stage_scripts()))
def test_nothing_is_imported_that_is_not_declared(stage: str) -> None:
    """The same question put to Python itself: which of our files does importing the script load?"""
    program = (
        f"import sys, importlib; importlib.import_module({stage_scripts()[stage]!r});"
        "print('\\n'.join(str(m.__file__) for n, m in sorted(sys.modules.items())"
        " if n.split('.')[0] in ('ae_pretrained', 'stages')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    code = declared_deps()[stage][0]
    for line in done.stdout.splitlines():
        file = line.removeprefix(f"{ROOT}/")
        assert any(file == dep or file.startswith(f"{dep}/") for dep in code), f"{stage} imports {file}"


def test_every_parameter_is_declared_by_a_stage() -> None:
    """`dvc exp run -S` on a key that no stage declares would record an experiment in which nothing ran."""
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    declared = {key for stage in stages.values() for key in stage.get("params", [])}
    for path in flatten(read_params(ROOT / "params.yaml")):
        prefixes = {".".join(path[: i + 1]) for i in range(len(path))}
        assert prefixes & declared, f"{'.'.join(path)} is declared by no stage"


def test_every_declared_parameter_exists() -> None:
    values = read_params(ROOT / "params.yaml")
    flat = flatten(values)
    known = {".".join(path[: i + 1]) for path in flat for i in range(len(path))}
    stages = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]
    for name, stage in stages.items():
        for key in stage.get("params", []):
            assert key in known, f"{name} declares {key}, which params.yaml does not have"
