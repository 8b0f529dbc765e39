"""Scoring a whole model."""
