"""Finding, aligning and embedding faces."""
