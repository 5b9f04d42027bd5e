"""Stage train_seg: transfer the encoder to a U-Net and train it on the labels."""

from pathlib import Path

from ae_pretrained.finetuning.finetune import finetune
from ae_pretrained.params import load_params
from ae_pretrained.stage_runner import run_stage


def main() -> None:
    params = load_params(Path("params.yaml"))
    finetune(
        Path("data/processed"),
        autoencoder=Path("models/autoencoder.safetensors"),
        params=params.train_seg,
        data=params.data,
        model=params.model,
        runtime=params.runtime,
        seed=params.seed,
        weights=Path("models/segmenter.safetensors"),
        curve=Path("plots/train_seg.csv"),
        metrics=Path("metrics/train_seg.json"),
        checkpoints=Path(".checkpoints/train_seg"),
    )


if __name__ == "__main__":
    run_stage(main)
