"""What a run says: types, columns, comparison, comparability."""
