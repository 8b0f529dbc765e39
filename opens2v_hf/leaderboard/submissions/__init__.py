"""Results as data: the records of the results dataset, what makes one valid, and how one gets there."""
