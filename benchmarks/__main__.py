"""Run the benchmarks one after the other: `make bench`, `make bench ONLY=training`.

python -m benchmarks                                  all, on drawn images
python -m benchmarks training prepare --root ROOT     some, on an official layout
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.common import RESULTS

NAMES = ("training", "limit", "teacher", "prepare", "predict", "startup", "embedded")
_ON_IMAGES = ("training", "prepare", "predict")


def command_of(name: str, root: Path | None, out: Path) -> list[str]:
    """What runs one benchmark."""
    images = [str(root)] if root is not None and name in _ON_IMAGES else []
    return [sys.executable, "-m", f"benchmarks.{name}", *images, "--out", str(out)]


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; default: all")
    options.add_argument("--root", type=Path, help="an unpacked official layout")
    options.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    given = options.parse_args(arguments)
    unknown = sorted(set(given.names) - set(NAMES))
    if unknown:
        options.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(NAMES)}")
    failed = []
    for name in given.names or NAMES:
        print(f"\n== {name}", flush=True)
        if subprocess.run(command_of(name, given.root, given.out)).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
