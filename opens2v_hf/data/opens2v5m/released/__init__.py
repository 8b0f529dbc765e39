"""Readers of OpenS2V-5M in the layout of its release."""
