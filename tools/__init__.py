"""Tools for people who change this project; the pipeline needs none of them."""
