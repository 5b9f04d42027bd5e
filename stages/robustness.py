"""Stage robustness: segmentation figures on corrupted test images."""

from pathlib import Path

from ae_pretrained.dataset.arrays import require_masks
from ae_pretrained.evaluation.inference import best_compute
from ae_pretrained.evaluation.robustness import evaluate_robustness
from ae_pretrained.models.weights import load_unet
from ae_pretrained.params import load_params
from ae_pretrained.stage_runner import run_stage


def main() -> None:
    params = load_params(Path("params.yaml"))
    require_masks(Path("data/processed"))
    model, info = load_unet(Path("models/segmenter.safetensors"))
    evaluate_robustness(
        model,
        Path("data/processed"),
        params.data.classes,
        params.robustness,
        params.seed,
        metrics_file=Path("metrics/robustness.json"),
        table=Path("plots/robustness.csv"),
        plots=Path("plots/robustness"),
        compute=best_compute(params.runtime.accelerator, params.runtime.threads),
        trained=info,
    )


if __name__ == "__main__":
    run_stage(main)
