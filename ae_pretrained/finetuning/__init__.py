"""Phase 2: the segmenter, its encoder carried over."""
