"""Stage eval_seg: segmentation figures and images on the test split."""

from pathlib import Path

from ae_pretrained.dataset.arrays import require_masks
from ae_pretrained.evaluation.evaluate_segmenter import evaluate_segmenter
from ae_pretrained.evaluation.inference import best_compute
from ae_pretrained.models.weights import load_unet
from ae_pretrained.params import load_params
from ae_pretrained.stage_runner import run_stage


def main() -> None:
    params = load_params(Path("params.yaml"))
    require_masks(Path("data/processed"))
    model, info = load_unet(Path("models/segmenter.safetensors"))
    evaluate_segmenter(
        model,
        Path("data/processed"),
        params.data.classes,
        params.eval_seg,
        params.seed,
        metrics_file=Path("metrics/eval_seg.json"),
        counts_file=Path("plots/eval_seg_counts.csv"),
        plots=Path("plots/eval_seg"),
        compute=best_compute(params.runtime.accelerator, params.runtime.threads),
        trained=info,
    )


if __name__ == "__main__":
    run_stage(main)
