"""The transitions that a walk multiplies by: one matrix for all steps, or one for every row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Protocol

import attrs
import numpy as np

from emkit_hmm.kernels.columns import Array, Columns, Indices
from emkit_hmm.kernels.packing import packed
from emkit_hmm.kernels.reach import Reach

#: ``product(matrix, x, out=None)``
Product = Callable[..., Array]


class Transitions(Protocol):
    """What the walks ask of a chain. The matrix of a step leads *into* it.

    Attributes
    ----------
    startprob : (n_states,)
    push : callable
        ``push(matrix, x, out)`` takes probabilities ``x`` (n_states, width) one step ahead.
    pull : callable
        ``pull(matrix, x, out)`` takes ``w = emission * beta`` one step back, to ``beta``.
    """

    @property
    def startprob(self) -> Array:
        """Probabilities of the first state."""
        ...

    @property
    def push(self) -> Product:
        """The product of the walk forward."""
        ...

    @property
    def pull(self) -> Product:
        """The product of the walk backward."""
        ...

    @property
    def reach(self) -> Reach:
        """Which states can follow which."""
        ...

    def pushed(self, columns: Columns) -> Iterable[Array]:
        """Yield the matrices that ``push`` needs, of all steps from the first."""
        ...

    def pulled(self, columns: Columns) -> Iterable[Array]:
        """Yield the matrices that ``pull`` needs, of all steps from the last."""
        ...

    def part(self, matrix: Array, which: Indices | slice) -> Array:
        """Return what belongs to some columns."""
        ...

    def spread(self, matrix: Array, x: Array) -> Array:
        """Push many vectors of each column at once: ``x`` (n_states, n_vectors, width)."""
        ...


@attrs.frozen(eq=False)
class Chain:
    """One transition matrix for all steps.

    Attributes
    ----------
    startprob : (n_states,)
    transmat : (n_states, n_states)
    transposed : (n_states, n_states)
        Of ``transmat``, contiguous.
    """

    startprob: Array
    transmat: Array
    transposed: Array

    #: A step is two numpy calls, and these are what they cost: the method takes half the time of `np.dot`, which asks
    #: first whether its arguments are arrays of another library.
    push: Product = np.ndarray.dot
    pull: Product = np.ndarray.dot

    @classmethod
    def of(cls, startprob: Array, transmat: Array) -> Chain:
        """Return the chain, with arrays laid out for products."""
        startprob = np.ascontiguousarray(startprob, dtype=np.float64)
        transmat = np.ascontiguousarray(transmat, dtype=np.float64)
        return cls(startprob, transmat, np.ascontiguousarray(transmat.T))

    @property
    def reach(self) -> Reach:
        """Which states can follow which."""
        return Reach.of(self.transmat)

    def pushed(self, columns: Columns) -> Iterable[Array]:
        """Yield the transposed matrix for ever."""
        return repeat(self.transposed)

    def pulled(self, columns: Columns) -> Iterable[Array]:
        """Yield the matrix for ever."""
        return repeat(self.transmat)

    def part(self, matrix: Array, which: Indices | slice) -> Array:
        """Return the matrix: it is that of all columns."""
        return matrix

    def spread(self, matrix: Array, x: Array) -> Array:
        """Push many vectors of each column."""
        return np.asarray(np.dot(matrix, x.reshape(len(x), -1)).reshape(x.shape))


@attrs.frozen(eq=False)
class VaryingChain:
    """A transition matrix for every row, from the row before it; those of first rows are not used.

    Attributes
    ----------
    startprob : (n_states,)
    matrices : list of (n_states, n_states, width)
        Those of all steps of a group of columns.
    """

    startprob: Array
    matrices: list[Array]

    @classmethod
    def of(cls, startprob: Array, transmat: Array, columns: Columns) -> VaryingChain:
        """Return the chain of a group of columns, from ``transmat`` (n_rows, n_states, n_states)."""
        n_states = len(startprob)
        flat = packed(columns, transmat.reshape(len(transmat), -1))
        matrices = [step.reshape(n_states, n_states, -1) for step in columns.steps(flat, n_states**2)]
        return cls(np.ascontiguousarray(startprob, dtype=np.float64), matrices)

    @property
    def reach(self) -> Reach:
        """Which states can follow which in every step."""
        least = np.ones_like(self.matrices[0][:, :, 0])
        for matrix in self.matrices[1:]:
            np.minimum(least, matrix.min(axis=2), out=least)
        return Reach.of(least)

    def pushed(self, columns: Columns) -> Iterator[Array]:
        """Yield the matrices from the first step."""
        return iter(self.matrices)

    def pulled(self, columns: Columns) -> Iterator[Array]:
        """Yield the matrices from the last step."""
        return reversed(self.matrices)

    def part(self, matrix: Array, which: Indices | slice) -> Array:
        """Return the matrices of some columns."""
        return matrix[:, :, which]

    @staticmethod
    def push(matrix: Array, x: Array, out: Array | None = None) -> Array:
        """Return ``sum_j matrix[j, k] * x[j]`` in every column."""
        return np.asarray(np.add.reduce(matrix * x[:, None], axis=0, out=out))

    @staticmethod
    def pull(matrix: Array, x: Array, out: Array | None = None) -> Array:
        """Return ``sum_k matrix[j, k] * x[k]`` in every column."""
        return np.asarray(np.add.reduce(matrix * x, axis=1, out=out))

    def spread(self, matrix: Array, x: Array) -> Array:
        """Push many vectors of each column."""
        return np.asarray(np.einsum("jkn,jin->kin", matrix, x))
