"""Pages about results, builds and samples."""
