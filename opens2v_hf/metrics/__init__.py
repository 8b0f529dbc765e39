"""The metrics: each owns its models and turns a clip into a score."""
