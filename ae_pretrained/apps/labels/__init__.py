"""Corrected masks back into a project."""
