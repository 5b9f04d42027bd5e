"""Prepared arrays as batches, augmentation and corruption."""
