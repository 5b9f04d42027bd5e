"""Prediction on a Ray cluster: Ray Data hands out shards, each worker has the model and keeps a journal.

A worker that dies is replaced by Ray, and its shard begun again there: the journal beside the results says what of it
is done.
"""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from ae_pretrained.errors import PipelineError
from ae_pretrained.memory import keep_freed_memory
from ae_pretrained.prediction.destination import Destination, destination_at
from ae_pretrained.prediction.journal import Shard
from ae_pretrained.prediction.predict_shard import Found, Manner, predict_shard
from ae_pretrained.prediction.segmenter import Segmenter
from ae_pretrained.ray_cluster import lacks_package, ray_cluster
from ae_pretrained.sources.base import DataError


def predict_on_ray(
    segmenter: Segmenter, shards: Sequence[Shard], place: Destination, manner: Manner, cluster: str | None
) -> Generator[Found, None, None]:
    """Predict shards on the workers of a cluster and yield each image with its row, as shards are done.

    Args:
        segmenter: what the workers load too, from the same file.
        shards: to predict.
        place: of the results; all workers see a folder under this path.
        manner: how.
        cluster: address; see :func:`ae_pretrained.ray_cluster.ray_cluster`.

    Raises:
        PipelineError: when Ray, a cluster, or the package on a worker is missing, or the model has no file.
        OSError: when a result cannot be written.
        DataError: the same, at an address.
    """
    if segmenter.path is None:
        raise PipelineError("engine: 'ray' needs a model file, which workers can load; save the model first")
    if not shards:
        return
    with ray_cluster(cluster) as ray:
        import ray.data as ray_data

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        context = ray_data.DataContext.get_current()
        context.enable_progress_bars = False
        resources = ray.cluster_resources()
        gpu = segmenter.device == "cuda"
        workers = max(1, min(int(resources.get("GPU" if gpu else "CPU", 1)), len(shards)))
        rows = [{"shard": pickle.dumps(shard)} for shard in shards]
        worker: Any = ShardWorker
        results = ray_data.from_items(rows, override_num_blocks=len(rows)).map(
            worker,
            fn_constructor_args=(
                segmenter.path.absolute(),
                segmenter.device,
                place.everywhere(),
                manner,
                Path.cwd(),
            ),
            compute=ray_data.ActorPoolStrategy(size=workers),
            num_cpus=1,
            num_gpus=1 if gpu else None,
        )
        try:
            for row in results.iter_rows():
                yield from _unpacked(row)
        except ray.exceptions.RayError as error:
            if lacks_package(error):
                raise PipelineError(
                    "--engine ray: a worker of the cluster lacks this version of ae-pretrained; install the same on "
                    "all of them (pip install 'ae-pretrained[ray]')"
                ) from None
            raise


class ShardWorker:
    """What a worker of the cluster does: it loads the model once, and predicts shard after shard."""

    def __init__(self, model: Path, device: str, place: Path | str, manner: Manner, base: Path) -> None:
        keep_freed_memory()  # as the command does
        self.segmenter = Segmenter.load(model, device)
        self.place, self.manner, self.base = place, manner, base

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Predict a shard; an error that the user can mend is part of the answer, as it is no fault of the worker."""
        shard = pickle.loads(row["shard"])
        try:
            return {"found": pickle.dumps(self._found(shard)), "errno": 0, "said": ""}
        except OSError as error:
            return {"found": b"", "errno": error.errno or -1, "said": str(error.filename or self.place)}
        except PipelineError as error:
            return {"found": b"", "errno": 0, "said": str(error)}

    def _found(self, shard: Shard) -> list[Found]:
        with destination_at(self.place) as place:
            try:
                return list(predict_shard(self.segmenter, shard, place, self.manner, base=self.base))
            except (OSError, PipelineError):
                raise
            except Exception:
                # An image that a decoder cannot stand: the journal knows, and they are now taken one by one.
                return list(predict_shard(self.segmenter, shard, place, self.manner, base=self.base))


def _unpacked(row: dict[str, Any]) -> list[Found]:
    if row["errno"]:
        raise OSError(row["errno"], os.strerror(row["errno"]), row["said"])
    if row["said"]:
        raise DataError(row["said"])
    found: list[Found] = pickle.loads(row["found"])
    return found
