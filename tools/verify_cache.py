"""Find damaged files in DVC's cache, and in the outputs that came from it.

DVC takes a read-only file of its cache for what its name says. After a disk error, ``dvc checkout`` therefore puts
the damaged bytes into place and ``dvc repro`` calls them up to date. ``make verify`` hashes every file anew; with
``--remove`` the damaged ones go, so that ``dvc pull`` or ``dvc repro`` make them again.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_BLOCK = 1 << 20


def file_md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def damaged_objects(cache: Path) -> list[Path]:
    """Files of a DVC cache whose content does not have the MD5 that their name says."""
    return [
        path
        for path in sorted((cache / "files" / "md5").glob("??/*"))
        if path.is_file() and len(path.stem) == 30 and file_md5(path) != path.parent.name + path.stem
    ]


def differing_outputs(root: Path) -> Iterator[Path]:
    """Single-file outputs in the working tree that are not what dvc.lock recorded."""
    lock = root / "dvc.lock"
    stages: dict[str, Any] = YAML(typ="safe", pure=True).load(lock)["stages"] if lock.is_file() else {}
    for stage in stages.values():
        for out in stage.get("outs", []):
            path = root / out["path"]
            if path.is_file() and file_md5(path) != out["md5"]:
                yield path


def verify(root: Path, cache: Path, *, remove: bool) -> int:
    """Report, and remove on demand; returns how many files are damaged or differ."""
    objects, outputs = damaged_objects(cache), list(differing_outputs(root))
    for path in objects:
        print(f"{path}: damaged, its content does not have the hash that its name says")
    for path in outputs:
        print(f"{path}: not the file that dvc.lock recorded")
    if not objects and not outputs:
        print("Every file of the cache and every output is what DVC recorded.")
    elif remove:
        for path in (*objects, *outputs):
            path.unlink()
        print("Removed. Next: `dvc pull` where there is a remote, else `dvc repro`, which makes them again.")
    else:
        print("Next: python -m tools.verify_cache --remove, then `dvc pull` or `dvc repro`.")
    return len(objects) + len(outputs)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.verify_cache", description=__doc__)
    parser.add_argument("--remove", action="store_true", help="remove the damaged files")
    arguments = parser.parse_args(argv)
    command = [sys.executable, "-m", "dvc", "cache", "dir"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        print(done.stderr.strip(), file=sys.stderr)
        return 2
    cache = Path(done.stdout.strip().splitlines()[-1])
    found = verify(Path(), cache, remove=arguments.remove)
    return 0 if not found or arguments.remove else 1


if __name__ == "__main__":
    sys.exit(main())
