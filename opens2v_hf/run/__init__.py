"""Scoring: one metric over videos, all metrics over a model, and what is written about it."""
