"""Networks: the shared encoder and decoder, the autoencoder, the U-Net, and what carries weights between them."""
