"""Using a trained segmenter: photos in, masks, overlays and tables out."""
