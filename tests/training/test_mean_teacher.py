"""Fine-tuning with unlabelled images: what the teacher is, what is read, what is refused, processes."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ae_pretrained.dataset.arrays import ArraysError, open_split
from ae_pretrained.dataset.batches import BatchSizeError
from ae_pretrained.finetuning.mean_teacher import MeanTeacher
from ae_pretrained.finetuning.segmentation_task import SegmentationTask
from ae_pretrained.params import ParamsError
from tests.conftest import ROOT
from tests.processed import tiny_params
from tests.training.conftest import run_finetune
from tests.whole import WHOLE, prepare_whole, whole_params, write_whole

TEACHER: dict[str, Any] = {
    "model__norm": "batch",
    "data__label_fraction": 0.5,
    "train_seg__batch_size": 4,
    "train_seg__epochs": 2,
    "train_seg__ema_decay": 0.9,
    "train_seg__unlabelled__use": "mean_teacher",
    "train_seg__unlabelled__confidence": 0.3,
}


def spoil_masks(processed: Path, out: Path, fraction: float, packed: bool) -> Path:
    """A copy of the arrays whose masks are garbage, save the ones that are labelled and those of val."""
    shutil.copytree(processed, out)
    masks = np.load(out / "masks.npy")
    split = open_split(processed, "train", "unlabelled")
    chosen = set(open_split(processed, "train").labelled(fraction).tolist())
    garbage = np.random.default_rng(1)
    for row in range(len(split)):
        if row in chosen:
            continue
        if packed:
            width, height = split.images.sizes[row].tolist()  # type: ignore[attr-defined]
            start = int(split.images.offsets[row])  # type: ignore[attr-defined]
            place: Any = slice(start, start + width * height)
        else:
            place = row
        masks[place] = garbage.integers(0, 256, masks[place].shape)
    np.save(out / "masks.npy", masks)
    return out


@pytest.mark.parametrize(
    "packed", [pytest.param(False, id="squares"), pytest.param(True, id="crops", marks=pytest.mark.long)]
)
def test_masks_of_unlabelled_images_are_not_read(processed: Path, tmp_path: Path, packed: bool) -> None:
    changes = {**TEACHER, "train_seg__loss__class_weights": "static", "train_seg__balanced_sampler": True}
    if packed:
        changes |= {**WHOLE, "train_seg__foreground_crops": 0.5}
        write_whole(tmp_path / "own", 24)
        processed = prepare_whole(tmp_path / "own", tmp_path, tiny_params(**changes))
    params = tiny_params(**changes)
    spoilt = spoil_masks(processed, tmp_path / "spoilt", params.data.label_fraction, packed)
    assert (spoilt / "masks.npy").read_bytes() != (processed / "masks.npy").read_bytes()
    one = run_finetune(processed, tmp_path / "one", params)
    two = run_finetune(spoilt, tmp_path / "two", params)
    assert one.read_bytes() == two.read_bytes()
    rows = list(csv.DictReader((tmp_path / "one" / "train_seg.csv").open(newline="")))
    for row in rows:
        assert float(row["train_confident"]) > 0
        assert float(row["train_unlabelled"]) > 0


def test_the_teacher_is_the_average_and_is_kept(
    processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights and norm statistics are averaged; the teacher is in eval mode and sees the weak image."""
    states: list[dict[str, torch.Tensor]] = []
    seen: list[tuple[dict[str, torch.Tensor], bool]] = []
    lesson = MeanTeacher.lesson

    def watched(self: MeanTeacher, teacher: torch.nn.Module, *words: Any, **keys: Any) -> Any:
        seen.append(({k: v.clone() for k, v in teacher.state_dict().items()}, teacher.training))
        return lesson(self, teacher, *words, **keys)

    def batch_end(self: SegmentationTask, *_: Any) -> None:
        states.append({k: v.detach().clone() for k, v in self.network.state_dict().items()})

    monkeypatch.setattr(MeanTeacher, "lesson", watched)
    monkeypatch.setattr(SegmentationTask, "on_train_batch_end", batch_end)
    params = tiny_params(**TEACHER, train_seg__keep="last", train_seg__patience=0)
    kept = load_file(run_finetune(processed, tmp_path, params))
    average = states[0]
    for number, state in enumerate(states[1:], start=1):
        for name, value in average.items():
            if value.is_floating_point():
                assert torch.allclose(seen[number][0][name], value, atol=1e-6), (number, name)
        average = {
            name: 0.9 * value + 0.1 * state[name] if value.is_floating_point() else value
            for name, value in average.items()
        }
    assert not any(training for _, training in seen)
    assert any("running_var" in name for name in average)
    for name, value in average.items():
        if value.is_floating_point():
            assert torch.allclose(kept[name], value, atol=1e-6), name


def test_a_lesson_is_what_the_teacher_says_of_the_unchanged_image() -> None:
    section = tiny_params(
        **TEACHER, train_seg__augmentation__affine=0.0, train_seg__augmentation__flip=0.0
    ).train_seg

    class Bright(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            bright = images.mean(dim=1, keepdim=True) * 40
            return torch.cat([20 - bright, bright - 20], dim=1)

    generator = torch.Generator().manual_seed(0)
    images = torch.rand((6, 3, 16, 16), generator=generator).round()
    padding = torch.zeros((6, 16, 16), dtype=torch.uint8)
    padding[:, :3] = 255
    lesson = MeanTeacher(section.unlabelled, section.augmentation).lesson(
        Bright(), (images, padding), generator
    )
    truth = (images.mean(dim=1) > 0.5).long()
    truth[:, :3] = 255
    before = truth.roll(1, dims=0)
    for number in range(6):
        own, other = lesson.labels[number] == truth[number], lesson.labels[number] == before[number]
        assert (own | other).all()
        assert not own.all(), "CutMix has brought in another image"
    assert torch.equal(lesson.valid, lesson.labels != 255)
    assert (lesson.images - images).abs().max() > 0.05, "the student sees strong changes"


def test_the_weight_rises() -> None:
    section = tiny_params(**TEACHER, train_seg__unlabelled__weight=2.0, train_seg__unlabelled__ramp=0.5)
    teacher = MeanTeacher(section.train_seg.unlabelled, section.train_seg.augmentation)
    assert teacher.weight(0.0) == pytest.approx(2 * math.exp(-5))
    assert teacher.weight(0.25) == pytest.approx(2 * math.exp(-1.25))
    assert teacher.weight(0.5) == teacher.weight(1.0) == 2.0


def test_without_it_its_keys_change_nothing(processed: Path, tmp_path: Path) -> None:
    plain = {**TEACHER, "train_seg__unlabelled__use": "none"}
    one = run_finetune(processed, tmp_path / "one", tiny_params(**plain))
    other = tiny_params(**plain, train_seg__unlabelled__weight=9.0, train_seg__unlabelled__cutmix=0.0)
    assert one.read_bytes() == run_finetune(processed, tmp_path / "two", other).read_bytes()
    with_teacher = run_finetune(processed, tmp_path / "three", tiny_params(**TEACHER))
    assert one.read_bytes() != with_teacher.read_bytes()


def test_half_size_and_bf16(processed: Path, tmp_path: Path) -> None:
    changes = {**TEACHER, "train_seg__half_size": 0.5, "train_seg__precision": "bf16"}
    run_finetune(processed, tmp_path, tiny_params(**changes))
    assert json.loads((tmp_path / "train_seg.json").read_text())["num_unlabelled"] > 0


def test_images_that_nobody_labelled(tmp_path: Path) -> None:
    params = whole_params(**{key: value for key, value in TEACHER.items() if key != "data__label_fraction"})
    write_whole(tmp_path / "images")
    for number, path in enumerate(sorted((tmp_path / "images" / "masks").iterdir())):
        if number % 4 > 1:  # both classes stay
            path.unlink()
    processed = prepare_whole(tmp_path / "images", tmp_path, params)
    run_finetune(processed, tmp_path / "run", params)
    found = json.loads((tmp_path / "run" / "train_seg.json").read_text())
    assert found["num_unlabelled"] == 8
    assert found["num_images"] + found["num_unlabelled"] < 16, "those of val and test are not among them"


def test_refusals(processed: Path, tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"unlabelled\.use: .*moving average.*ema_decay: 0\.0"):
        tiny_params(**{**TEACHER, "train_seg__ema_decay": 0.0})
    with pytest.raises(
        ArraysError, match=r"train_seg\.unlabelled\.use: .*found none: data\.label_fraction: 1"
    ):
        run_finetune(processed, tmp_path, tiny_params(**{**TEACHER, "data__label_fraction": 1.0}))
    with pytest.raises(BatchSizeError, match=r"train_seg\.unlabelled\.batch_size: 999 .*unlabelled images"):
        run_finetune(processed, tmp_path, tiny_params(**TEACHER, train_seg__unlabelled__batch_size=999))
    assert not (tmp_path / "segmenter.safetensors").exists()


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, ROOT)
import torch
from ae_pretrained.finetuning.mean_teacher import MeanTeacher
from tests.processed import tiny_params
from tests.training.conftest import run_finetune

plain, seen = MeanTeacher.lesson, []

def watched(self, teacher, batch, generator, **words):
    own = torch.cat([value.flatten().float() for value in teacher.state_dict().values()])
    both = [torch.empty_like(own) for _ in range(2)]
    torch.distributed.all_gather(both, own)
    images = [torch.empty_like(batch[0]) for _ in range(2)]
    torch.distributed.all_gather(images, batch[0].contiguous())
    seen.append((torch.equal(*both), torch.equal(*images), len(batch[0])))
    return plain(self, teacher, batch, generator, **words)

MeanTeacher.lesson = watched
if __name__ == "__main__":
    run_finetune(Path(PROCESSED), Path(OUT), tiny_params(**CHANGES))
    print("seen", set(seen))
"""


@pytest.mark.long
def test_two_processes_have_one_teacher_and_images_of_their_own(processed: Path, tmp_path: Path) -> None:
    """Norm statistics of the processes differ within a step; those of the teacher must not."""
    changes = {
        **TEACHER,
        "train_seg__batch_size": 2,
        "runtime__accelerator": "cpu",
        "runtime__devices": 2,
    }
    script, text = tmp_path / "run.py", SCRIPT
    for word, value in (("ROOT", ROOT), ("PROCESSED", processed), ("OUT", tmp_path / "out")):
        text = text.replace(word, repr(str(value)))
    script.write_text(text.replace("CHANGES", repr(changes)))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "seen {(True, False, 4)}" in done.stdout, "one teacher, other images, twice the batch"
    rows = list(csv.DictReader((tmp_path / "out" / "train_seg.csv").open(newline="")))
    assert float(rows[-1]["train_unlabelled"]) > 0
