"""Stage pretrain: one autoencoder per pretext task, on every training image, without labels."""

import argparse
from pathlib import Path

from ae_pretrained.pretraining.pretrain import pretrain
from ae_pretrained.stage_runner import run_stage
from studies.label_efficiency.grid import DATA, PRETRAINED, changes_of, read_grid, study_params


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pretext")
    name = parser.parse_args().pretext
    params = study_params(changes_of(read_grid(), "pretexts", name), f"pretext {name}")
    pretrain(
        DATA / "processed",
        params=params.train_ae,
        model=params.model,
        runtime=params.runtime,
        seed=params.seed,
        weights=PRETRAINED / f"{name}.safetensors",
        curve=PRETRAINED / f"{name}.csv",
        metrics=PRETRAINED / f"{name}.json",
        checkpoints=Path(".checkpoints/label_efficiency") / name,
    )


if __name__ == "__main__":
    run_stage(main)
