"""Importers: what annotation tools export, read where it lies. ``detection`` tells the formats apart."""
