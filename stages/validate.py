"""Stage validate: stop before any work when params.yaml cannot be used."""

import os
from pathlib import Path

from ae_pretrained.params.gate import check_params
from ae_pretrained.stage_runner import run_stage


def main() -> None:
    check_params(
        Path("params.yaml"),
        passed=Path("data/params_checked.txt"),
        memory=Path(".dvc/tmp/params.last-valid.yaml"),
        baseline=os.environ.get("DVC_EXP_BASELINE_REV"),
    )


if __name__ == "__main__":
    run_stage(main)
