"""Phase 1: the autoencoder, without labels."""

from ae_pretrained.pretraining.pretrain import pretrain

__all__ = ["pretrain"]
