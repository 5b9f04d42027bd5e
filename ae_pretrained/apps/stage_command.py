"""``ae-pretrained stage NAME``: one stage of the pipeline, as the dvc.yaml of a project calls it.

The repository itself runs ``python -m stages.NAME``. A project has no copy of these scripts: they come with the
package, and work in the current folder either way.
"""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from pathlib import Path

import ae_pretrained

LIBRARY = "library"  # a stage of projects alone: it writes down the installed library


def stage_folder() -> Path:
    """Where the stage scripts lie: inside an installed package, and beside the package in a clone."""
    package = Path(ae_pretrained.__file__).parent
    inside = package / "stages"
    return inside if inside.is_dir() else package.parent / "stages"


def stage_names() -> list[str]:
    """The stages that can be run, in order of name."""
    return sorted(path.stem for path in stage_folder().glob("*.py") if path.stem != "__init__")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("stage", help="run one stage of the pipeline (a project's dvc.yaml does)")
    parser.add_argument("name", metavar="NAME", choices=[LIBRARY, *stage_names()], help="one of %(choices)s")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from ae_pretrained.stage_runner import run_stage

    run_stage(_write_library if arguments.name == LIBRARY else _load_main(arguments.name))


def _write_library() -> None:
    from ae_pretrained.apps.init.library import write_library

    write_library(Path("dvc.yaml"))


def _load_main(name: str) -> Callable[[], None]:
    """The function ``main`` of a stage script. By its path, since a clone has it outside the package."""
    path = stage_folder() / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"ae_pretrained.stages.{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    main: Callable[[], None] = module.main
    return main
