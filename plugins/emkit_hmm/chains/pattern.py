"""Which probabilities are free, which are fixed, and the best of them given counts."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.arrays import read_only
from emkit.space import Simplex
from emkit_hmm.content import content

Array = NDArray[np.float64]

#: The smallest number above zero.
SMALLEST = float(np.nextafter(0.0, 1.0))


def _numbers(value: Any, what: str) -> Array:
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"{what} must be a number for each state or transition, in rows of the same length; found {value!r}."
        raise ValueError(msg) from error


def _known(value: Any) -> Array | None:
    if value is None:
        return None
    array = read_only(_numbers(value, "Fixed probabilities"))
    if array.ndim not in {1, 2}:
        msg = f"Fixed probabilities are those of a start or of transitions, one or two axes; found shape {array.shape}."
        raise ValueError(msg)
    wrong = (array < 0) | (array > 1)
    for index in np.argwhere(wrong)[:1]:
        msg = f"A fixed probability must be between 0 and 1; entry {tuple(index.tolist())} is {array[tuple(index)]}."
        raise ValueError(msg)
    total, is_free = np.nansum(array, axis=-1), np.isnan(array).any(axis=-1)
    # A row with free entries needs something left for them; a row without must be complete.
    for index in np.argwhere(np.where(is_free, total >= 1, np.abs(total - 1) > 1e-8))[:1]:
        row = f"row {index[0]}" if array.ndim == 2 else "the row"
        msg = (
            f"Fixed probabilities of {row} sum to {total[tuple(index)]:g}: they must sum to 1 where none is free, and "
            "to less where some are (NaN marks the free ones)."
        )
        raise ValueError(msg)
    return array


@attrs.frozen
class Pattern:
    """Rows of probabilities some of which are fixed.

    Attributes
    ----------
    known : array, optional
        NaN where a probability is estimated, its value elsewhere; a fixed zero is a transition that cannot be.
    concentration : float or array
        Of the Dirichlet prior of every row; 1 is none. At least 1: below, the posterior has no maximum.
    """

    known: Array | None = attrs.field(default=None, converter=_known, eq=content)
    concentration: Any = attrs.field(default=1.0, eq=content)

    def __attrs_post_init__(self) -> None:
        concentration = _numbers(self.concentration, "The concentration of a Dirichlet prior")
        if not (concentration >= 1).all() or not np.isfinite(concentration).all():
            msg = (
                "The concentration of a Dirichlet prior must be at least 1 (1 is no prior): below, the posterior has "
                f"no maximum; found {self.concentration!r}."
            )
            raise ValueError(msg)

    def free(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return which entries are estimated."""
        self.require_shape(shape)
        return np.ones(shape, dtype=bool) if self.known is None else np.isnan(self.known)

    def require_shape(self, shape: tuple[int, ...], place: str = "") -> None:
        """Raise ValueError unless fixed probabilities and concentrations are for rows of that shape.

        ``place`` is what the message adds, such as " of chain.start".
        """
        if self.known is not None and self.known.shape != shape:
            msg = f"Fixed probabilities{place} must have shape {shape}, one for each state; found {self.known.shape}."
            raise ValueError(msg)
        if np.ndim(self.concentration) and np.shape(self.concentration) != shape:
            msg = (
                f"The concentration{place} must be a number or have shape {shape}, one for each probability; found "
                f"shape {np.shape(self.concentration)}."
            )
            raise ValueError(msg)

    def fill(self, rows: Array) -> Array:
        """Return rows of positive numbers as probabilities that keep the fixed ones."""
        if self.known is None:
            # In units of the largest, so that the sum of the smallest numbers there are has an inverse.
            shares = rows / np.maximum(rows.max(axis=-1, keepdims=True), SMALLEST)
            return np.asarray(shares / np.maximum(shares.sum(axis=-1, keepdims=True), SMALLEST))
        free = self.free(rows.shape)
        fixed = np.where(free, 0.0, np.nan_to_num(self.known))
        shares = np.where(free, rows, 0.0)
        shares = shares / np.maximum(shares.max(axis=-1, keepdims=True), SMALLEST)
        total = shares.sum(axis=-1, keepdims=True)
        rest = 1 - fixed.sum(axis=-1, keepdims=True)
        return np.asarray(fixed + shares / np.where(total > 0, total, 1.0) * rest)

    def added(self, shape: tuple[int, ...]) -> Array:
        """Return what the prior adds to counts."""
        self.require_shape(shape)
        return np.broadcast_to(np.asarray(self.concentration, dtype=np.float64), shape) - 1

    def m_step(self, previous: Array, counts: Array) -> Array:
        """Return the rows of highest posterior given expected counts; free entries without any keep their values."""
        if np.ndim(self.concentration) or self.concentration != 1:
            counts = counts + self.added(counts.shape)
        if self.known is None:
            has_counts = counts.sum(axis=-1, keepdims=True) > 0
            return np.where(has_counts, self.fill(counts), previous)
        free = self.free(counts.shape)
        total = np.where(free, counts, 0.0).sum(axis=-1, keepdims=True)
        is_known = (total > 0) | ~free.any(axis=-1, keepdims=True)
        return np.where(is_known, self.fill(counts), previous)

    def log_prior(self, rows: Array) -> float:
        """Return the log-density of the prior at rows of probabilities, up to a constant."""
        if np.ndim(self.concentration) == 0 and self.concentration == 1:
            return 0.0
        exponents = self.added(rows.shape)
        counted = self.free(rows.shape) & (exponents > 0)
        with np.errstate(divide="ignore"):
            return float(np.sum(exponents[counted] * np.log(rows[counted])))

    def space(self) -> Simplex:
        """Return the set of such rows."""
        return Simplex(known=self.known)

    @property
    def is_exchangeable(self) -> bool:
        """Whether all states are treated alike."""
        return self.known is None and np.ndim(self.concentration) == 0


def as_pattern(value: Any) -> Pattern:
    """Return a pattern from one, from None (nothing is fixed), or from an array of fixed probabilities."""
    if isinstance(value, Pattern):
        return value
    if isinstance(value, str | type):
        msg = (
            "Give a Pattern, or an array of probabilities with NaN where they are estimated, such as left_right(3); "
            f"found {value!r}."
        )
        raise TypeError(msg)
    return Pattern(value)


def left_right(n_states: int, skip: int = 1) -> Array:
    """Return fixed transitions of a chain that only goes on: from state i to i, ..., i + skip.

    Examples
    --------
    >>> left_right(3)
    array([[nan, nan,  0.],
           [ 0., nan, nan],
           [ 0.,  0.,  1.]])
    """
    i, j = np.indices((n_states, n_states))
    known: Array = np.where((j >= i) & (j <= i + skip), np.nan, 0.0)
    known[np.isnan(known).sum(axis=1) == 1] = np.nan_to_num(known[np.isnan(known).sum(axis=1) == 1], nan=1.0)
    return known
