"""A local web page to try a segmenter on images."""
