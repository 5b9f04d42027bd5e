"""Figures: arrays in, matplotlib figures out; no result is computed here."""
