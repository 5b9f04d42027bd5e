"""Run the benchmarks one after the other: `make bench`, `make bench ONLY=training`.

python -m benchmarks                                  all, on drawn pictures
python -m benchmarks training prepare --root ROOT     some, on an official layout
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.common import RESULTS
from benchmarks.material import params_for

NAMES = ("training", "limit", "prepare", "predict", "startup", "embedded")


def _drawn_photos(folder: Path) -> Path:
    from ae_pretrained.data.fetch import fetch

    drawn = {"num_trainval": 40, "num_test": 8, "size": 256}
    fetch(params_for(None, {"data.synthetic": drawn}).data, 0, folder / "raw")
    return folder / "raw" / "images"


def command_of(name: str, root: Path | None, out: Path, folder: Path) -> list[str]:
    """What runs one benchmark."""
    command = [sys.executable, "-m", f"benchmarks.{name}"]
    if name == "predict":
        photos = root / "images" if root is not None else _drawn_photos(folder)
        return [*command, str(photos), "--json", str(out / "predict.json")]
    if name in ("training", "prepare") and root is not None:
        command.append(str(root))
    return [*command, "--out", str(out)]


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
    given.out.mkdir(parents=True, exist_ok=True)
    failed = []
    for name in given.names or NAMES:
        print(f"\n== {name}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            command = command_of(name, given.root, given.out.absolute(), Path(folder))
            if subprocess.run(command).returncode:
                failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
