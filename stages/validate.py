"""Stage validate: stop before any work when params.yaml cannot be used."""

from pathlib import Path

from ae_pretrained.params.gate import check_params
from ae_pretrained.stage_runner import run_stage


def main() -> None:
    check_params(Path("params.yaml"), passed=Path("data/params_checked.txt"))


if __name__ == "__main__":
    run_stage(main)
