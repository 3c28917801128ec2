"""Columns in which few distinct values repeat: what is computed is computed once for each of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from emkit.families.base import Array


@attrs.frozen(eq=False)
class CodedRows:
    """Rows as positions in a list of distinct values, column by column.

    Attributes
    ----------
    values : tuple of (n_values,) arrays
        The distinct values of each column, in increasing order.
    codes : tuple of (n_samples,) arrays
        ``values[j][codes[j]]`` is column j.
    one_hot : tuple of sparse (n_values, n_samples) arrays
        The codes once more, so that counting is one product; building them takes longer than the product.
    """

    values: tuple[Array, ...]
    codes: tuple[NDArray[np.intp], ...]
    one_hot: tuple[Any, ...]

    def __len__(self) -> int:
        return len(self.codes[0])

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.values)

    def take(self, rows: Any) -> CodedRows:
        """Return some of the rows, chosen by a boolean or integer index."""
        return CodedRows.coded(self.values, tuple(codes[rows] for codes in self.codes))

    @classmethod
    def coded(cls, values: tuple[Array, ...], codes: tuple[NDArray[np.intp], ...]) -> CodedRows:
        """Return rows given as codes."""
        n_samples = len(codes[0])
        ones, ends = np.ones(n_samples), np.arange(n_samples + 1)
        pairs = zip(values, codes, strict=True)
        one_hot = tuple(sparse.csc_array((ones, column, ends), shape=(len(v), n_samples)) for v, column in pairs)
        return cls(values, codes, one_hot)

    @classmethod
    def of(cls, matrix: Array) -> CodedRows:
        """Return the rows of a matrix, coded."""
        pairs = [np.unique(column, return_inverse=True) for column in matrix.T]
        return cls.coded(tuple(values for values, _ in pairs), tuple(codes.ravel() for _, codes in pairs))

    def matrix(self) -> Array:
        """Return the data, (n_samples, n_features)."""
        return np.column_stack([values[codes] for values, codes in zip(self.values, self.codes, strict=True)])

    def look_up(self, tables: Sequence[Array]) -> Array:
        """Return ``sum_j tables[j][:, codes[j]].T``, (n_samples, n_components).

        Parameters
        ----------
        tables : sequence of (n_components, n_values) arrays, one for each column
        """
        total = np.zeros((len(tables[0]), len(self)))
        for table, codes in zip(tables, self.codes, strict=True):
            # One component after the other: the row of the table stays in the fastest cache.
            for k, row in enumerate(table):
                total[k] += row[codes]
        return total.T

    def count(self, responsibilities: Array) -> list[Array]:
        """Return how often each component shows each value, (n_components, n_values) for every column."""
        shares = np.ascontiguousarray(responsibilities)
        return [np.ascontiguousarray((one_hot @ shares).T) for one_hot in self.one_hot]
