"""Images without masks in the second phase: what they teach, and that nothing of their masks is seen."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ae_pretrained.constants import MASKS
from ae_pretrained.dataset.arrays import open_split
from ae_pretrained.dataset.unlabelled import without_mask
from ae_pretrained.errors import PipelineError
from ae_pretrained.finetuning.segmentation_task import SegmentationTask
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.unet import UNet
from ae_pretrained.params import Params, ParamsError
from ae_pretrained.training.callbacks import MovingAverage
from tests.conftest import ROOT
from tests.processed import tiny_params
from tests.training.conftest import run_finetune
from tests.training.test_training import rows
from tests.whole import WHOLE, prepare_whole, whole_params, write_whole

TEACHER = {
    "data__label_fraction": 0.4,
    "model__norm": "batch",
    "train_seg__batch_size": 4,
    "train_seg__ema_decay": 0.9,
    "train_seg__unlabelled__use": "mean_teacher",
    "train_seg__unlabelled__batch_size": 6,
    "train_seg__unlabelled__confidence": 0.4,
    "train_seg__unlabelled__ramp": 0.5,
}


def params_of(**changes: object) -> Params:
    return tiny_params(**{**TEACHER, **changes})


def test_they_count(processed: Path, tmp_path: Path) -> None:
    taught = run_finetune(processed, tmp_path / "taught", params_of())
    plain = run_finetune(processed, tmp_path / "plain", params_of(train_seg__unlabelled__use="none"))
    unweighted = run_finetune(processed, tmp_path / "zero", params_of(train_seg__unlabelled__weight=0.0))
    assert len({path.read_bytes() for path in (taught, plain, unweighted)}) == 3
    curve = rows(tmp_path / "taught" / "train_seg.csv")
    assert all(0 < float(row["train_confident"]) <= 1 for row in curve)
    for row in curve:
        parts = float(row["train_dice"]) + float(row["train_cross_entropy"])
        assert parts < float(row["train_loss"]) <= parts + float(row["train_unlabelled"]) + 1e-4
    assert "train_unlabelled" not in rows(tmp_path / "plain" / "train_seg.csv")[0]


def test_their_masks_are_not_read(processed: Path, tmp_path: Path) -> None:
    params = params_of(train_seg__epochs=2)
    clean = run_finetune(processed, tmp_path / "clean", params)
    other = tmp_path / "processed"
    shutil.copytree(processed, other)
    train = open_split(other, "train")
    hidden = without_mask(open_split(other, "train", "unlabelled"), train.labelled(0.4))
    assert 6 <= len(hidden) == len(train) - len(train.labelled(0.4))
    masks = np.load(other / MASKS, mmap_mode="r+")
    first = next(row for row in range(len(masks)) if np.array_equal(masks[row], train.masks[0]))
    masks[first + hidden] = 99  # no class: whoever reads it fails
    masks.flush()
    assert run_finetune(other, tmp_path / "garbage", params).read_bytes() == clean.read_bytes()


def test_whole_images(tmp_path: Path) -> None:
    changes = {key: value for key, value in TEACHER.items() if key != "data__label_fraction"}
    params = whole_params(**{**changes, "train_seg__batch_size": 2, "train_seg__unlabelled__batch_size": 2})
    write_whole(tmp_path / "images")
    for number, path in enumerate(sorted((tmp_path / "images" / "masks").iterdir())):
        if number % 4 > 1:  # both classes stay
            path.unlink()
    processed = prepare_whole(tmp_path / "images", tmp_path, params)
    run_finetune(processed, tmp_path / "run", params)
    assert float(rows(tmp_path / "run" / "train_seg.csv")[-1]["train_unlabelled"]) > 0
    assert WHOLE["data__resize"] == params.data.resize


def task_of(params: Params, average: MovingAverage) -> SegmentationTask:
    torch.manual_seed(0)
    task = SegmentationTask(
        UNet(ModelConfig((4, 8), norm="batch"), 3), params.train_seg, 0, ["a", "b", "c"], None
    )
    average.on_fit_start(None, task)  # type: ignore[arg-type]
    task._trainer = SimpleNamespace(callbacks=[average])  # type: ignore[assignment]
    return task


def test_the_student_sees_what_the_teacher_labelled() -> None:
    """Without changed colours teacher and student see the same pixels; labels go with the boxes."""
    plain = {f"train_seg__augmentation__{name}": 0.0 for name in ("jitter", "noise", "blur")}
    images, padding = torch.rand(4, 3, 64, 64), torch.zeros(4, 64, 64, dtype=torch.uint8)
    padding[0, :, 32:] = 255
    for cutmix in (0.0, 1.0):
        average = MovingAverage(0.9)
        task = task_of(params_of(train_seg__unlabelled__cutmix=cutmix, **plain), average)
        generator = torch.Generator().manual_seed(0)
        shown, logits, counted = task._unlabelled(images, padding, generator, None)
        assert not average.network.training
        same = (average.network(shown) - logits).abs().amax(dim=1) < 1e-4
        # Near the edge of a box the network sees both images, the teacher saw one.
        assert same.all() if cutmix == 0 else 0.1 < same.float().mean() < 1
        assert 0 < (~counted).sum() < counted.numel() / 2


def test_the_weight_rises() -> None:
    task = task_of(params_of(), MovingAverage(0.9))
    found = []
    for step in (0, 25, 50, 99):
        task._trainer = SimpleNamespace(estimated_stepping_batches=100, global_step=step)  # type: ignore[assignment]
        found.append(task._weight)
    assert found == pytest.approx([math.exp(-5), math.exp(-1.25), 1.0, 1.0])


def test_no_image_without_a_mask(processed: Path, tmp_path: Path) -> None:
    with pytest.raises(
        PipelineError, match=r"unlabelled\.batch_size: 6 is more than the 0 .*; use .*use=none"
    ):
        run_finetune(processed, tmp_path, params_of(data__label_fraction=1.0))


def test_a_teacher_is_an_average() -> None:
    with pytest.raises(
        ParamsError, match=r"train_seg\.unlabelled\.use: .* ema_decay is 0; set ema_decay, to 0\.99"
    ):
        params_of(train_seg__ema_decay=0.0)


@pytest.mark.long
def test_two_processes(processed: Path, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "from tests.training.conftest import run_finetune\n"
        "from tests.training.test_mean_teacher import params_of\n"
        "if __name__ == '__main__':\n"
        "    params = params_of(runtime__devices=2, runtime__accelerator='cpu', train_seg__batch_size=2,\n"
        "        train_seg__unlabelled__batch_size=3)\n"
        f"    run_finetune(Path({str(processed)!r}), Path({str(tmp_path)!r}), params)\n"
    )
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert float(rows(tmp_path / "train_seg.csv")[-1]["train_unlabelled"]) > 0
