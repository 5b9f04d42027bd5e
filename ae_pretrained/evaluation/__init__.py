"""Evaluation of trained models on the test split: figures, tables and images."""
