"""From files to arrays: decoding, cleaning, resizing, splits."""
