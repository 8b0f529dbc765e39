"""Judges: models that look at the frames of a video and answer with a score."""
