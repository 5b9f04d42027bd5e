"""One thin script a stage; everything they do is in ae_pretrained."""
