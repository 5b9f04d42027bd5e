"""Training steps on a stand-in for a GPU: run as a program, prints a JSON of what went wrong in which case.

The stand-in is a device without memory: its tensors are PyTorch's fake tensors, which have a shape, a type and a
device but no values. An operation that mixes devices fails as on a GPU, and so does every step that asks a tensor
for a value, for which a GPU would have to be waited for. A program of its own, since a device once registered
stays. Backend registration is PyTorch's own experimental tool for testing (2.9 and later).
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ae_pretrained import compat

compat.install()

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch._subclasses.fake_tensor import FakeCopyMode, FakeTensorMode  # noqa: E402
from torch.utils import backend_registration  # noqa: E402

from ae_pretrained.dataset import augmentation as augment  # noqa: E402
from ae_pretrained.finetuning.segmentation_task import SegmentationTask  # noqa: E402
from ae_pretrained.losses.frozen_network_loss import FrozenNetworkLoss  # noqa: E402
from ae_pretrained.models.autoencoder import Autoencoder  # noqa: E402
from ae_pretrained.models.config import ModelConfig  # noqa: E402
from ae_pretrained.models.unet import UNet  # noqa: E402
from ae_pretrained.params import Params, load_params  # noqa: E402
from ae_pretrained.pretraining.autoencoder_task import AutoencoderTask  # noqa: E402
from ae_pretrained.training.training_task import TrainingTask  # noqa: E402

DEVICE = "stand_in"
CLASSES = ("background", "cat", "dog")
SIDE = 128


class _Module(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


def register() -> object:
    """Make the device known; autocast changes no type on it. What is returned must be kept."""
    backend_registration._setup_privateuseone_for_python_backend(DEVICE, backend_module=_Module())
    library = torch.library.Library("_", "IMPL")
    library.fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
    return library


def moved(task: TrainingTask, mode: FakeTensorMode) -> TrainingTask:
    """A copy of a task on the stand-in: `Module.to` cannot bring fake parameters to another device."""
    with FakeCopyMode(mode):
        task = copy.deepcopy(task)
    held = [m.network for m in task.modules() if isinstance(m, FrozenNetworkLoss)]
    with mode:
        for module in (m for root in [task, *held] for m in root.modules()):
            for name, value in module._parameters.items():
                if value is not None:
                    empty = torch.empty(value.shape, dtype=value.dtype, device=DEVICE)
                    module._parameters[name] = nn.Parameter(empty, requires_grad=value.requires_grad)
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype, device=DEVICE)
    return task


def make_tasks(params: Params) -> dict[str, TrainingTask]:
    config = ModelConfig(**params.model.model_dump())
    frequencies = torch.tensor([0.6, 0.2, 0.2])
    segmentation = SegmentationTask(UNet(config, len(CLASSES)), params.train_seg, 0, CLASSES, frequencies)
    for part in segmentation.loss.parts.values():
        part.labels_checked = True  # the first batch alone is looked at
    tasks: dict[str, TrainingTask] = {
        "train_seg": segmentation,
        "train_ae": AutoencoderTask(Autoencoder(config, params.train_ae.skips), params.train_ae, 0),
    }
    for task in tasks.values():
        # What needs a trainer, and generators, of which the stand-in has none.
        task.report = lambda losses, phase, count: losses["total"]  # type: ignore[method-assign]
        task.training_generator = lambda batch: torch.Generator()  # type: ignore[method-assign]
    return tasks


def outcome(action: Callable[[], Any]) -> str:
    """ "" or what went wrong."""
    try:
        action()
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:500]
    return ""


def step(task: TrainingTask, batch: tuple[Tensor, Tensor], mixed: bool) -> None:
    with torch.autocast(DEVICE, torch.bfloat16, enabled=mixed):
        loss = task.training_step(batch, 0)  # type: ignore[attr-defined]
    loss.backward()
    assert loss.device.type == DEVICE
    assert any(p.grad is not None and p.grad.device.type == DEVICE for p in task.parameters())


def main(files: list[str]) -> dict[str, str]:
    keep = register()
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    for name in ("_RGB_TO_YIQ", "_YIQ_TO_RGB"):
        setattr(augment, name, mode.from_tensor(getattr(augment, name)))
    results: dict[str, str] = {}
    with mode:
        images = torch.empty(8, 3, SIDE, SIDE, device=DEVICE)
        masks = torch.empty(8, SIDE, SIDE, dtype=torch.uint8, device=DEVICE)
        results["mixed devices"] = outcome(lambda: images + torch.empty(8, 3, SIDE, SIDE))
        results["a value asked for"] = outcome(lambda: float(images.mean()))
    for file in files:
        for name, task in make_tasks(load_params(Path(file))).items():
            for half in (False, True):
                type(task).at_half_size = half  # type: ignore[assignment, method-assign]
                for mixed in (False, True):
                    there = moved(task, mode)
                    with mode:
                        case = f"{Path(file).stem} {name} {'half' if half else 'full'} {'bf16' if mixed else '32'}"
                        results[case] = outcome(lambda: step(there, (images, masks), mixed))  # noqa: B023
    del keep
    return results


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))
