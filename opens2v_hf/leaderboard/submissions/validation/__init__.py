"""Validation of submissions, which are untrusted input."""
