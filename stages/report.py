"""Stage report: one self-contained page of everything."""

from pathlib import Path

from ae_pretrained.params import read_params
from ae_pretrained.report.build import build_report
from ae_pretrained.stage_runner import run_stage


def main() -> None:
    build_report(
        read_params(Path("params.yaml")),
        metrics=Path("metrics"),
        plots=Path("plots"),
        out=Path("plots/report.html"),
    )


if __name__ == "__main__":
    run_stage(main)
