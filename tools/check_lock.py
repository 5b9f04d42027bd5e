"""Whether dvc.lock is the record of this code and these parameters; no data and no cache are needed.

``make check-lock`` prints the stages that ``dvc repro`` would run. Exit code 0 when there are none, 1 when there are.
"""

from __future__ import annotations

import re
import subprocess
import sys


def stale_stages(dry_run: str) -> list[str]:
    """Stages that a dry run of DVC names as running."""
    return re.findall(r"^Running stage '([^']+)'", dry_run, flags=re.MULTILINE)


def main() -> int:
    command = [sys.executable, "-m", "dvc", "repro", "--dry", "--allow-missing"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    stale = stale_stages(done.stdout)
    if stale:
        # Without data the dry run ends, with an error, at the first stage that would need what a stale one makes.
        print(
            f"ERROR: dvc.lock is older than its code, data or parameters: {', '.join(stale)} would run"
            f"{' and then all that follows' if done.returncode else ''}. "
            "Run `dvc repro`, then commit dvc.lock, metrics/ and plots/*.csv with the change.",
            file=sys.stderr,
        )
        return 1
    if done.returncode != 0:
        print(done.stdout + done.stderr, file=sys.stderr)
        return done.returncode
    print("dvc.lock fits the code and the parameters.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
