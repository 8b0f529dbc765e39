"""Formulas: numbers in, numbers out. No model and no file in sight."""
