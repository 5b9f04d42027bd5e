"""Windows of images of any size: cut out for training, slid over the whole for predictions."""
