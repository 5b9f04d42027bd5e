"""What happens between epochs: freezing, averaging, keeping the best weights, and telling the user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import Logger
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from ae_pretrained.files import write_table
from ae_pretrained.models.transfer import freeze_encoder, thaw_encoder
from ae_pretrained.models.unet import UNet
from ae_pretrained.training.epoch_times import EpochTimes, in_words


class FreezeEncoder(L.Callback):
    """Keeps the encoder frozen for the first epochs (-1: for all of them)."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        model = pl_module.network
        assert isinstance(model, UNet)
        if self.epochs < 0 or trainer.current_epoch < self.epochs:
            freeze_encoder(model)
        else:
            thaw_encoder(model)


class Patience(EarlyStopping):
    """Stops when the monitored figure has not improved for some epochs.

    Args:
        epochs: how many.
        monitor: the figure.
        mode: ``min`` or ``max``.
        start: epochs at the start that do not count.
    """

    def __init__(self, epochs: int, monitor: str, mode: str, *, start: int = 0) -> None:
        super().__init__(
            monitor, mode=mode, patience=epochs, check_finite=False, check_on_train_epoch_end=True
        )
        self.start = start

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch >= self.start:
            super().on_train_epoch_end(trainer, pl_module)


class MovingAverage(L.Callback):
    """An exponential moving average of the network's weights, which takes their place during validation.

    Stands after :class:`BestWeights` in the list of callbacks, which thus meets the averaged weights at the end of
    validation.
    """

    # Lightning's EMAWeightAveraging (2.6) resumes to the byte too, but does not do the same:
    # - it puts the trained weights back in on_validation_epoch_end, before the module has logged its scores of the
    #   epoch: at on_validation_end, where the best epoch is known, the averaged weights that were scored are gone,
    #   and BestWeights would keep others;
    # - it averages the whole LightningModule, so also the linear maps of the latent loss, which changes val_loss and
    #   with it the epoch that is best.

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.average: AveragedModel | None = None
        self._restored: dict[str, Any] | None = None
        self._trained: dict[str, torch.Tensor] = {}

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        network = pl_module.network
        assert isinstance(network, torch.nn.Module)
        self.average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(self.decay), use_buffers=True)
        if self._restored is not None:
            self.average.load_state_dict(self._restored)

    def teacher(self, trainer: L.Trainer) -> torch.nn.Module:
        """The averaged network, in eval mode, the same in every process."""
        assert self.average is not None
        if trainer.world_size > 1:
            # DDP makes the network's norm statistics those of the first process, before each step; these likewise.
            for buffer in self.average.module.buffers():
                torch.distributed.broadcast(buffer, 0)
        return self.average.module.eval()

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        assert self.average is not None
        network = pl_module.network
        assert isinstance(network, torch.nn.Module)
        self.average.update_parameters(network)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        network = pl_module.network
        assert self.average is not None
        assert isinstance(network, torch.nn.Module)
        self._trained = {name: value.clone() for name, value in network.state_dict().items()}
        network.load_state_dict(self.average.module.state_dict())

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        network = pl_module.network
        assert isinstance(network, torch.nn.Module)
        network.load_state_dict(self._trained)
        self._trained = {}

    def state_dict(self) -> dict[str, Any]:
        return {} if self.average is None else {"average": self.average.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict.get("average")


class BestWeights(L.Callback):
    """Keeps the weights of the epoch with the best validation score, inside the checkpoint itself.

    One file then holds the whole state of a run, and a kill between two files cannot tear it apart.

    Args:
        monitor: the figure.
        mode: ``min`` or ``max``; with ``last`` the last epoch is kept, whatever the figure.
    """

    def __init__(self, monitor: str, mode: str) -> None:
        self.monitor, self.mode = monitor, mode
        self.score: float | None = None
        self.epoch = -1
        self.weights: dict[str, torch.Tensor] = {}

    @property
    def state_key(self) -> str:
        """A run may keep two: the last epoch, and the best one beside it."""
        return self._generate_state_key(mode=self.mode)

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        score = float(trainer.callback_metrics[self.monitor])
        if self.score is not None and self.mode != "last":
            better = score < self.score if self.mode == "min" else score > self.score
            if not better:
                return
        network = pl_module.network
        assert isinstance(network, torch.nn.Module)
        self.score, self.epoch = score, trainer.current_epoch
        self.weights = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return {"score": self.score, "epoch": self.epoch, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.score, self.epoch = state_dict["score"], state_dict["epoch"]
        self.weights = state_dict["weights"]


class EpochLog(L.Callback):
    """One row per epoch in a CSV, one line per epoch on the terminal, a bar within the epoch.

    Args:
        path: the CSV.
        title: what stands before every line.
        shown: figures of the line, in order: (column of the CSV, label).
        logger: gets the same rows, those of an interrupted run that goes on included; None for none.
        half_size_epochs: epochs, from the start, at half the image size, for the time that is left.
    """

    def __init__(
        self,
        path: Path,
        title: str,
        shown: Sequence[tuple[str, str]],
        logger: Logger | None = None,
        half_size_epochs: int = 0,
    ) -> None:
        self.path, self.title, self.shown, self.logger = path, title, shown, logger
        self.rows: list[dict[str, float]] = []
        self._bar: tqdm[Any] | None = None
        self._rates: dict[str, float] = {}
        self._logged = 0  # rows that the logger has
        self._times = EpochTimes(half_size_epochs)  # of this process: an interrupted run began earlier

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._times.begin()
        if trainer.is_global_zero:
            label = f"{self.title} {trainer.current_epoch + 1}/{trainer.max_epochs}"
            # disable=None: no bar where nobody watches, such as in a log file.
            self._bar = tqdm(total=int(trainer.num_training_batches), desc=label, leave=False, disable=None)

    def on_train_batch_start(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        groups = trainer.optimizers[0].param_groups
        self._rates = {str(group["name"]): float(group["lr"]) for group in groups}

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        if self._bar is not None:
            self._bar.update()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._times.trained(trainer.current_epoch)
        self._close()

    def on_exception(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        exception: BaseException,
    ) -> None:
        self._close()
        self._finalize("failed")

    def on_fit_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        self._finalize("success")

    def _finalize(self, status: str) -> None:
        if self.logger is not None and self._logged > 0:
            self.logger.finalize(status)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        row = {"epoch": trainer.current_epoch + 1, **_learning_rates(self._rates)}
        metrics = {key: float(value) for key, value in trainer.callback_metrics.items()}
        row |= dict(sorted(metrics.items(), key=lambda item: (item[0].startswith("val"), item[0])))
        self.rows.append(row)
        if not trainer.is_global_zero:
            return
        self._write()
        figures = "  ".join(f"{label} {row[key]:.4g}" for key, label in self.shown if key in row)
        assert trainer.max_epochs is not None
        done = trainer.current_epoch + 1
        self._times.validated()
        seconds = self._times.left(done, trainer.max_epochs)
        left = f"  {in_words(seconds)} left" if done < trainer.max_epochs else ""
        print(f"{self.title} epoch {done}/{trainer.max_epochs}  {figures}{left}", flush=True)
        if self.logger is not None:
            for logged in self.rows[self._logged :]:
                figures_of = {key: value for key, value in logged.items() if key != "epoch"}
                self.logger.log_metrics(figures_of, step=int(logged["epoch"]))
            self._logged = len(self.rows)
            self.logger.save()

    def _write(self) -> None:
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        write_table(self.path, columns, ([row.get(key, "") for key in columns] for row in self.rows))

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])


def _learning_rates(rates: dict[str, float]) -> dict[str, float]:
    """``lr`` of the decoder and head, and ``encoder_lr`` where the encoder's differs."""
    encoder = [rate for name, rate in rates.items() if name.startswith("encoder")]
    others = [rate for name, rate in rates.items() if not name.startswith("encoder")]
    lr = others[0] if others else encoder[0]
    return {"lr": lr, "encoder_lr": encoder[0] if encoder else lr}
