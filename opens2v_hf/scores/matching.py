"""The best one-to-one assignment of two sets to each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from opens2v_hf.errors import ArgumentError


def best_matching(gains: Sequence[Sequence[float]] | np.ndarray, num_columns: int | None = None) -> list[int | None]:
    """Give every row at most one column and every column at most one row, so that the gains add up to the most.

    Exact: shortest augmenting paths with potentials (Kuhn 1955; Jonker and Volgenant 1987), in O(R^2 (C + R)) for R
    rows and C columns.

    Args:
        gains: [R, C], each finite and from 0; what a pair is worth. A row that gains nothing stays alone.
        num_columns: C, where there is no row to tell it.

    Returns:
        For each row its column, or None. Of several best matchings one, always the same.

    Raises:
        ArgumentError: no matrix, or a gain that is negative or not finite.

    Example:
        >>> best_matching([[0.9, 0.8], [0.7, 0.1]])
        [1, 0]
        >>> best_matching([[0.9], [0.8], [0.0]])
        [0, None, None]
    """
    matrix = np.asarray(gains, dtype=np.float64)
    if matrix.size == 0:
        matrix = matrix.reshape(len(gains), num_columns or 0)
    if matrix.ndim != 2:
        raise ArgumentError(f"gains are a matrix, rows by columns (got {matrix.ndim} dimensions)")
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ArgumentError("a gain is a finite number from 0 (got one that is negative or not finite)")
    num_rows, num_columns = matrix.shape
    # with a column of its own that gains nothing every row can be served, alone if need be
    costs = np.concatenate([-matrix, np.zeros((num_rows, num_rows))], axis=1)
    row_of = _shortest_paths(costs)
    found: list[int | None] = [None] * num_rows
    for column in range(num_columns):
        row = int(row_of[column])
        if row >= 0 and matrix[row, column] > 0:
            found[row] = column
    return found


def _shortest_paths(costs: np.ndarray) -> np.ndarray:
    """The row of each column, -1 without one, at the least total cost; every row [R <= C] is served."""
    num_rows, num_columns = costs.shape
    row_potential, column_potential = np.zeros(num_rows), np.zeros(num_columns)
    row_of = np.full(num_columns, -1)
    for start in range(num_rows):
        distance = np.full(num_columns, np.inf)
        came_from = np.full(num_columns, -1)
        settled = np.zeros(num_columns, bool)
        rows_seen, reached = [start], {start: 0.0}
        row, walked, column = start, 0.0, -1
        while row >= 0:
            reduced = walked + costs[row] - row_potential[row] - column_potential
            nearer = ~settled & (reduced < distance)
            distance[nearer] = reduced[nearer]
            came_from[nearer] = column
            column = int(np.argmin(np.where(settled, np.inf, distance)))
            settled[column] = True
            walked = float(distance[column])
            row = int(row_of[column])
            if row >= 0:
                rows_seen.append(row)
                reached[row] = walked
        for seen in rows_seen:
            row_potential[seen] += walked - reached[seen]
        column_potential[settled] -= walked - distance[settled]
        while column >= 0:
            before = int(came_from[column])
            row_of[column] = start if before < 0 else row_of[before]
            column = before
    return row_of
