"""Files as they stand in a Git revision or in the working tree; neither DVC's cache nor a network is asked."""

from __future__ import annotations

import io
import subprocess
import tarfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ae_pretrained.errors import PipelineError


@dataclass(frozen=True)
class Snapshot:
    """One state of the project.

    Attributes:
        root: folder of the project, inside a Git repository.
        name: what the reader calls this state.
        commit: the commit, or None for the working tree.
    """

    root: Path
    name: str
    commit: str | None

    def read(self, path: str) -> bytes | None:
        """Content of a file, or None where this state has no such file."""
        if self.commit is not None:
            return _files(self.root, self.commit).get(path)
        file = self.root / path
        return file.read_bytes() if file.is_file() else None

    def tracked(self) -> frozenset[str]:
        """Every file that Git tracks in this state, relative to the project."""
        if self.commit is not None:
            return frozenset(_files(self.root, self.commit))
        return frozenset(filter(None, _git(self.root, "ls-files", "-z").stdout.decode().split("\0")))

    def names(self, folder: str, suffix: str) -> list[str]:
        """Files directly in a folder (working tree: tracked or not), sorted."""
        if self.commit is not None:
            found = [path for path in self.tracked() if path.rpartition("/")[0] == folder]
        else:
            found = [f"{folder}/{path.name}" for path in (self.root / folder).glob("*")]
        return sorted(path for path in found if path.endswith(suffix))


@lru_cache
def _files(root: Path, commit: str) -> dict[str, bytes]:
    """Content of every file of a commit, by path relative to the project."""
    archive = _git(root, "archive", "--format=tar", commit).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        members = [(member.name, tar.extractfile(member)) for member in tar if member.isfile()]
        return {name: stream.read() for name, stream in members if stream is not None}


def working_tree(root: Path) -> Snapshot:
    return Snapshot(root, "working tree", None)


def revision(root: Path, name: str) -> Snapshot:
    """The state that a branch, tag or commit names.

    Raises:
        PipelineError: when Git knows no such revision, or the folder is in no Git repository.
    """
    if _git(root, "rev-parse", "--is-inside-work-tree").returncode != 0:
        raise PipelineError(f"{root.resolve()}: not in a Git repository; run the review inside a clone")
    done = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if done.returncode != 0:
        raise PipelineError(
            f"revision {name!r}: Git knows no such branch, tag or commit; `git branch --all` lists the branches, "
            f"and a branch of the server may have to be fetched first: git fetch origin {name}"
        )
    return Snapshot(root, name, done.stdout.decode().strip())


def commits_missing(root: Path, base: str) -> int:
    """How many commits of ``base`` the checked-out branch does not have."""
    done = _git(root, "rev-list", "--count", f"HEAD..{base}")
    return int(done.stdout) if done.returncode == 0 else 0


def has_changes(root: Path) -> bool:
    """Whether tracked files differ from the checked-out commit."""
    return bool(_git(root, "status", "--porcelain", "--untracked-files=no").stdout.strip())


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)
