"""Judges: models that rate the frames of a video with a score."""
