"""``python -m tools.review --base main``: print the review of the working tree against a revision.

Exit code 0 when the report was written, whatever it says, and 1 when it could not be.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ae_pretrained.errors import PipelineError
from tools.review.page import write_page
from tools.review.revisions import commits_missing, has_changes, revision, working_tree


def review(root: Path, base: str, head: str | None) -> str:
    """The report on a state of the project, the working tree where no revision is named."""
    before = revision(root, base)
    notes = []
    if head is None:
        after = working_tree(root)
        missing = commits_missing(root, before.commit or base)
        if missing:
            notes.append(
                f"`{base}` has {missing} commit{'' if missing == 1 else 's'} that this branch does not have; "
                f"what they changed shows below as if undone here. Merge `{base}` first, or take "
                f"BASE=$(git merge-base {base} HEAD)."
            )
        if has_changes(root):
            notes.append("The working tree has changes that are not committed.")
    else:
        after = revision(root, head)
    return write_page(before, after, notes)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.review", description=__doc__)
    parser.add_argument("--base", default="main", help="revision to compare with (default: %(default)s)")
    parser.add_argument("--head", help="revision to review (default: the working tree)")
    parser.add_argument("--root", type=Path, default=Path(), help="folder of the project (default: this one)")
    arguments = parser.parse_args(argv)
    try:
        print(review(arguments.root, arguments.base, arguments.head), end="")
    except PipelineError as error:
        print(f"ERROR: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
