"""Stage library of a project: what is installed, written down so that DVC sees when it changes.

In the repository, a stage depends on the very files that it imports. In a project these files are wherever Python
packages are installed, so it depends on a list of their hashes instead. An upgraded library changes the lists of the
stages that it touches, and only those run again.
"""

from __future__ import annotations

import hashlib
import sys
from importlib import metadata
from pathlib import Path

import ae_pretrained
from ae_pretrained.apps.init.templates import stage_modules
from ae_pretrained.errors import PipelineError
from ae_pretrained.files import write_text

_ROOT = Path(ae_pretrained.__file__).parent.parent
_DIGITS = 16


def write_library(out: Path) -> None:
    """Write ``STAGE.txt`` with the hash of every file of the library that the stage imports, and ``packages.txt``.

    Args:
        out: folder; the same installation gives the same bytes.

    Raises:
        PipelineError: when the installation is not whole.
    """
    for stage, modules in stage_modules().items():
        lines = [f"{_hash(path)}  {path.relative_to(_ROOT).as_posix()}" for path in _files(modules)]
        write_text(out / f"{stage}.txt", "\n".join(lines) + "\n")
    write_text(out / "packages.txt", "\n".join(_packages()) + "\n")


def _files(modules: list[str]) -> list[Path]:
    found = []
    for module in modules:
        path = _ROOT / module
        if path.is_dir():
            found += [file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc"]
        elif path.is_file():
            found.append(path)
        else:
            raise PipelineError(
                f"{path}: no such file; the installed ae-pretrained is not whole, install it anew"
            )
    return sorted(found)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_DIGITS]


def _packages() -> list[str]:
    """The versions of what ae-pretrained itself depends on; other packages change no figure."""
    lines = []
    for requirement in metadata.requires("ae-pretrained") or []:
        if "extra ==" in requirement:
            continue
        name = requirement
        for end in " ;<>=!~[(":
            name = name.partition(end)[0]
        try:
            lines.append(f"{name}=={metadata.version(name)}")
        except metadata.PackageNotFoundError:
            raise PipelineError(
                f"{name} is not installed, but ae-pretrained needs it; install ae-pretrained anew"
            ) from None
    return sorted(lines)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m ae_pretrained.apps.init.library FOLDER")
    try:
        write_library(Path(sys.argv[1]))
    except PipelineError as error:
        sys.exit(f"\nERROR: {error}")


if __name__ == "__main__":
    main()
