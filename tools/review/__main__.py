"""``make review BASE=main``: what the working tree changes against a Git revision, as Markdown.

The comparison of parameters and of metrics is DVC's own. Added is what it does not say: which metrics files are
missing or hold no number, and whether the mean IoU changed by more than the choice of the test images explains.

Exit code 0 when the review was written, whatever it says, and 1 when it could not be.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ruamel.yaml import YAML

from ae_pretrained.errors import PipelineError
from ae_pretrained.params.editing import flatten
from tools.review.paired import compare_counts

COUNTS = "plots/eval_seg_counts.csv"
_DECIMALS = "4"


def review(base: str) -> str:
    """The review of the current folder, the root of a project.

    Raises:
        PipelineError: for a revision that Git does not know, and for what DVC or a table of counts cannot be read as.
    """
    if _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}") is None:
        raise PipelineError(
            f"revision {base!r}: Git knows no such branch, tag or commit; `git branch --all` lists the branches, "
            f"and a branch of the server may have to be fetched first: git fetch origin {base}"
        )
    sections = [f"## Review against `{base}`", *_remarks(base)]
    sections += ["### Parameters", _dvc_diff("params", base)]
    sections += ["### Metrics", _dvc_diff("metrics", base, "--precision", _DECIMALS), _paired(base)]
    return "\n\n".join(sections) + "\n"


def _remarks(base: str) -> Iterator[str]:
    missing = int(_git("rev-list", "--count", f"HEAD..{base}") or 0)
    if missing:
        commits = "1 commit" if missing == 1 else f"{missing} commits"
        yield (
            f"`{base}` has {commits} that this branch does not have; what changed there shows below as if undone "
            f"here. Merge `{base}` first, or take BASE=$(git merge-base {base} HEAD)."
        )
    faults = [
        f"- {file} ({name}): {fault}"
        for file in _metrics_files()
        for name, content in ((base, _git("show", f"{base}:{file}")), ("here", _read(file)))
        for fault in _faults(content)
    ]
    if faults:
        yield "**Files without a figure to compare**\n\n" + "\n".join(faults)


def _metrics_files() -> list[str]:
    """The metrics files of dvc.yaml."""
    stages = YAML(typ="safe", pure=True).load(Path("dvc.yaml"))["stages"].values()
    entries = [entry for stage in stages for entry in stage.get("metrics", [])]
    return [str(next(iter(entry)) if isinstance(entry, dict) else entry) for entry in entries]


def _faults(content: bytes | None) -> Iterator[str]:
    """Why DVC cannot compare what a metrics file holds."""
    if content is None:
        yield "missing"
        return
    try:
        values = flatten(json.loads(content))
    except (ValueError, AttributeError):
        yield "not a JSON object"
        return
    for key, value in values.items():
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            yield f"{'.'.join(key)} is {value}"


def _dvc_diff(what: str, base: str, *options: str) -> str:
    command = [sys.executable, "-m", "dvc", what, "diff", base, "--md", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PipelineError(f"`dvc {what} diff {base}` failed: {done.stderr.strip()}")
    table = done.stdout.strip()
    return table if table.count("\n") > 1 else "Nothing differs."  # two lines are the head of an empty table


def _paired(base: str) -> str:
    before, after = _git("show", f"{base}:{COUNTS}"), _read(COUNTS)
    for name, content in ((base, before), ("here", after)):
        if content is None:
            return f"Mean IoU on the same test images: not compared, {COUNTS} is missing ({name})."
    if before == after:
        return f"{COUNTS} is the same."
    return compare_counts((before or b"", f"{COUNTS} ({base})"), (after or b"", f"{COUNTS} (here)"))


def _read(file: str) -> bytes | None:
    path = Path(file)
    return path.read_bytes() if path.is_file() else None


def _git(*words: str) -> bytes | None:
    """What Git prints, or None where it fails, as for a file that a revision does not have."""
    done = subprocess.run(["git", *words], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.review", description=__doc__)
    parser.add_argument("--base", default="main", help="revision to compare with (default: %(default)s)")
    try:
        print(review(parser.parse_args(argv).base), end="")
    except PipelineError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
