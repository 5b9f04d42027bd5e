"""Data: sources, cleaning, splits, arrays on disk, batches and augmentation."""
