"""Stage train_ae: pretrain the autoencoder without labels."""

from pathlib import Path

from ae_pretrained.params import load_params
from ae_pretrained.pretraining.pretrain import pretrain
from ae_pretrained.stage_runner import run_stage


def main() -> None:
    params = load_params(Path("params.yaml"))
    pretrain(
        Path("data/processed"),
        params=params.train_ae,
        image_size=params.data.image_size,
        model=params.model,
        runtime=params.runtime,
        seed=params.seed,
        weights=Path("models/autoencoder.safetensors"),
        curve=Path("plots/train_ae.csv"),
        metrics=Path("metrics/train_ae.json"),
        checkpoints=Path(".checkpoints/train_ae"),
    )


if __name__ == "__main__":
    run_stage(main)
