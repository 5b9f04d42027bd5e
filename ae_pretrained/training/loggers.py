"""Watching a run with TensorBoard, DVCLive or MLflow, beside the CSV and the terminal.

What they write lies in a folder that neither Git nor DVC looks at: it holds clock times, and no figure of a run may
depend on who watched it.
"""

from __future__ import annotations

import os
from pathlib import Path

from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger

from ae_pretrained.params.logger_packages import LoggerName, check_logger


def make_logger(name: LoggerName, folder: Path, title: str) -> Logger | None:
    """The logger that ``runtime.logger`` names; its package is imported only here.

    Args:
        name: ``none``, ``tensorboard``, ``dvclive`` or ``mlflow``.
        folder: where it writes, below ``NAME/``; MLflow to the server of ``MLFLOW_TRACKING_URI`` where that is set.
        title: of the run, such as ``train_seg``.

    Returns:
        None for ``none``.

    Raises:
        PipelineError: when its package is not installed.
    """
    check_logger(name)
    own = folder / name
    if name == "tensorboard":
        return TensorBoardLogger(own, title)
    if name == "mlflow":
        server = os.environ.get("MLFLOW_TRACKING_URI")
        if server is None:
            own.mkdir(parents=True, exist_ok=True)
        return MLFlowLogger(title, tracking_uri=server or f"sqlite:///{own}/mlflow.db")
    if name == "dvclive":
        from dvclive.lightning import DVCLiveLogger

        # No experiment of its own, since DVC runs the stage. No dvc.yaml either: DVC stops at one that Git ignores.
        return DVCLiveLogger(dir=str(own / title), dvcyaml=False, save_dvc_exp=False, report=None)
    return None
