"""Pretraining with views: what is logged and kept, images of any size, processes; and keeping the last epoch."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.dataset.batches import to_float
from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.params import Params
from ae_pretrained.pretraining.autoencoder_task import AutoencoderTask
from tests.conftest import ROOT
from tests.processed import tiny_params
from tests.training.conftest import run_finetune, run_pretrain
from tests.whole import prepare_whole, whole_params, write_whole

CONTRAST = {"train_ae__loss__contrastive": 0.1, "train_ae__loss__dense": 0.2, "model__norm": "batch"}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_both_losses_are_part_of_the_total_and_not_of_the_weights(processed: Path, tmp_path: Path) -> None:
    params = tiny_params(**CONTRAST, train_ae__epochs=6, train_ae__lr=0.01, train_ae__half_size=0.4)
    weights = run_pretrain(processed, tmp_path, params)
    curve = rows(tmp_path / "train_ae.csv")
    for phase in ("train", "val"):
        for row in curve:
            parts = {
                name: float(row[f"{phase}_{name}"]) for name in ("mse", "ssim_loss", "contrastive", "dense")
            }
            total = (
                parts["mse"] + 0.1 * parts["ssim_loss"] + 0.1 * parts["contrastive"] + 0.2 * parts["dense"]
            )
            assert float(row[f"{phase}_loss"]) == pytest.approx(total, abs=1e-4)
    assert float(curve[-1]["train_dense"]) < float(curve[0]["train_dense"])
    best = json.loads((tmp_path / "train_ae.json").read_text())
    assert best["val_loss"] == pytest.approx(min(float(row["val_loss"]) for row in curve), abs=1e-5)
    heads = [name for name in load_file(weights) if "heads" in name]
    assert heads == [], "the heads are no part of the autoencoder"


def test_views_that_are_not_drawn_change_nothing(processed: Path, tmp_path: Path) -> None:
    one = run_pretrain(processed, tmp_path / "one", tiny_params(train_ae__epochs=1))
    other = tiny_params(
        train_ae__epochs=1,
        train_ae__views__smallest_area=0.9,
        train_ae__loss__temperature=1.0,
        train_ae__loss__shuffled=True,
    )
    two = run_pretrain(processed, tmp_path / "two", other)
    assert one.read_bytes() == two.read_bytes()
    drawn = run_pretrain(
        processed, tmp_path / "three", tiny_params(train_ae__epochs=1, train_ae__loss__dense=0.1)
    )
    assert one.read_bytes() != drawn.read_bytes()


def test_a_share_of_the_views_is_reconstructed(processed: Path) -> None:
    """In training alone; all of them are seen by the encoder and its losses."""
    images = to_float(torch.from_numpy(open_split(processed, "train").images[:8].copy()).permute(0, 3, 1, 2))
    padding = torch.zeros(8, 32, 32, dtype=torch.uint8)
    found: dict[tuple[float, bool], dict[str, float]] = {}
    for share in (1.0, 0.25):
        params = tiny_params(**CONTRAST, train_ae__views__reconstructed=share)
        for training in (True, False):
            torch.manual_seed(0)
            network = Autoencoder(ModelConfig(**params.model.model_dump()), 1)
            task = AutoencoderTask(network, params.train_ae, 0)
            decoded: list[int] = []
            network.decoder.register_forward_pre_hook(
                lambda _, words, seen=decoded: seen.append(len(words[0][0]))
            )
            task.train(training)
            task._trainer = SimpleNamespace(world_size=1)
            seen, hidden, pair = task._drawn((images, padding), torch.Generator().manual_seed(1), None)
            losses = task._losses(seen, hidden, torch.Generator().manual_seed(2), pair)
            found[share, training] = {name: float(value) for name, value in losses.items()}
            assert decoded == [4 if training and share < 1 else 16]
    assert found[1.0, False] == found[0.25, False]
    for name in ("contrastive", "dense"):
        assert found[1.0, True][name] == pytest.approx(found[0.25, True][name])
    assert found[1.0, True]["mse"] != found[0.25, True]["mse"]


def test_heads_are_trained_and_come_last(processed: Path) -> None:
    def task_of(params: Params) -> AutoencoderTask:
        torch.manual_seed(0)
        return AutoencoderTask(Autoencoder(ModelConfig(**params.model.model_dump()), 1), params.train_ae, 0)

    with_views, without = task_of(tiny_params(**CONTRAST)), task_of(tiny_params(model__norm="batch"))
    for name, value in without.network.state_dict().items():
        assert torch.equal(value, with_views.network.state_dict()[name])
    groups = with_views._parameter_groups()
    assert [group["name"] for group in groups][-2:] == ["contrastive", "dense"]
    trained = {id(parameter) for group in groups for parameter in group["params"]}
    assert trained == {id(parameter) for parameter in with_views.parameters()}


def test_a_shuffled_control_sees_the_same_views(processed: Path) -> None:
    images = to_float(torch.from_numpy(open_split(processed, "train").images[:8].copy()).permute(0, 3, 1, 2))
    padding = torch.zeros(8, 32, 32, dtype=torch.uint8)
    found = []
    for shuffled in (False, True):
        params = tiny_params(**CONTRAST, train_ae__loss__shuffled=shuffled)
        torch.manual_seed(0)
        task = AutoencoderTask(Autoencoder(ModelConfig(**params.model.model_dump()), 1), params.train_ae, 0)
        task.eval()
        seen, hidden, pair = task._drawn((images, padding), torch.Generator().manual_seed(1), None)
        assert pair is not None
        losses = task._losses(seen, hidden, torch.Generator().manual_seed(2), pair)
        found.append((seen, {name: float(value) for name, value in losses.items()}))
    assert torch.equal(found[0][0], found[1][0])
    assert found[0][1]["mse"] == found[1][1]["mse"]
    assert found[0][1]["contrastive"] != found[1][1]["contrastive"]
    assert found[0][1]["dense"] != found[1][1]["dense"]


def test_whole_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both views of an image come from one window, which is larger than they are."""
    params = whole_params(**CONTRAST, train_ae__epochs=1, train_ae__batch_size=4)
    write_whole(tmp_path / "own", 24)
    processed = prepare_whole(tmp_path / "own", tmp_path, params)
    seen: list[tuple[int, int]] = []
    draw = AutoencoderTask._drawn

    def watched(self: AutoencoderTask, batch, generator, size):  # type: ignore[no-untyped-def]
        found = draw(self, batch, generator, size)
        seen.append((batch[0].shape[-1], found[0].shape[-1]))
        return found

    monkeypatch.setattr(AutoencoderTask, "_drawn", watched)
    run_pretrain(processed, tmp_path / "out", params)
    side = params.data.image_size
    margin = AutoencoderTask(Autoencoder(ModelConfig((4, 8)), 1), params.train_ae, 0).views.margin(side)  # type: ignore[union-attr]
    assert set(seen) == {(side + 2 * margin, side), (side, side)}, "of training, and of val"


@pytest.mark.long
def test_two_processes_see_the_negatives_of_both(processed: Path, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import torch\n"
        "from ae_pretrained.losses import contrastive_loss\n"
        "from tests.processed import tiny_params\nfrom tests.training.conftest import run_pretrain\n"
        "plain, sizes = contrastive_loss.nt_xent, set()\n"
        "def watched(embeddings, *words, **more):\n"
        "    sizes.add((torch.is_grad_enabled(), embeddings.shape[1]))\n"
        "    return plain(embeddings, *words, **more)\n"
        "contrastive_loss.nt_xent = watched\n"
        "if __name__ == '__main__':\n"
        f"    params = tiny_params(runtime__devices=2, runtime__accelerator='cpu', train_ae__batch_size=4,\n"
        f"        train_ae__epochs=2, **{CONTRAST!r})\n"
        f"    run_pretrain(Path({str(processed)!r}), Path({str(tmp_path)!r}), params)\n"
        "    print('sizes', {size for training, size in sizes if training})\n"
    )
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "sizes {8}" in done.stdout, "four images of each process"
    assert len(rows(tmp_path / "train_ae.csv")) == 2


def test_the_last_epoch_is_kept(processed: Path, tmp_path: Path) -> None:
    """At a rate that makes the scores jump, the last epoch is not the best one."""
    changes = {"train_seg__epochs": 4, "train_seg__lr": 0.3, "train_seg__schedule": "constant"}
    kept = {
        keep: run_finetune(
            processed,
            tmp_path / keep,
            tiny_params(**changes, train_seg__patience=0, train_seg__keep=keep),
        )
        for keep in ("best", "last")
    }
    found = {keep: json.loads((tmp_path / keep / "train_seg.json").read_text()) for keep in kept}
    curves = {keep: (tmp_path / keep / "train_seg.csv").read_bytes() for keep in kept}
    assert curves["best"] == curves["last"], "only what is kept differs"
    assert found["best"]["best_epoch"] < found["last"]["best_epoch"] == 4
    last = rows(tmp_path / "last" / "train_seg.csv")[-1]
    assert found["last"]["val_loss"] == pytest.approx(float(last["val_loss"]), rel=1e-4)
    assert kept["best"].read_bytes() != kept["last"].read_bytes()
