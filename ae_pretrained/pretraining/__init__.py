"""Phase 1: the autoencoder, without labels."""
