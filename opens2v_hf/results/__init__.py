"""Results of runs: types, columns, comparison, comparability."""
