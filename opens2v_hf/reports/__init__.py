"""Pages and pictures: report, comparison, explanation."""
