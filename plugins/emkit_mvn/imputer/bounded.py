"""Gaps that are known to lie between bounds: their distribution given the seen cells, restricted to a box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import special

from emkit_mvn.kernels.conditional import Conditional, Part
from emkit_mvn.kernels.truncated import truncated_draws, truncated_mean

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Indices = NDArray[np.intp]

#: Where bounds are moved that lie farther away, in units of the model.
FARTHEST = 1e100

#: Bounds that are passed with less than this probability are left out of account, and so are single bounds that are
#: more standard deviations away than this.
NEGLIGIBLE = 1e-14
FAR = 1e6

#: What is wanted of the gaps of some rows of one pattern: mean, covariance, lower and upper bounds to values.
Solve = Callable[[Array, Array, Array, Array], Array]


@attrs.frozen(eq=False)
class Box:
    """Bounds on the gaps of each column; seen cells may lie where they will.

    Attributes
    ----------
    lower, upper : (n_features,)
        Infinite where there is no bound.
    """

    lower: Array
    upper: Array

    @classmethod
    def of(cls, min_value: Any, max_value: Any, names: NDArray[np.object_]) -> Box:
        """Return bounds from what a user set: numbers, one for each column, or None for no bound.

        Raises
        ------
        ValueError
            If a shape is wrong, a bound is NaN, or a lower bound is not below the upper one.
        """
        lower = _one_for_each(min_value, "min_value", len(names), -np.inf)
        upper = _one_for_each(max_value, "max_value", len(names), np.inf)
        for name, bounds in (("min_value", lower), ("max_value", upper)):
            for j in np.flatnonzero(np.isnan(bounds))[:1]:
                msg = f"{name} of column {names[j]!r} is NaN or None; for no bound there give -inf or inf."
                raise ValueError(msg)
        # An interval at infinity holds no number.
        empty = (lower >= upper) | (lower == np.inf) | (upper == -np.inf)
        for j in np.flatnonzero(empty)[:1]:
            msg = (
                f"One (or more) features have min_value >= max_value: column {names[j]!r} has min_value={lower[j]} "
                f"and max_value={upper[j]}. Give a min_value below the max_value."
            )
            raise ValueError(msg)
        return cls(lower, upper)

    def of_columns(self, columns: Indices) -> Box:
        """Return the bounds of some of the columns."""
        return Box(self.lower[columns], self.upper[columns])

    def rows(self, x: Array) -> Booleans:
        """Return which rows of a table have a gap with a bound, shape (n_samples,)."""
        bounded = np.isfinite(self.lower) | np.isfinite(self.upper)
        if not bounded.any():
            return np.zeros(len(x), dtype=bool)
        return np.asarray(np.isnan(x[:, bounded]).any(axis=1))

    def fill(self, conditional: Conditional, x: Array) -> Array:
        """Return the table with every gap at its expectation given the seen cells of its row and the bounds."""
        return self._completed(conditional, x, conditional.fill, truncated_mean)

    def draw(self, conditional: Conditional, x: Array, rng: np.random.Generator) -> Array:
        """Return the table with every gap drawn from its distribution given the seen cells and the bounds."""

        def free(rows: Array) -> Array:
            return conditional.draw(rows, rng)

        def solve(mean: Array, covariance: Array, lower: Array, upper: Array) -> Array:
            return truncated_draws(mean, covariance, lower, upper, rng)

        return self._completed(conditional, x, free, solve)

    def _completed(self, conditional: Conditional, x: Array, free: Callable[[Array], Array], solve: Solve) -> Array:
        """Return the table completed as if there were no bounds, and then anew where they may matter."""
        completed = free(x)
        boxed = np.flatnonzero(self.rows(x))
        for part in conditional.parts(x[boxed]):
            gaps = part.block.gaps.T[part.block.pattern]
            cells = boxed[part.index][:, None], gaps
            values = self._solved(conditional, part, gaps, completed[cells], solve)
            # Back in the units of the data rounding may have led a hair out of the box.
            completed[cells] = np.clip(values, self.lower[gaps], self.upper[gaps])
        return completed

    def _solved(self, conditional: Conditional, part: Part, gaps: Indices, values: Array, solve: Solve) -> Array:
        """Return the gaps of rows with equally many, (n_rows, n_gaps); ``values`` are for those far from any bound.

        Boxes differ from row to row, as gaps and their bounds do. In coordinates of its own every gap lies above 0,
        between 0 and 1, or anywhere, so that all rows with the same kinds of gaps are solved for together.
        """
        # In units of the model all numbers are of order one, whatever the units of the data.
        mean, unit = conditional.mean[gaps], conditional.scale[gaps]
        low, high = _standardised(self.lower[gaps], mean, unit), _standardised(self.upper[gaps], mean, unit)
        covariances, pattern = conditional.covariances(part), part.block.pattern
        residuals = np.take_along_axis(part.residuals, gaps, axis=1)
        deviations = np.sqrt(np.einsum("pgg->pg", covariances))[pattern]
        below, above = (residuals - low) / deviations, (high - residuals) / deviations
        is_near = (special.ndtr(-below) + special.ndtr(-above)).sum(axis=1) > NEGLIGIBLE
        has_low, has_high = below < FAR, above < FAR
        origin = np.where(has_low, low, np.where(has_high, high, 0.0))
        width = np.where(has_low & has_high & (high > low), high - low, 1.0) * np.where(has_high & ~has_low, -1.0, 1.0)
        kinds = has_low.astype(int) + has_high
        for kind in np.unique(kinds[is_near], axis=0):
            rows = np.flatnonzero(is_near & (kinds == kind).all(axis=1))
            spread = covariances[pattern[rows]] / (width[rows, :, None] * width[rows, None])
            lower, upper = np.where(kind > 0, 0.0, -np.inf), np.where(kind > 1, 1.0, np.inf)
            inside = solve((residuals[rows] - origin[rows]) / width[rows], spread, lower, upper)
            values[rows] = mean[rows] + unit[rows] * (origin[rows] + width[rows] * inside)
        return values


def _standardised(bound: Array, mean: Array, unit: Array) -> Array:
    """Return bounds in units of the model; a number however far away is no infinity."""
    with np.errstate(over="ignore"):
        distance = np.clip((bound - mean) / unit, -FARTHEST, FARTHEST)
    return np.where(np.isfinite(bound), distance, bound)


def _one_for_each(value: Any, name: str, n_features: int, unbounded: float) -> Array:
    """Return a bound as one number for each column."""
    try:
        given = np.asarray(unbounded if value is None else value)
        # numpy would read the string "1.5" as a number.
        bounds = given.astype(np.float64, casting="unsafe" if given.dtype.kind in "biufO" else "safe")
    except (TypeError, ValueError):
        msg = f"{name} must be a number, or one number for each column; it is {value!r}."
        raise ValueError(msg) from None
    if bounds.shape not in ((), (n_features,)):
        msg = (
            f"'{name}' should be of shape ({n_features},) when an array-like is provided, one number for each column. "
            f"Got shape {bounds.shape} instead."
        )
        raise ValueError(msg)
    return np.broadcast_to(bounds, (n_features,)).copy()
