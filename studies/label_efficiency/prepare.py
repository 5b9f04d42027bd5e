"""Stage prepare: the images of the study as arrays."""

from ae_pretrained.preparation.prepare import prepare
from ae_pretrained.sources.fetch import fetch
from ae_pretrained.stage_runner import run_stage
from studies.label_efficiency.grid import DATA, PROCESSED, study_params


def main() -> None:
    params = study_params({}, "no changes")
    fetch(params.data, params.seed, DATA / "raw")
    prepare(
        DATA / "raw",
        PROCESSED,
        params.data,
        params.seed,
        metrics_file=DATA / "prepare.json",
        plots=DATA / "images",
    )


if __name__ == "__main__":
    run_stage(main)
