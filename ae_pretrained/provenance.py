"""What made a result: code, packages, machine, seed. For records that cost too much to be made anew."""

from __future__ import annotations

import functools
import hashlib
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ae_pretrained.params.model_params import RuntimeParams

PACKAGE = Path(__file__).resolve().parent
# What decides the figures of a training and of its evaluation; figures, report, apps, sources and preparation do not
# (the data has a digest of its own). `provenance` and `stage_runner` change no figure.
CODE_FOLDERS = (
    "dataset",
    "evaluation",
    "finetuning",
    "losses",
    "metrics",
    "models",
    "params",
    "pretraining",
    "training",
)
CODE_MODULES = (
    "__init__.py",
    "compat.py",
    "constants.py",
    "errors.py",
    "files.py",
    "hardware.py",
    "memory.py",
)
_PACKAGES = ("torch", "torchvision", "lightning", "numpy")


def provenance(seed: int, runtime: RuntimeParams, precision: str) -> dict[str, Any]:
    """What is about to make a result, as JSON-like values.

    Args:
        seed: of the run.
        runtime: the section of the parameters.
        precision: as in ``train_ae.precision`` and ``train_seg.precision``.

    Returns:
        ``commit``: of the library's repository, None where Git does not know the library; ``modified``: whether
        tracked files of the library differ from that commit, None without one; ``code``: :func:`code_digest`;
        ``packages``: versions of Python and of the packages that compute, None for one that is not there;
        ``processor``: its model; ``device``: ``cpu`` or the name of the GPU; ``precision``, ``processes``,
        ``compile``, ``deterministic`` and ``tf32`` of the training: :func:`~ae_pretrained.hardware.numerics`;
        ``threads``: of PyTorch; ``seed``.

    Raises:
        PipelineError: for a GPU that is not there, or a precision that the device does not have.
    """
    import torch  # not at the top: reading a record needs no PyTorch

    from ae_pretrained.hardware import numerics

    computed = numerics(runtime, precision)
    accelerator, threads = computed.pop("accelerator"), computed.pop("threads")
    return {
        **code_version(PACKAGE),
        "packages": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "processor": processor(),
        "device": "cpu" if accelerator == "cpu" else torch.cuda.get_device_name(),
        **computed,
        "threads": threads or torch.get_num_threads(),
        "seed": seed,
    }


@functools.cache
def code_version(package: Path) -> dict[str, Any]:
    """``commit``, ``modified`` and ``code`` of the library in a folder.

    Read once per process: what Python has loaded stays what it is when files change under a long run.
    """
    commit = modified = None
    # A library that is installed into a folder inside another repository is not of that repository's commit.
    if _git(package, "ls-files", "--error-unmatch", "--", "__init__.py") is not None:
        commit = _git(package, "rev-parse", "HEAD")
    if commit is not None:
        modified = bool(_git(package, "status", "--porcelain", "--untracked-files=no", "--", "."))
    return {"commit": commit, "modified": modified, "code": code_digest(package)}


def code_digest(package: Path = PACKAGE) -> str:
    """Digest of the library's code that decides a training and its evaluation, whatever Git says of it.

    Args:
        package: folder of the library.

    Returns:
        16 hexadecimal digits over names and contents of the Python files of ``CODE_FOLDERS`` and ``CODE_MODULES``.
    """
    files = [path for folder in CODE_FOLDERS for path in (package / folder).rglob("*.py")]
    files += [package / name for name in CODE_MODULES if (package / name).is_file()]
    return digest_of_code({path.relative_to(package).as_posix(): path.read_bytes() for path in files})


def digest_of_code(files: dict[str, bytes]) -> str:
    """16 hexadecimal digits over contents by name; line ends count as Git stores them."""
    digest = hashlib.blake2b(digest_size=8)
    for name, content in sorted(files.items()):
        content = content.replace(b"\r\n", b"\n")
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def processor() -> str:
    """Model name of the processor; the name of its architecture where the system does not tell."""
    listing = Path("/proc/cpuinfo")  # Linux
    if listing.is_file():
        for line in listing.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    if platform.system() == "Darwin":
        return _run("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    return platform.processor() or platform.machine()


def _git(folder: Path, *words: str) -> str | None:
    return _run("git", "-C", str(folder), *words)


def _run(*words: str) -> str | None:
    """What a command prints; None when it fails or is not there."""
    try:
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
