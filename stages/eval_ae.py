"""Stage eval_ae: reconstruction and latent space on the test split."""

from pathlib import Path

from ae_pretrained.evaluation.evaluate_autoencoder import evaluate_autoencoder
from ae_pretrained.evaluation.inference import best_compute
from ae_pretrained.models.weights import load_autoencoder
from ae_pretrained.params import load_params
from ae_pretrained.stage_runner import run_stage


def main() -> None:
    params = load_params(Path("params.yaml"))
    evaluate_autoencoder(
        load_autoencoder(Path("models/autoencoder.safetensors")),
        Path("data/processed"),
        params.data.classes,
        params.eval_ae,
        params.train_ae.corruption,
        params.seed,
        metrics_file=Path("metrics/eval_ae.json"),
        plots=Path("plots/eval_ae"),
        image_size=params.data.image_size,
        compute=best_compute(params.runtime.accelerator, params.runtime.threads),
    )


if __name__ == "__main__":
    run_stage(main)
