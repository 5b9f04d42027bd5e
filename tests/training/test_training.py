from __future__ import annotations

import csv
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torchmetrics.classification import MulticlassConfusionMatrix

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.dataset.batches import ArrayBatches, BatchSizeError
from ae_pretrained.finetuning.segmentation_task import SegmentationTask
from ae_pretrained.losses.latent_loss import LatentPerceptualLoss
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.encoder import Encoder
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import load_unet
from ae_pretrained.pretraining.autoencoder_task import AutoencoderTask
from ae_pretrained.training.callbacks import BestWeights, EpochLog
from ae_pretrained.training.checkpoints import CheckpointFolder
from ae_pretrained.training.fit import fit
from ae_pretrained.training.training_task import TrainingDivergedError
from tests.conftest import ROOT
from tests.processed import tiny_params
from tests.training.conftest import run_finetune, run_pretrain


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_both_stages_write_weights_curves_and_metrics(processed: Path, tmp_path: Path) -> None:
    params = tiny_params(
        train_seg__init="autoencoder", train_seg__transfer="encoder_decoder", train_seg__freeze_epochs=1
    )
    autoencoder = run_pretrain(processed, tmp_path, params)
    run_finetune(processed, tmp_path, params, autoencoder)
    ae, seg = rows(tmp_path / "train_ae.csv"), rows(tmp_path / "train_seg.csv")
    assert [row["epoch"] for row in ae] == ["1", "2", "3"]
    assert {"lr", "train_loss", "train_mse", "val_loss", "val_mse", "val_psnr", "val_ssim"} <= set(ae[0])
    assert {"encoder_lr", "train_dice", "train_cross_entropy", "val_mean_iou", "val_dice_cat"} <= set(seg[0])
    metrics = json.loads((tmp_path / "train_seg.json").read_text())
    scores = [float(row["val_mean_foreground_dice"]) for row in seg]
    assert metrics["best_epoch"] == 1 + int(np.argmax(scores))
    assert metrics["val_mean_foreground_dice"] == pytest.approx(max(scores), abs=1e-5)
    assert json.loads((tmp_path / "train_ae.json").read_text())["val_loss"] == pytest.approx(
        min(float(row["val_loss"]) for row in ae), abs=1e-5
    )


def val_scores(processed: Path, weights: Path) -> tuple[float, float]:
    """Mean IoU and mean foreground Dice of a segmenter on val, counted by torchmetrics."""
    network, info = load_unet(weights)
    val = open_split(processed, "val")
    images = torch.from_numpy(np.array(val.images)).permute(0, 3, 1, 2) / 255.0
    masks = torch.from_numpy(np.array(val.masks)).long()
    with torch.no_grad():
        prediction = network(images).argmax(dim=1)
    matrix = MulticlassConfusionMatrix(len(info.classes), ignore_index=255)(prediction, masks).double()
    hits, sizes = matrix.diagonal(), matrix.sum(0) + matrix.sum(1)
    assert (sizes > 0).all()
    return float((hits / (sizes - hits)).mean()), float((2 * hits / sizes)[1:].mean())


@pytest.mark.parametrize("ema_decay", [0.0, 0.9])
def test_kept_weights_have_the_score_that_is_reported(
    processed: Path, tmp_path: Path, ema_decay: float
) -> None:
    """One matrix over all batches of val, and the averaged weights are those that are scored and kept."""
    params = tiny_params(train_seg__epochs=2, train_seg__batch_size=4, train_seg__ema_decay=ema_decay)
    weights = run_finetune(processed, tmp_path, params)
    metrics = json.loads((tmp_path / "train_seg.json").read_text())
    found = metrics["val_mean_iou"], metrics["val_mean_foreground_dice"]
    assert found == pytest.approx(val_scores(processed, weights), abs=1e-6)


@pytest.mark.parametrize(("kind", "power"), [("static", 1.0), ("square_root", 0.5)])
def test_class_weights_come_from_the_training_masks(kind: str, power: float) -> None:
    params = tiny_params(train_seg__loss__class_weights=kind).train_seg
    frequencies = torch.tensor([0.7, 0.1, 0.2])
    network = UNet(ModelConfig((4, 8)), 3)
    task = SegmentationTask(network, params, 0, ["a", "b", "c"], frequencies)
    logits, mask = torch.randn(2, 3, 6, 5), torch.randint(0, 3, (2, 6, 5))
    expected = torch.nn.functional.cross_entropy(logits, mask, weight=frequencies**-power)
    torch.testing.assert_close(task.loss(logits, mask)["cross_entropy"], expected)
    with pytest.raises(ValueError, match="class frequencies"):
        SegmentationTask(network, params, 0, ["a", "b", "c"], None)


def test_latent_loss_falls_and_leaves_the_weights_file_as_it_is(processed: Path, tmp_path: Path) -> None:
    plain = run_pretrain(processed, tmp_path / "plain", tiny_params(train_ae__epochs=1))
    params = tiny_params(train_ae__epochs=8, train_ae__lr=0.01, train_ae__loss__latent=1.0)
    taught = run_pretrain(processed, tmp_path / "taught", params)
    curve = rows(tmp_path / "taught" / "train_ae.csv")
    assert float(curve[-1]["train_latent"]) < 0.95 * float(curve[0]["train_latent"])
    for row in curve:
        parts = float(row["val_mse"]) + 0.1 * float(row["val_ssim_loss"]) + float(row["val_latent"])
        assert float(row["val_loss"]) == pytest.approx(parts, abs=1e-4)
    assert load_file(taught).keys() == load_file(plain).keys(), "the maps are no part of the autoencoder"


@pytest.mark.parametrize("only_flips", [False, True])
def test_a_teacher_sees_what_comes_again_once(
    processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, only_flips: bool
) -> None:
    """Images of val, and those of training where nothing but flips is drawn."""
    seen: list[int] = []
    compute = LatentPerceptualLoss._wanted

    def counted(self: LatentPerceptualLoss, images: torch.Tensor, sizes: list[tuple[int, int]]) -> Any:
        seen.append(len(images))
        return compute(self, images, sizes)

    flips = {
        f"train_ae__augmentation__{name}": 0.0 for name in ("affine", "jitter", "blur", "noise", "erase")
    }
    params = tiny_params(
        train_ae__epochs=3, train_ae__loss__latent=1.0, train_ae__patience=0, **(flips if only_flips else {})
    )
    monkeypatch.setattr(LatentPerceptualLoss, "_wanted", counted)
    run_pretrain(processed, tmp_path / "kept", params)
    train, val = len(open_split(processed, "train", "unlabelled")), len(open_split(processed, "val"))
    if only_flips:
        assert train + val < sum(seen) <= 2 * train + val
    else:
        # A batch of training that is not full is left out.
        assert sum(seen) == val + 3 * (train // params.train_ae.batch_size) * params.train_ae.batch_size
    assert not (tmp_path / "kept" / "checkpoints").exists(), "nothing is left after success"
    monkeypatch.setattr(AutoencoderTask, "on_fit_start", lambda _: None)
    run_pretrain(processed, tmp_path / "anew", params)
    for kept, anew in zip(
        rows(tmp_path / "kept/train_ae.csv"), rows(tmp_path / "anew/train_ae.csv"), strict=True
    ):
        assert float(kept["val_loss"]) == pytest.approx(float(anew["val_loss"]), rel=1e-3)


@pytest.mark.parametrize("workers", [0, 2])
def test_same_parameters_give_the_same_bytes(processed: Path, tmp_path: Path, workers: int) -> None:
    params = tiny_params(train_seg__epochs=2)
    one = run_finetune(processed, tmp_path / "one", params)
    two = run_finetune(
        processed, tmp_path / "two", tiny_params(train_seg__epochs=2, runtime__loader_workers=workers)
    )
    assert one.read_bytes() == two.read_bytes()
    assert (tmp_path / "one/train_seg.csv").read_bytes() == (tmp_path / "two/train_seg.csv").read_bytes()
    other = run_finetune(processed, tmp_path / "three", tiny_params(train_seg__epochs=2, seed=1))
    assert one.read_bytes() != other.read_bytes()


@pytest.mark.parametrize(
    ("norm", "precision"),
    [("instance", "32"), pytest.param("batch", "bf16", marks=pytest.mark.long)],
)
def test_new_memory_need_not_be_filled(
    processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, norm: str, precision: str
) -> None:
    """No operation reads memory that nobody wrote: with and without PyTorch's net for that, the same bytes."""
    params = tiny_params(
        model__norm=norm,
        train_ae__precision=precision,
        train_ae__loss__latent=1.0,
        train_seg__init="autoencoder",
        train_seg__precision=precision,
    )
    filled: list[bool] = []

    def both(out: Path) -> list[bytes]:
        autoencoder = run_pretrain(processed, out, params)
        return [
            path.read_bytes() for path in (autoencoder, run_finetune(processed, out, params, autoencoder))
        ]

    def watch(*_: object) -> None:
        filled.append(torch.utils.deterministic.fill_uninitialized_memory)  # type: ignore[attr-defined]

    monkeypatch.setattr(EpochLog, "on_train_epoch_start", watch)
    ours = both(tmp_path / "ours")
    assert set(filled) == {False}
    filled.clear()
    monkeypatch.setattr("ae_pretrained.training.fit.new_memory_unfilled", nullcontext)
    assert both(tmp_path / "filled") == ours
    assert set(filled) == {True}  # as it was before, and while it was off nothing else changed


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_frozen_encoder_does_not_move_and_thaws(
    processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, norm: str
) -> None:
    keep = BestWeights.on_validation_end

    def keep_the_last(self: BestWeights, *words: Any) -> None:
        # Otherwise the score of two epochs on eight images decides whether the kept one was frozen.
        self.score = None
        keep(self, *words)

    monkeypatch.setattr(BestWeights, "on_validation_end", keep_the_last)
    common = {"train_seg__init": "autoencoder", "model__norm": norm, "train_ae__epochs": 1}
    autoencoder = run_pretrain(processed, tmp_path, tiny_params(**common))
    start = {name: value for name, value in load_file(autoencoder).items() if name.startswith("encoder.")}
    assert start
    for freeze, moved in ((-1, False), (1, True)):
        params = tiny_params(**common, train_seg__epochs=2, train_seg__freeze_epochs=freeze)
        weights = load_file(run_finetune(processed, tmp_path / str(freeze), params, autoencoder))
        same = [torch.equal(weights[name], value) for name, value in start.items()]
        # Weights and the statistics of batch norm alike.
        assert not any(same) if moved else all(same)


def test_random_frozen_control_never_trains_its_encoder(processed: Path, tmp_path: Path) -> None:
    short = load_file(
        run_finetune(
            processed, tmp_path / "a", tiny_params(train_seg__init="random_frozen", train_seg__epochs=1)
        )
    )
    long = load_file(
        run_finetune(
            processed, tmp_path / "b", tiny_params(train_seg__init="random_frozen", train_seg__epochs=3)
        )
    )
    for name, value in short.items():
        assert torch.equal(value, long[name]) == name.startswith("encoder."), name


def test_one_batch_is_learnt_by_heart(processed: Path, tmp_path: Path) -> None:
    params = tiny_params(
        train_seg__epochs=1,
        train_seg__updates_per_epoch=250,
        train_seg__lr=0.005,
        model__features=[8, 16, 16],
        model__encoder_dropout=[0.0, 0.0, 0.0],
        model__decoder_dropout=[0.0, 0.0],
        train_seg__augmentation=dict.fromkeys(tiny_params().train_seg.augmentation.model_dump(), 0.0),
    )
    train = open_split(processed, "train")
    assert train.masks is not None
    data = ArrayBatches(train.images, train.masks, np.arange(8))
    torch.manual_seed(0)
    task = SegmentationTask(
        UNet(ModelConfig(**params.model.model_dump()), 3), params.train_seg, 0, ["a", "b", "c"], None
    )
    result = fit(
        task,
        data,
        data,
        runtime=params.runtime,
        checkpoint=CheckpointFolder(tmp_path / "c", "x"),
        curve=tmp_path / "curve.csv",
        monitor="val_mean_foreground_dice",
        mode="max",
        shown=(),
    )
    assert result.best_score > 0.95


@pytest.mark.parametrize("lr", [1e30])
def test_divergence_stops_the_run_and_says_where(processed: Path, tmp_path: Path, lr: float) -> None:
    params = tiny_params(train_seg__lr=lr, train_seg__optimizer="sgd", train_seg__gradient_clip=0.0)
    with pytest.raises(TrainingDivergedError, match=r"epoch 1, step \d+, learning rate .*train_seg.lr"):
        run_finetune(processed, tmp_path, params)
    assert not (tmp_path / "segmenter.safetensors").exists()


def test_divergence_keeps_the_last_good_checkpoint(
    processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = SegmentationTask.training_step

    def fails_in_epoch_three(self: SegmentationTask, batch: object, batch_idx: int) -> torch.Tensor:
        loss = original(self, batch, batch_idx)  # type: ignore[arg-type]
        if self.current_epoch == 2:
            loss = loss * float("nan")
        return loss

    monkeypatch.setattr(SegmentationTask, "training_step", fails_in_epoch_three)
    with pytest.raises(TrainingDivergedError, match="epoch 3, step 1,"):
        run_finetune(processed, tmp_path, tiny_params(train_seg__epochs=4))
    (checkpoint,) = (tmp_path / "checkpoints").rglob("*.ckpt")
    state = torch.load(checkpoint, weights_only=False)
    assert state["epoch"] == 1
    assert all(torch.isfinite(value).all() for value in state["state_dict"].values())


def test_early_stopping(processed: Path, tmp_path: Path) -> None:
    # A rate too small to change anything: no epoch is better than the first.
    params = tiny_params(train_seg__epochs=8, train_seg__patience=2, train_seg__lr=1e-30)
    run_finetune(processed, tmp_path, params)
    assert len(rows(tmp_path / "train_seg.csv")) == 3
    assert json.loads((tmp_path / "train_seg.json").read_text())["best_epoch"] == 1


def test_early_stopping_counts_from_the_full_size(processed: Path, tmp_path: Path) -> None:
    params = tiny_params(
        train_seg__epochs=10, train_seg__patience=2, train_seg__lr=1e-30, train_seg__half_size=0.49
    )
    run_finetune(processed, tmp_path, params)
    assert len(rows(tmp_path / "train_seg.csv")) == 7, (
        "4 epochs at half the size, the first at full size, 2 more"
    )


@pytest.mark.parametrize("stage", ["train_ae", "train_seg"])
def test_half_size_is_trained_first_and_never_validated(
    processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    seen: list[tuple[bool, int]] = []
    encode = Encoder.forward

    def watched(self: Encoder, images: torch.Tensor) -> list[torch.Tensor]:
        assert images.shape[-2] == images.shape[-1]
        seen.append((self.training, images.shape[-1]))
        return encode(self, images)

    monkeypatch.setattr(Encoder, "forward", watched)
    params = tiny_params(
        **{f"{stage}__epochs": 4, f"{stage}__half_size": 0.75, "train_ae__loss__latent": 1.0}
    )
    run = run_pretrain if stage == "train_ae" else run_finetune
    run(processed, tmp_path, params)
    sizes = [size for training, size in seen if training]
    updates = len(sizes) // 4
    assert sizes == [16] * 3 * updates + [32] * updates
    assert {size for training, size in seen if not training} == {32}


def test_batch_larger_than_the_labelled_data(processed: Path, tmp_path: Path) -> None:
    params = tiny_params(data__label_fraction=0.2)
    with pytest.raises(BatchSizeError, match=r"batch_size: 8 is more than the \d training images"):
        run_finetune(processed, tmp_path, params)


@pytest.mark.parametrize("change", [{"train_seg__balanced_sampler": True}, {"train_seg__ema_decay": 0.5}])
def test_options_change_the_outcome(processed: Path, tmp_path: Path, change: dict[str, object]) -> None:
    plain = run_finetune(processed, tmp_path / "plain", tiny_params(train_seg__epochs=1))
    changed = run_finetune(processed, tmp_path / "changed", tiny_params(train_seg__epochs=1, **change))
    assert plain.read_bytes() != changed.read_bytes()


@pytest.mark.long
def test_two_processes_train_together(processed: Path, tmp_path: Path) -> None:
    """DDP on two CPU processes, started by the parameters alone, from a script as a stage is one."""
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.processed import tiny_params\nfrom tests.training.conftest import run_finetune\n"
        "if __name__ == '__main__':\n"
        "    params = tiny_params(runtime__devices=2, runtime__accelerator='cpu', train_seg__epochs=3,\n"
        "        train_seg__batch_size=2, train_seg__freeze_epochs=1)\n"
        f"    run_finetune(Path({str(processed)!r}), Path({str(tmp_path)!r}), params)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 3/3") == 1, "one process speaks"
    metrics = json.loads((tmp_path / "train_seg.json").read_text())
    assert metrics["updates"] == 3 * (metrics["num_images"] // 4), "each update sees batches of both"
    found = metrics["val_mean_iou"], metrics["val_mean_foreground_dice"]
    assert found == pytest.approx(val_scores(processed, tmp_path / "segmenter.safetensors"), abs=1e-6)
    assert len(rows(tmp_path / "train_seg.csv")) == 3
    assert not (tmp_path / "checkpoints").exists()
