"""What started this process, and whether it fits ``runtime.devices`` x ``runtime.num_nodes``.

Lightning joins the processes that torchrun or SLURM started (``TorchElasticEnvironment``, ``SLURMEnvironment``), and
starts those of one machine itself. A count that does not fit makes it wait for a process that never comes, or train
the same several times: it is looked at here, before anything is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import torch

from ae_pretrained.errors import PipelineError
from ae_pretrained.params.model_params import RuntimeParams

_KEYS = "runtime.devices, runtime.num_nodes"


def check_launch(
    runtime: RuntimeParams, accelerator: str, environment: Mapping[str, str] = os.environ
) -> None:
    """Refuse a run whose processes are not those that its parameters name.

    Args:
        runtime: the section of the parameters.
        accelerator: ``cpu``, where a device is a process, or ``gpu``.
        environment: variables of this process.

    Raises:
        PipelineError: for more devices than there are, a launcher that started another number of processes, or
            several nodes without a launcher.
    """
    if accelerator == "gpu" and runtime.devices > (there := torch.cuda.device_count()):
        raise PipelineError(
            f"runtime.devices: found {runtime.devices}, but PyTorch sees {there} of this machine's GPUs; expected at "
            f"most {there}. CUDA_VISIBLE_DEVICES and SLURM's --gpus-per-task hide others: each process has to see "
            "all GPUs of its node"
        )
    processes = runtime.devices * runtime.num_nodes
    if processes == 1:
        _check_alone(environment)
    elif "TORCHELASTIC_RUN_ID" in environment:
        _check_started(runtime, "torchrun", environment["WORLD_SIZE"], environment.get("LOCAL_WORLD_SIZE"))
    elif _is_slurm(environment):
        per_node = environment.get("SLURM_NTASKS_PER_NODE")
        if per_node is None:
            raise PipelineError(
                f"{_KEYS}: found {runtime.devices} x {runtime.num_nodes}, but the SLURM job does not say how many "
                f"tasks a node has; start it with --nodes={runtime.num_nodes} --ntasks-per-node={runtime.devices} "
                "(not --ntasks), and the command with srun"
            )
        _check_started(runtime, "SLURM", environment["SLURM_NTASKS"], per_node)
    elif runtime.num_nodes > 1 and "MASTER_ADDR" not in environment:
        raise PipelineError(
            f"runtime.num_nodes: found {runtime.num_nodes}, but nothing started this on several machines, so that it "
            "would wait for the others for ever; start it on each with torchrun, or with srun "
            "(docs/how-to/several-gpus.md)"
        )


def _is_slurm(environment: Mapping[str, str]) -> bool:
    """As Lightning tells: a shell within a job is none."""
    return "SLURM_NTASKS" in environment and environment.get("SLURM_JOB_NAME") not in ("bash", "interactive")


def _check_alone(environment: Mapping[str, str]) -> None:
    rank = int(environment.get("RANK", environment.get("SLURM_PROCID", "0")))
    # A job of several tasks may well run a single process without srun: only a step's own count tells.
    started = max(int(environment.get(key, "1")) for key in ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS"))
    if rank > 0 or started > 1:
        raise PipelineError(
            f"{_KEYS}: found 1 device, but this is process {rank} of several that "
            "torchrun or SLURM started, each of which would train the same and write the same files; set them to "
            "what was started, or start one process"
        )


def _check_started(runtime: RuntimeParams, launcher: str, total: str, per_node: str | None) -> None:
    devices = runtime.devices if per_node is None else int(per_node)
    expected = runtime.devices * runtime.num_nodes
    if int(total) != expected or devices != runtime.devices:
        raise PipelineError(
            f"{_KEYS}: found {runtime.devices} x {runtime.num_nodes} = {expected} processes, but {launcher} started "
            f"{total}, {devices} on each node; set runtime.devices={devices} and "
            f"runtime.num_nodes={max(1, int(total) // devices)}, or start as many as are set"
        )
