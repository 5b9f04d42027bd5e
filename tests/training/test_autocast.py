"""What a training step computes beside its networks is as exact in mixed precision as in float32."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from ae_pretrained.dataset.batches import halve
from ae_pretrained.dataset.corruption import corrupt
from ae_pretrained.losses.latent_loss import _padded
from ae_pretrained.losses.reconstruction_loss import masked_mse
from ae_pretrained.losses.segmentation_loss import SegmentationLoss
from ae_pretrained.metrics.confusion import confusion_per_image
from ae_pretrained.metrics.image_quality import squared_error
from ae_pretrained.metrics.ssim import ssim

_DRAWS = torch.Generator().manual_seed(0)
IMAGES, OTHERS = torch.rand(2, 4, 3, 32, 32, generator=_DRAWS)
LOGITS = torch.randn(4, 3, 32, 32, generator=_DRAWS)
MASKS = torch.randint(0, 3, (4, 32, 32), generator=_DRAWS)
VALID = torch.ones(4, 1, 32, 32, dtype=torch.bool)
VALID[:, :, 25:] = False

STEPS: dict[str, Callable[[], Tensor]] = {
    "corruption": lambda: corrupt(IMAGES, "both", generator=torch.Generator().manual_seed(1))[0],
    "half size": lambda: halve(IMAGES, MASKS)[0],
    "squared error": lambda: masked_mse(OTHERS, IMAGES, VALID),
    "SSIM": lambda: ssim(OTHERS, IMAGES, VALID),
    "standardised features": lambda: _padded(OTHERS, IMAGES, VALID.float()),
    "Dice and cross-entropy": lambda: SegmentationLoss()(LOGITS, MASKS)["total"],
    "sums behind PSNR": lambda: squared_error(OTHERS, IMAGES, VALID)[0],
    "confusion matrix": lambda: confusion_per_image(LOGITS.argmax(dim=1), MASKS, 3),
}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", list(STEPS))
def test_autocast_changes_no_bit(name: str, dtype: torch.dtype) -> None:
    expected = STEPS[name]()
    with torch.autocast("cpu", dtype):
        found = STEPS[name]()
    assert found.dtype == expected.dtype
    assert torch.equal(found, expected)
