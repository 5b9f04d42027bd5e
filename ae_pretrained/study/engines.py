"""What runs cells: this process, the workers of a Ray cluster, or another scheduler that is given a list of commands.

A cell is a function of the grid, the parameters, the images and an autoencoder, and writes one record: where and in
which order cells are run changes none of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from ae_pretrained.errors import PipelineError
from ae_pretrained.params.model_params import RuntimeParams
from ae_pretrained.ray_cluster import lacks_package, ray_cluster
from ae_pretrained.study.autoencoders import pretrain_missing, wanted_autoencoders
from ae_pretrained.study.cell import run_cell
from ae_pretrained.study.grid import Cell, StudyAutoencoder, autoencoder_of, autoencoder_params, cell_params
from ae_pretrained.study.layout import Study

Engine = Literal["local", "ray", "list"]
_RETRIES = 10  # workers that a cell may lose; it goes on from its checkpoint each time


def list_cells(cells: Sequence[Cell], study: Study) -> None:
    """Print one command per cell, for a SLURM array, GNU parallel, xargs."""
    for cell in cells:
        print(study.command("cell", cell.arm, cell.run, str(cell.seed)))


def run_here(cells: Sequence[Cell], study: Study, data: dict[str, str]) -> None:
    """Run cells one after the other in this process, after the autoencoders that they start from."""
    for autoencoder in wanted_autoencoders(cells, study):
        pretrain_missing(autoencoder, study, data)
    for number, cell in enumerate(cells, start=1):
        print(f"cell {number} of {len(cells)}: {cell.name}")
        run_cell(cell, study, data)


def run_on_ray(cells: Sequence[Cell], study: Study, data: dict[str, str], cluster: str | None = None) -> None:
    """Run cells on a Ray cluster, each once the autoencoder that it starts from is there.

    A cell takes ``runtime.threads`` CPUs (0: one), and a GPU with ``runtime.accelerator: gpu``, or ``auto`` where the
    cluster has any. Workers see the current folder under the same path. If one is lost, its cell is begun again on
    another one and goes on from its checkpoint.

    Args:
        cells: to run.
        study, data: see :func:`ae_pretrained.study.cell.run_cell`.
        cluster: address; see :func:`ae_pretrained.ray_cluster.ray_cluster`.

    Raises:
        PipelineError: when Ray or a cluster is missing, no node has what a cell asks for, or, after all others are
            done, naming the cells that failed.
    """
    with ray_cluster(cluster) as ray:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        # Of its own process: none inherits the threads or the GPU memory of another.
        remote = ray.remote(max_retries=_RETRIES, max_calls=1)
        autoencoder_job, cell_job = remote(train_autoencoder), remote(train_cell)
        place, made, running = Path.cwd(), {}, {}
        for autoencoder in wanted_autoencoders(cells, study):
            asked = _resources(autoencoder_params(autoencoder, study).runtime, nodes)
            made[autoencoder] = autoencoder_job.options(**asked).remote(place, autoencoder, study, data)
        for cell in cells:
            asked = _resources(cell_params(cell, study).runtime, nodes)
            start = autoencoder_of(cell, study)
            after = None if start is None else made.get(start)  # none that the study does not make
            running[cell_job.options(**asked).remote(place, cell, study, data, after)] = cell
        failed: dict[str, str] = {}
        waiting = list(running)
        while waiting:
            ready, waiting = ray.wait(waiting)
            name = running[ready[0]].name
            try:
                ray.get(ready[0])
            except (PipelineError, ray.exceptions.RayError) as error:
                failed[name] = _in_a_line(error)
            said = "failed" if name in failed else "done"
            print(f"cell {len(cells) - len(waiting)} of {len(cells)}: {name} {said}", flush=True)
    if failed:
        lines = "\n  ".join(f"{name}: {why}" for name, why in sorted(failed.items()))
        raise PipelineError(
            f"{len(failed)} of {len(cells)} cells failed, the others have their records:\n  {lines}\nGive the same "
            "command again to run these alone"
        )


def train_autoencoder(place: Path, autoencoder: StudyAutoencoder, study: Study, data: dict[str, str]) -> None:
    """What a worker does for an autoencoder."""
    _go_to(place)
    pretrain_missing(autoencoder, study, data)


def train_cell(place: Path, cell: Cell, study: Study, data: dict[str, str], _after: None) -> None:
    """What a worker does for a cell, after its autoencoder."""
    _go_to(place)
    run_cell(cell, study, data)


def _go_to(place: Path) -> None:
    if not place.is_dir():
        raise PipelineError(f"{place}: this worker has no such folder; work in one that all workers see")
    os.chdir(place)


def _resources(runtime: RuntimeParams, nodes: Sequence[dict[str, float]]) -> dict[str, Any]:
    """What a training asks Ray for.

    Raises:
        PipelineError: when no node has it.
    """
    if runtime.devices * runtime.num_nodes > 1:
        raise PipelineError(
            f"runtime.devices, runtime.num_nodes: found {runtime.devices} x {runtime.num_nodes}; on a cluster every "
            "cell is trained on one device, and several run side by side: set both to 1"
        )
    anywhere = any(node.get("GPU", 0) >= 1 for node in nodes)
    asked = {
        "num_cpus": runtime.threads or 1,
        "num_gpus": int(runtime.accelerator == "gpu" or (runtime.accelerator == "auto" and anywhere)),
    }
    if not any(
        node.get("CPU", 0) >= asked["num_cpus"] and node.get("GPU", 0) >= asked["num_gpus"] for node in nodes
    ):
        raise PipelineError(
            f"runtime.threads, runtime.accelerator: a cell asks for {asked['num_cpus']} CPUs and {asked['num_gpus']} "
            "GPUs, which no node of the Ray cluster has; lower them, or add a node"
        )
    return asked


def _in_a_line(error: Exception) -> str:
    if lacks_package(error):
        return "its worker lacks this version of the package; install it there, or share its folder"
    cause = getattr(error, "cause", None) or error  # of an error that was raised on a worker
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
