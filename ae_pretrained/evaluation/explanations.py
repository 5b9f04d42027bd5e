"""Where a segmenter looks: Grad-CAM (Selvaraju et al., ICCV 2017) for dense prediction, by captum."""

from __future__ import annotations

import numpy as np
import torch
from captum.attr import LayerAttribution, LayerGradCam
from torch import Tensor, nn

from ae_pretrained.evaluation.inference import Compute
from ae_pretrained.models.encoder import Encoder
from ae_pretrained.models.memory_layout import place
from ae_pretrained.models.timm_networks import TimmEncoder
from ae_pretrained.models.unet import UNet


def explained_layers(model: UNet) -> dict[str, nn.Module]:
    """The layers that Grad-CAM is shown for, by what they are called: the deepest and the last."""
    encoder, decoder = model.encoder, model.decoder
    bottleneck: nn.Module
    if isinstance(encoder, TimmEncoder):
        bottleneck = model.decoder.stages[0]  # timm's networks end in modules of many kinds
    else:
        bottleneck = encoder.stages[-1] if isinstance(encoder, Encoder) else encoder.blocks[-1]
    last = decoder.stages[-1] if decoder.last is None else decoder.last
    return {"bottleneck": bottleneck, "last decoder stage": last}


def grad_cam(
    model: nn.Module, layer: nn.Module, images: Tensor, num_classes: int, compute: Compute
) -> np.ndarray:
    """Grad-CAM of every class on one layer.

    The score of a class is the sum of its logit over the pixels predicted as that class, or over all pixels
    where there is none (Vinogradova et al., "Seg-Grad-CAM", AAAI 2020).

    Args:
        model: gives logits (N, C, H, W); put into evaluation mode.
        layer: a module of the model that gives one map (N, K, h, w).
        images: (N, 3, H, W) in [0, 1].
        num_classes: C.

    Returns:
        (N, C, H, W) float32 in [0, 1]: each map divided by its maximum; zero where nothing speaks for it.
    """
    place(model, compute.device)
    images = images.to(compute.device)

    def scores(batch: Tensor) -> Tensor:
        logits = model(batch)
        won = torch.nn.functional.one_hot(logits.argmax(dim=1), logits.shape[1]).permute(0, 3, 1, 2)
        none = won.sum(dim=(2, 3), keepdim=True) == 0
        return torch.where(none | (won > 0), logits, 0.0).sum(dim=(2, 3))

    # Gradients are needed with respect to the layer even where every weight is frozen.
    images = images.requires_grad_(True)
    explainer = LayerGradCam(scores, layer)
    maps = []
    for target in range(num_classes):
        attribution = explainer.attribute(images, target=target, relu_attributions=True).detach()
        attribution = LayerAttribution.interpolate(attribution, tuple(images.shape[-2:]), "bilinear")
        peak = attribution.amax(dim=(2, 3), keepdim=True)
        maps.append((attribution / torch.where(peak > 0, peak, 1.0))[:, 0])
    return torch.stack(maps, dim=1).float().cpu().numpy()
