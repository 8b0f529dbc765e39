"""What a sample is, and the readers, builders and writers of the two datasets."""
