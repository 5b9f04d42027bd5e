"""What one waits for when there is nothing to do: `dvc repro` and `ae-pretrained --help`.

    python -m benchmarks.startup

Each takes turns with the least that could be waited for: `dvc --version` and an empty Python program. `dvc repro`
runs in a throw-away clone of the last commit, whose outputs, which must be in the DVC cache, are taken for up to date
(`dvc commit`) even where the code has changed since. With `--no-dvc` the commands alone are measured.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.clone import REPOSITORY, clone, run, use_cache
from benchmarks.common import Timing, measure, median, parser, print_table, take_turns, write_result

_EXPECTED = "Data and pipelines are up to date."


def _finished_clone(folder: Path) -> None:
    """A clone in which `dvc repro` has nothing to do."""
    clone(folder)
    use_cache(folder, Path(run(["dvc", "cache", "dir"], REPOSITORY).strip()))
    run(["dvc", "checkout", "--quiet", "dvc.yaml"], folder)
    # From here on a cache of its own: a commit also records that this code gave these outputs, which the
    # repository's own runs would believe.
    use_cache(folder, folder / ".dvc" / "cache")
    run(["dvc", "commit", "--force", "--quiet", "dvc.yaml"], folder)
    if _EXPECTED not in run(["dvc", "repro"], folder):
        raise SystemExit("dvc repro found something to do in a clone whose outputs were just recorded")


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, rounds=5)
    options.add_argument("--no-dvc", action="store_true", help="leave the pipeline out")
    given = options.parse_args(arguments)
    python = sys.executable
    help_ = [python, "-m", "ae_pretrained.apps.cli", "--help"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clone"
        commands: dict[str, Callable[[], object]] = {
            "python -c pass": partial(subprocess.run, [python, "-c", "pass"], check=True),
            "ae-pretrained --help": partial(subprocess.run, help_, check=True, stdout=subprocess.DEVNULL),
        }
        if not given.no_dvc:
            _finished_clone(folder)
            commands |= {
                "dvc --version": partial(run, ["dvc", "--version"], folder),
                "dvc repro, nothing to do": partial(run, ["dvc", "repro"], folder),
            }
        timings: dict[str, list[Timing]] = take_turns(
            {label: partial(measure, work) for label, work in commands.items()}, given.rounds
        )
    figures = {label: median(rows) for label, rows in timings.items()}
    rows = [(label, f"{one.clock:.2f}", f"{one.cpu:.2f}") for label, one in figures.items()]
    print_table("start-up", ("", "s by the clock", "s of CPU"), rows)
    write_result("startup", figures, given.out)


if __name__ == "__main__":
    main()
