"""Stage prepare: clean, split and resize into arrays."""

from pathlib import Path

from ae_pretrained.params import load_params
from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.stage_runner import run_stage


def main() -> None:
    params = load_params(Path("params.yaml"))
    prepare(
        Path("data/raw"),
        Path("data/processed"),
        params.data,
        params.seed,
        metrics_file=Path("metrics/prepare.json"),
        plots=Path("plots/prepare"),
        labels=Path("data/labels"),
    )


if __name__ == "__main__":
    run_stage(main)
