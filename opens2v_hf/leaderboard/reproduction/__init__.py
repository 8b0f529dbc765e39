"""Published rows again: what is public of how each was made, scored or made anew, beside the published numbers."""
