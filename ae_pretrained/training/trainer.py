"""Lightning's trainer as this pipeline uses it."""

from __future__ import annotations

import logging
import warnings

import lightning as L
from lightning.fabric.plugins.environments.lightning import LightningEnvironment

from ae_pretrained.hardware import numerics, use_tf32, use_threads
from ae_pretrained.params.model_params import RuntimeParams
from ae_pretrained.training.launch import check_launch


def make_trainer(
    runtime: RuntimeParams, precision: str, epochs: int, callbacks: list[L.Callback]
) -> L.Trainer:
    """A trainer for one run; PyTorch is set to the run's ``deterministic``, ``tf32`` and ``threads``.

    Args:
        runtime: the section of the parameters.
        precision: as in ``train_ae.precision`` and ``train_seg.precision``.
        epochs: most that are trained.
        callbacks: those of the run.

    Raises:
        PipelineError: when there are fewer devices, or a launcher (torchrun, SLURM) started other processes.
    """
    computed = numerics(runtime, precision)
    use_tf32(runtime.tf32)
    use_threads(runtime.threads)
    _quieten()
    check_launch(runtime, computed["accelerator"])
    return L.Trainer(
        accelerator=computed["accelerator"],
        devices=runtime.devices,
        num_nodes=runtime.num_nodes,
        # Freezing changes which parameters take part, and thawing happens after the processes were joined.
        strategy="ddp_find_unused_parameters_true" if computed["processes"] > 1 else "auto",
        precision=computed["precision"],
        max_epochs=epochs,
        callbacks=callbacks,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        deterministic=runtime.deterministic,
        benchmark=False,
        # A run of one process is one, also within a SLURM job of several tasks.
        plugins=[LightningEnvironment()] if computed["processes"] == 1 else None,
    )


def _quieten() -> None:
    """Lightning's advice is for people who write their own training script."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in (
        ".*does not have many workers.*",
        ".*Checkpoint directory .* exists and is not empty.*",
        ".*litlogger.*",
        ".*You have overridden `on_after_batch_transfer`.*",
        ".*isinstance.treespec, LeafSpec.*",
        ".*Found .* module.* in eval mode.*",
        ".*find_unused_parameters=True was specified.*",
        ".*It is recommended to use `self.log.*sync_dist=True.*",  # scores come from the confusion of all processes
        ".*number of training batches .* is smaller than the logging interval.*",
        ".*Detected call of `lr_scheduler.step.*",  # fp16 skips the first steps until its scale fits
    ):
        warnings.filterwarnings("ignore", message)
