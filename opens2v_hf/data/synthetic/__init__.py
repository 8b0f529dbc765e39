"""The project's own sample: small synthetic scenes whose every fact is known."""
