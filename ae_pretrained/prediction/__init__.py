"""Using a trained segmenter: images in, masks, overlays and tables out."""
