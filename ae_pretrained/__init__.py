"""Autoencoder pretraining and its transfer to semantic segmentation."""

from ae_pretrained import compat

__version__ = "0.1.0"

compat.install()
