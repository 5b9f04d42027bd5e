"""Losses of reconstruction and of segmentation."""
