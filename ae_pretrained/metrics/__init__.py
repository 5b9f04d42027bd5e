"""Measures of reconstruction and segmentation, each over a whole split."""
