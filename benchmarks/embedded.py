"""How long the embedded run takes from a fresh clone, stage by stage.

    python -m benchmarks.embedded

Every stage runs once, in the order of the pipeline, in a throw-away clone of the last commit with an empty DVC cache.
Beside each stage stands what `dvc` itself takes around it: the time of the same `dvc repro` once there is nothing to
do. Minutes, not seconds.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml

from benchmarks.clone import clone, run
from benchmarks.common import measure, parser, print_table, write_result


def stages_of(pipeline: Path) -> list[str]:
    """The stages of a dvc.yaml, in the order in which they stand, which is the order of the pipeline."""
    return list(yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"])


def main(arguments: list[str] | None = None) -> None:
    options = parser(__doc__, rounds=1)
    options.add_argument("--stages", nargs="*", help="only these, which must be the first ones")
    given = options.parse_args(arguments)
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "clone"
        clone(folder)
        for stage in given.stages or stages_of(folder / "dvc.yaml"):
            command = ["dvc", "repro", "--single-item", stage]
            whole = measure(lambda command=command: run(command, folder))  # type: ignore[misc]
            again = measure(lambda command=command: run(command, folder))  # type: ignore[misc]
            figures[stage] = {"clock": whole.clock, "cpu": whole.cpu, "dvc_clock": again.clock}
    total = sum(row["clock"] for row in figures.values())
    rows = [
        (
            stage,
            f"{row['clock']:.1f}",
            f"{row['clock'] / total:.0%}",
            f"{row['cpu']:.1f}",
            f"{row['dvc_clock']:.1f}",
        )
        for stage, row in figures.items()
    ]
    header = ("", "s by the clock", "share", "s of CPU", "s of dvc alone")
    print_table(f"embedded run, {total:.0f} s in all", header, rows)
    write_result("embedded", {"stages": figures, "clock": total}, given.out)


if __name__ == "__main__":
    main()
