"""Reading frames: which ones, and exactly."""
