"""Bare names, cards and what is published."""
