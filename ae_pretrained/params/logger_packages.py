"""Which package each ``runtime.logger`` needs: known before any work starts, and without importing it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, get_args

from ae_pretrained.errors import PipelineError

LoggerName = Literal["none", "tensorboard", "dvclive", "mlflow"]
LOGGERS: tuple[LoggerName, ...] = get_args(LoggerName)


def check_logger(name: LoggerName) -> None:
    """Refuse a logger whose package is not there.

    Raises:
        PipelineError: saying what to install.
    """
    if name != "none" and find_spec(name) is None:  # each is imported by the name that the parameter has
        raise PipelineError(
            f"runtime.logger: found {name!r}, whose package is not installed; run `pip install {name}`, or set "
            "runtime.logger to none"
        )
