"""Reproduction of published rows: their recipes, their videos, and the comparison with the published numbers."""
