"""Training of the embedded models on the project's synthetic scenes: one module with a command line for each."""
