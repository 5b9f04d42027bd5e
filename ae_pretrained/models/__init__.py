"""Networks: the shared encoder and decoder, the autoencoder, the U-Net, and what carries weights between them."""

from ae_pretrained.models.autoencoder import Autoencoder
from ae_pretrained.models.config import ModelConfig
from ae_pretrained.models.decoder import Decoder
from ae_pretrained.models.encoder import Encoder
from ae_pretrained.models.imagenet import EfficientNetLiteEncoder
from ae_pretrained.models.transfer import build_segmenter, freeze_encoder, parameter_groups, thaw_encoder
from ae_pretrained.models.unet import UNet
from ae_pretrained.models.weights import SegmenterInfo, load_autoencoder, load_unet, save_model

__all__ = [
    "Autoencoder",
    "Decoder",
    "EfficientNetLiteEncoder",
    "Encoder",
    "ModelConfig",
    "SegmenterInfo",
    "UNet",
    "build_segmenter",
    "freeze_encoder",
    "load_autoencoder",
    "load_unet",
    "parameter_groups",
    "save_model",
    "thaw_encoder",
]
