"""Pages in gradio: what all Spaces share, and the builder of the metrics' pages."""
