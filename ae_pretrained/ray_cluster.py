"""A Ray cluster to work on: the one that is there, or one on this machine for as long as it is needed."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ae_pretrained.errors import PipelineError


@contextmanager
def ray_cluster(address: str | None = None) -> Iterator[Any]:
    """The module ``ray``, connected; disconnected at the end, unless it was connected before.

    Args:
        address: ``HOST:PORT`` of a cluster; None for that of RAY_ADDRESS, one that runs on this machine, or, where
            there is none, one that is started here and ends with the block.

    Raises:
        PipelineError: when Ray is not installed, or no cluster answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anybody
    # Of a cluster that starts here: workers get as much of the machine as this process would, and not what is left.
    os.environ.setdefault("RAY_worker_niceness", "0")
    try:
        import ray
    except ImportError:
        raise PipelineError(
            "--engine ray: Ray is not installed; run pip install 'ae-pretrained[ray]', on the workers too, or use "
            "--engine local"
        ) from None
    if ray.is_initialized():
        yield ray
        return
    named = address or os.environ.get("RAY_ADDRESS")
    if named and not _answers(named):
        raise _no_cluster(named, "no connection")
    try:
        ray.init(
            address=address, include_dashboard=None if address else False, log_to_driver=False,
            logging_level=logging.ERROR, configure_logging=False,
        )  # fmt: skip
    except (
        Exception
    ) as error:  # a cluster that starts here too slowly, on a busy machine, raises no other class
        raise _no_cluster(named or "this machine", str(error).strip().partition("\n")[0]) from None
    try:
        yield ray
    finally:
        ray.shutdown()


def _answers(address: str) -> bool:
    """Whether something listens at HOST:PORT, which Ray itself tries for minutes; true of other forms."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        return True
    try:
        socket.create_connection((host.rpartition("/")[2], int(port)), timeout=5).close()
    except (OSError, OverflowError):
        return False
    return True


def _no_cluster(where: str, why: str) -> PipelineError:
    return PipelineError(
        f"--cluster, RAY_ADDRESS: no Ray cluster answers at {where} ({why}); start one with `ray start --head`, name "
        "the HOST:PORT that it prints, or leave both out to use this machine"
    )


def lacks_package(error: BaseException) -> bool:
    """Whether a worker failed since it has no ``ae_pretrained``, or an older one."""
    return "No module named 'ae_pretrained" in str(error)
