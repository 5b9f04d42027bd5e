"""A run that was killed ends as if it had not been; another run's checkpoint is never used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ae_pretrained.params import Params
from ae_pretrained.training.callbacks import EpochLog
from ae_pretrained.training.checkpoints import CheckpointFolder, fingerprint
from tests.conftest import ROOT
from tests.processed import tiny_params
from tests.training.conftest import run_finetune, run_pretrain
from tests.whole import WHOLE, prepare_whole, write_whole

CHILD = """
import sys, time
from pathlib import Path
from tests.processed import tiny_params
from tests.training import conftest
import ae_pretrained.training.callbacks as callbacks

# An epoch this long can be hit by a kill in its middle; what is computed stays the same.
start = callbacks.EpochLog.on_train_batch_end
def slow(self, *words):
    time.sleep(0.3)
    start(self, *words)
callbacks.EpochLog.on_train_batch_end = slow
run = getattr(conftest, sys.argv[1])
changes = eval(sys.argv[4])
run(Path(sys.argv[2]), Path(sys.argv[3]), tiny_params(**changes))
"""
STAGES = {"run_pretrain": run_pretrain, "run_finetune": run_finetune}
# Dropout, augmentation, momentum, schedule, moving average, the latent loss's maps, freezing, half the size at first:
# all the state.
CHANGES = {
    "train_ae__epochs": 4,
    "train_ae__ema_decay": 0.9,
    "train_ae__half_size": 0.75,
    "train_ae__loss__latent": 1.0,
    "train_seg__epochs": 4,
    "train_seg__freeze_epochs": 2,
    "train_seg__ema_decay": 0.9,
    "train_seg__half_size": 0.75,
}


# Running statistics, and on a CPU the channels innermost in memory: the format that batch norm and bf16 get.
BATCH_NORM = {
    **CHANGES,
    "model__norm": "batch",
    "train_ae__precision": "bf16",
    "train_seg__precision": "bf16",
}

# Heads that are trained and not saved, and the views' draws; the last epoch is kept.
CONTRAST = {
    **CHANGES,
    "train_ae__keep": "last",
    "train_ae__loss__latent": 0.0,
    "train_ae__loss__contrastive": 0.5,
    "train_ae__loss__dense": 0.5,
    "train_ae__patience": 0,
}

# What the latent loss's teacher sees is kept beside the checkpoint.
FLIPS = {
    **CHANGES,
    "train_ae__half_size": 0.0,
    **{f"train_ae__augmentation__{name}": 0.0 for name in ("affine", "jitter", "blur", "noise", "erase")},
}

# The teacher with its norm statistics, the order and the draws of unlabelled images.
TEACHER = {
    **CHANGES,
    "model__norm": "batch",
    "data__label_fraction": 0.5,
    "train_seg__batch_size": 4,
    "train_seg__unlabelled__use": "mean_teacher",
    "train_seg__unlabelled__confidence": 0.3,
}


def kill_after_epoch(stage: str, processed: Path, out: Path, changes: dict[str, object], epoch: int) -> None:
    """Start a run in a process of its own and kill -9 it within the epoch after the given one."""
    command = [sys.executable, "-c", CHILD, stage, str(processed), str(out), repr(changes)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if f"epoch {epoch}/" in line:
            break
    time.sleep(0.4)
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("stage", "weights", "curve", "changes"),
    [
        pytest.param("run_pretrain", "autoencoder.safetensors", "train_ae.csv", CHANGES, id="pretrain"),
        pytest.param(
            "run_pretrain",
            "autoencoder.safetensors",
            "train_ae.csv",
            CONTRAST,
            id="pretrain, contrastive",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "run_pretrain",
            "autoencoder.safetensors",
            "train_ae.csv",
            FLIPS,
            id="pretrain, teacher kept",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "run_finetune",
            "segmenter.safetensors",
            "train_seg.csv",
            CHANGES,
            id="finetune",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "run_finetune",
            "segmenter.safetensors",
            "train_seg.csv",
            BATCH_NORM,
            id="finetune, batch norm, bf16",
            marks=pytest.mark.long,
        ),
        pytest.param(
            "run_finetune",
            "segmenter.safetensors",
            "train_seg.csv",
            TEACHER,
            id="finetune, mean teacher",
            marks=pytest.mark.long,
        ),
    ],
)
def test_killed_run_ends_with_the_same_bytes(
    processed: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    stage: str,
    weights: str,
    curve: str,
    changes: dict[str, object],
) -> None:
    params = tiny_params(**changes)
    STAGES[stage](processed, tmp_path / "whole", params)
    capsys.readouterr()
    killed = tmp_path / "killed"
    kill_after_epoch(stage, processed, killed, changes, 2)
    assert list((killed / "checkpoints").rglob("*.ckpt")), "the kill left a checkpoint"
    assert not (killed / weights).exists()
    STAGES[stage](processed, killed, params)
    said = capsys.readouterr().out
    assert "going on from the checkpoint" in said
    assert "epoch 1/4" not in said
    for name in (weights, curve):
        assert (killed / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    assert not (killed / "checkpoints").exists(), "nothing is left after success"


@pytest.mark.parametrize(
    ("stage", "weights", "curve"),
    [
        pytest.param("run_pretrain", "autoencoder.safetensors", "train_ae.csv", id="pretrain"),
        pytest.param("run_finetune", "segmenter.safetensors", "train_seg.csv", id="finetune"),
    ],
)
@pytest.mark.long
def test_crops_of_whole_images_go_on_with_the_same_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stage: str, weights: str, curve: str
) -> None:
    write_whole(tmp_path / "own", 24)
    changes = {**WHOLE, **CHANGES, "train_ae__loss__latent": 0.0, "train_seg__foreground_crops": 0.5}
    processed = prepare_whole(tmp_path / "own", tmp_path, tiny_params(**changes))
    test_killed_run_ends_with_the_same_bytes(processed, tmp_path, capsys, stage, weights, curve, changes)


def interrupted(processed: Path, out: Path, params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the checkpoint of an unfinished run behind."""
    with monkeypatch.context() as patch:
        patch.setattr(CheckpointFolder, "remove", lambda _: None)
        run_finetune(processed, out, params)


@pytest.mark.parametrize(
    "change",
    [{"train_seg__lr": 0.001}, {"seed": 1}, {"data__label_fraction": 0.5}, {"model__norm": "batch"}],
)
def test_checkpoint_of_other_parameters_is_not_used(
    processed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, object],
) -> None:
    short = {"train_seg__epochs": 1}
    interrupted(processed, tmp_path, tiny_params(**short), monkeypatch)
    capsys.readouterr()
    run_finetune(processed, tmp_path, tiny_params(**short, **change))
    said = capsys.readouterr().out
    assert "going on" not in said
    assert "removed, an interrupted run of other parameters" in said
    assert "epoch 1/1" in said
    assert not (tmp_path / "checkpoints").exists()


def test_checkpoint_of_other_data_or_code_is_not_used(tmp_path: Path) -> None:
    code, data = tmp_path / "code", tmp_path / "data.npy"
    code.mkdir()
    (code / "a.py").write_text("x = 1\n")
    data.write_bytes(b"1")
    first = fingerprint({"lr": 1}, code, [data])
    assert fingerprint({"lr": 1}, code, [data]) == first
    assert fingerprint({"lr": 2}, code, [data]) != first
    (code / "a.py").write_text("x = 2\n")
    second = fingerprint({"lr": 1}, code, [data])
    assert second != first
    data.write_bytes(b"2")
    assert fingerprint({"lr": 1}, code, [data]) not in (first, second)


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_a_run_goes_on_only_as_it_was_computed(
    processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Of the machine, what changes the outcome tells runs apart; what does not, such as loader workers, does not."""
    stopped = RuntimeError("before the training")
    names: list[str] = []

    def no_training(*_: object, checkpoint: CheckpointFolder, **__: object) -> None:
        names.append(checkpoint.path.name)
        raise stopped

    folder = {"pretrain": "pretraining", "finetune": "finetuning"}[stage]
    # By way of sys.modules: the package has the function of that name where the module would be.
    monkeypatch.setattr(sys.modules[f"ae_pretrained.{folder}.{stage}"], "fit", no_training)

    def name_of(**changes: object) -> str:
        with pytest.raises(RuntimeError):
            STAGES[f"run_{stage}"](processed, tmp_path, tiny_params(**changes))
        return names[-1]

    cpu = {"runtime__accelerator": "cpu"}
    plain = name_of(**cpu)
    assert name_of(**cpu, runtime__loader_workers=2) == plain
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert name_of(runtime__accelerator="auto") == plain
    others = [
        name_of(**cpu, **{key: value})
        for key, value in (
            ("runtime__devices", 2),
            ("runtime__num_nodes", 4),
            ("runtime__compile", True),
            ("runtime__deterministic", False),
            ("runtime__tf32", True),
            ("runtime__threads", 7),
        )
    ]
    assert name_of(**cpu, runtime__num_nodes=2) == others[0], "two processes, wherever they are"
    # `auto` is not a number format: the same params on a machine with another one, and on a GPU.
    automatic = {"train_ae__precision": "auto", "train_seg__precision": "auto"}
    for supported in (True, False):
        monkeypatch.setattr("ae_pretrained.hardware.cpu_has_bf16", lambda found=supported: found)
        others.append(name_of(**cpu, **automatic))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    others.append(name_of(runtime__accelerator="auto"))
    assert len({plain, *others}) == 1 + len(others)


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def without_a_block(content: bytes) -> bytes:
    """A block in the middle never reached the disk."""
    middle = len(content) // 2
    return content[:middle] + bytes(4096) + content[middle + 4096 :]


@pytest.mark.parametrize(
    "spoil",
    [truncated, without_a_block, lambda _: b"", lambda _: b"no checkpoint"],
    ids=["truncated", "a block of zeros", "empty", "something else"],
)
def test_a_damaged_checkpoint_is_named_and_set_aside(
    processed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[bytes], bytes],
) -> None:
    params = tiny_params(train_seg__epochs=1)
    interrupted(processed, tmp_path, params, monkeypatch)
    expected = (tmp_path / "segmenter.safetensors").read_bytes()
    (checkpoint,) = (tmp_path / "checkpoints").rglob("last.ckpt")
    damaged = spoil(checkpoint.read_bytes())
    checkpoint.write_bytes(damaged)
    (tmp_path / "segmenter.safetensors").unlink()
    capsys.readouterr()
    interrupted(processed, tmp_path, params, monkeypatch)
    said = capsys.readouterr().out
    assert f"{checkpoint}: this checkpoint of an interrupted run is damaged (" in said
    assert "last.ckpt.damaged, and training starts again" in said
    assert "epoch 1/1" in said
    assert checkpoint.with_name("last.ckpt.damaged").read_bytes() == damaged
    assert (tmp_path / "segmenter.safetensors").read_bytes() == expected
    run_finetune(processed, tmp_path, params)
    assert "going on" in capsys.readouterr().out, "from the checkpoint of the second run"
    assert not (tmp_path / "checkpoints").exists()


INTERRUPTED = """
import sys
from pathlib import Path
from ae_pretrained.stage_runner import run_stage
from tests.processed import tiny_params
from tests.training.conftest import run_finetune

params = tiny_params(train_seg__epochs=10000)
run_stage(lambda: run_finetune(Path(sys.argv[1]), Path(sys.argv[2]), params))
"""


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is no signal of Windows")
def test_ctrl_c_ends_with_our_sentence(processed: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(processed), str(tmp_path)]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        # A program that a shell has put into the background is deaf to Ctrl-C, and so are those that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert process.stdout is not None
        next(line for line in process.stdout if "epoch 2/" in line)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 1
    assert said.strip().endswith(
        "Interrupted. Run the same command again to go on from the last finished epoch."
    )
    assert "Traceback" not in said
    assert list((tmp_path / "checkpoints").rglob("last.ckpt"))


def test_after_ctrl_c_python_listens_again(
    processed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a notebook the program goes on: Lightning leaves it deaf to the next Ctrl-C."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(EpochLog, "on_train_batch_end", stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_finetune(processed, tmp_path, tiny_params(train_seg__epochs=1))
        assert signal.getsignal(signal.SIGINT) == handler
    finally:
        signal.signal(signal.SIGINT, handler)
