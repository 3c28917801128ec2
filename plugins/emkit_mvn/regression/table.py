"""Regression coefficients out of a joint normal distribution, and the table that people read."""

from __future__ import annotations

from numbers import Real

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from emkit_mvn.params import NormalParams

Array = NDArray[np.float64]


@attrs.frozen(eq=False)
class Coefficients:
    """The regression of the last columns of a normal distribution on those before.

    Attributes
    ----------
    intercept : (n_targets,)
    slopes : (n_targets, n_features)
    residual_covariance : (n_targets, n_targets)
    """

    intercept: Array
    slopes: Array
    residual_covariance: Array

    @classmethod
    def of(cls, params: NormalParams, n_features: int) -> Coefficients:
        """Return ``slopes = S_yx inverse(S_xx)`` and what belongs to them; ``S`` is the covariance."""
        # Without units, so that these do not spoil the condition of the system.
        scale = np.sqrt(np.diag(params.covariance))
        standard = params.covariance / np.outer(scale, scale)
        x, y = slice(n_features), slice(n_features, None)
        solved = np.linalg.solve(standard[x, x], standard[x, y]).T
        residual = standard[y, y] - solved @ standard[x, y]
        slopes = solved * scale[y, None] / scale[x]
        intercept = params.mean[y] - slopes @ params.mean[x]
        return cls(intercept, slopes, (residual + residual.T) / 2 * np.outer(scale[y], scale[y]))

    def stacked(self) -> Array:
        """Return intercept and slopes of every target, shape (n_targets, 1 + n_features)."""
        return np.column_stack([self.intercept, self.slopes])


@attrs.frozen(eq=False)
class RegressionSummary:
    """Coefficients with what the data tell about them; ``print`` shows a table.

    Attributes
    ----------
    names : tuple of str
        Of the coefficients, the intercept first.
    coefficients, standard_errors, z, p_values : (n_targets, 1 + n_features)
        ``z = coefficients / standard_errors``; p-values are two-sided and those of a normal.
    lower, upper : (n_targets, 1 + n_features)
        Ends of the intervals.
    level : float
        Of the intervals.
    n_samples : float
        Number of rows, or the sum of their weights.
    n_complete : int
        Number of rows without gaps: all that a complete-case analysis would use.
    log_likelihood : float
        Of predictors and targets together.
    """

    names: tuple[str, ...]
    coefficients: Array
    standard_errors: Array
    z: Array
    p_values: Array
    lower: Array
    upper: Array
    level: float
    n_samples: float
    n_complete: int
    log_likelihood: float

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        coefficients: Array,
        standard_errors: Array,
        level: float,
        *,
        n_samples: float,
        n_complete: int,
        log_likelihood: float,
    ) -> RegressionSummary:
        """Return the summary of coefficients and their standard errors, (n_targets, 1 + n_features)."""
        if not isinstance(level, Real) or not 0 < level < 1:
            msg = f"level must be a number between 0 and 1, such as 0.95; it is {level!r}."
            raise ValueError(msg)
        z = coefficients / standard_errors
        reach = float(ndtri((1 + level) / 2)) * standard_errors
        return cls(
            names,
            coefficients,
            standard_errors,
            z,
            2 * ndtr(-np.abs(z)),
            coefficients - reach,
            coefficients + reach,
            level,
            n_samples,
            n_complete,
            log_likelihood,
        )

    def __str__(self) -> str:
        tail = (1 - self.level) / 2
        head = ("", "coef", "std err", "z", "P>|z|", f"[{tail:.3g}", f"{1 - tail:.3g}]")
        columns = (self.coefficients, self.standard_errors, self.z, self.p_values, self.lower, self.upper)
        width = max(len(name) for name in (*self.names, "intercept"))
        lines = [
            f"Normal regression: {self.n_samples:g} rows, {self.n_complete} of them complete, log-likelihood of all "
            f"columns {self.log_likelihood:.4f}"
        ]
        for target in range(len(self.coefficients)):
            title = "" if len(self.coefficients) == 1 else f"target {target}"
            lines += ["", f"{title:{width}}" + "".join(f"{word:>12}" for word in head[1:])]
            for j, name in enumerate(self.names):
                cells = [column[target, j] for column in columns]
                texts = [f"{cells[3]:.3f}" if i == 3 else f"{cell:.5g}" for i, cell in enumerate(cells)]
                lines.append(f"{name:{width}}" + "".join(f"{text:>12}" for text in texts))
        return "\n".join(lines)
