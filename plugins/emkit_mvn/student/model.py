"""The multivariate t distribution with missing cells: location and scatter that outliers hardly move.

    x ~ t(location, scatter, df):    x | w ~ normal(location, scatter / w),  w ~ gamma(df / 2, rate df / 2)

The latent weight of a row is small where the row lies far from the rest. Reference: Liu and Rubin 1995, ML estimation
of the t distribution using EM and its extensions, ECM and ECME, Statistica Sinica 5:19.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EStep, LatentModel
from emkit.arrays import share, whole_number
from emkit.errors import DegenerateError
from emkit.space import Covariance, Fixed, Real, Space
from emkit_mvn.checks import check_columns_are_seen, check_width, prepared_by
from emkit_mvn.coverage import notes_on_coverage
from emkit_mvn.floors import above_floor
from emkit_mvn.kernels.moments import Normal, complete_gradient, rounding
from emkit_mvn.kernels.rows import IncompleteRows
from emkit_mvn.structures import Unrestricted
from emkit_mvn.student.conditional import SMALLEST, StudentCompletion, StudentConditional
from emkit_mvn.student.leaps import from_normal, to_normal
from emkit_mvn.student.moments import weighted_expectations
from emkit_mvn.student.params import StudentParams, StudentStatistics, Tail
from emkit_mvn.student.rows import every_row
from emkit_mvn.student.settings import degrees_of_freedom, smallest_degrees_of_freedom
from emkit_mvn.student.starts import random_start, robust_params
from emkit_mvn.student.tail import df_from_curve

Array = NDArray[np.float64]

#: A matrix with NaN in its gaps, a pair of such a matrix and weights, or the prepared form.
StudentData: TypeAlias = Array | tuple[Array, Array] | IncompleteRows

#: Where the tail starts, unless it is given: four degrees of freedom.
START_TAIL = 0.25


def _floor(value: Any) -> float:
    return share(value, "floor")


@attrs.frozen
class MultivariateT(LatentModel[StudentData, StudentParams, StudentStatistics]):
    """A multivariate t distribution, fitted to tables with gaps by maximum likelihood.

    The likelihood is that of the seen cells; gaps are taken to be missing at random. Rows count with their weights,
    rows without a seen cell not at all.

    Attributes
    ----------
    df : float, optional
        Degrees of freedom: infinity is the normal. Estimated if not given.
    smallest_df : float
        Smallest estimate of them.
    floor : float
        Smallest eigenvalue of the scatter, relative to the spread of the middle half of each column. Part of the
        parameter space, and constant: the fit is the exact maximum under it, whatever the units.
    """

    df: float | None = attrs.field(default=None, converter=degrees_of_freedom)
    smallest_df: float = attrs.field(default=0.1, converter=smallest_degrees_of_freedom)
    floor: float = attrs.field(default=1e-8, converter=_floor)

    leaf_rows: ClassVar[int | None] = 65_536

    def e_step(self, params: StudentParams, data: StudentData) -> EStep[StudentStatistics]:
        """Return expected weighted residual moments, and the log-likelihood of the seen cells."""
        rows = self._rows(data, params)
        units = rows.units
        normal = Normal.of(
            (params.location - units.location) / units.scale, params.scatter / np.outer(units.scale, units.scale)
        )
        found = weighted_expectations(rows.blocks, normal, float(params.tail))
        ratio = units.scale / params.scale
        statistics = StudentStatistics(
            rows.total_weight,
            found.weight,
            found.first * ratio,
            found.second * np.outer(ratio, ratio),
            found.tail,
        )
        constant = np.diag(rows.pair_weights) @ (np.log(2 * np.pi) + 2 * np.log(units.scale))
        log_likelihood = found.tail.kernel - (constant + found.log_determinant) / 2
        distance = float(np.abs(params.location / units.scale).max())
        return EStep(statistics, log_likelihood, rows.total_weight, rounding(normal, distance, rows.total_weight))

    def m_step(self, params: StudentParams, statistics: StudentStatistics) -> StudentParams:
        """Return location, scatter and tail of highest expected log-likelihood.

        With ``u`` the expected weights of the rows, ``W`` their sum and ``S`` the weighted scatter about the new
        location,

            location = sum(u x) / W,    scatter = S / W,
            log(df / 2) - digamma(df / 2) = log(W / n) - sum(E[log w]) / n

        The divisor ``W`` instead of the number of rows is that of parameter-expanded EM (Kent, Tyler and Vardi 1994,
        Communications in Statistics B 23:441; Liu, Rubin and Wu 1998, Biometrika 85:755): the same maximum in fewer
        steps. Towards a normal steps of the tail become ever shorter, so where the normal is likelier than the params
        and the likelihood falls with the tail there, the step leads to the normal itself.
        """
        if not statistics.count > 0:
            msg = "No row of positive weight has a seen cell: check data and weights."
            raise DegenerateError(msg)
        found = statistics.tail
        if self.df is None:
            leap = to_normal(params, found, self.floor) or from_normal(params, found, self._heaviest)
            if leap is not None:
                return leap
        total, weight, scale = statistics.count, statistics.weight, params.scale
        step = statistics.first / weight
        scatter = statistics.second - weight * np.outer(step, step)
        expansion = weight / total
        standard = (scatter + scatter.T) / (2 * weight)
        raised = above_floor(standard, self.floor, params.coverage)
        if not np.array_equal(raised, standard):
            # On the floor the expanded model has no closed form; plain EM has.
            expansion, raised = 1.0, above_floor(scatter / total, self.floor, params.coverage)
        return attrs.evolve(
            params,
            location=params.location + scale * step,
            scatter=raised * np.outer(scale, scale),
            tail=self._tail(params, statistics, expansion),
        )

    def initialize(self, data: StudentData, rng: np.random.Generator) -> StudentParams:
        """Return the medians, and correlations in which outliers have little say."""
        rows = self.prepare(data)
        check_columns_are_seen(rows)
        tail = START_TAIL if self.df is None else 1 / self.df
        return robust_params(rows, min(tail, self._heaviest))

    def starts(self, data: StudentData, rng: np.random.Generator, n: int) -> Iterator[StudentParams]:
        """Yield the usual start, then others at rows of the data: with heavy tails there may be several maxima."""
        rows = self.prepare(data)
        first = self.initialize(rows, rng)
        yield first
        for _ in range(n - 1):
            start = random_start(first, rows, self.df is None, rng)
            yield attrs.evolve(start, tail=min(float(start.tail), self._heaviest))

    def space(self, params: StudentParams) -> dict[str, Space]:
        """Return spaces with the floor, and scales that follow the data's own."""
        if not isinstance(params, StudentParams):
            msg = f"Params must be StudentParams; found {type(params).__name__}."
            raise TypeError(msg)
        size = params.scale.size
        if params.location.shape != (size,) or params.scatter.shape != (size, size) or np.shape(params.tail) != ():
            msg = (
                f"location must have shape ({size},), scatter ({size}, {size}) and tail (); they have "
                f"{params.location.shape}, {params.scatter.shape} and {np.shape(params.tail)}."
            )
            raise ValueError(msg)
        return {
            "location": Real(params.scale),
            "scatter": Covariance(self.floor, params.scale),
            "tail": Tail(self._heaviest) if self.df is None else Fixed(),
        }

    def prepare(self, leaf: StudentData) -> IncompleteRows:
        """Return rows in groups of like patterns."""
        return prepared_by(every_row, leaf)

    def posterior(self, params: StudentParams, data: StudentData) -> StudentCompletion:
        """Return conditional means and variances of the gaps, and the expected weights of the rows."""
        return StudentConditional.of(params).complete(self._rows(data, params).x)

    def log_density(self, params: StudentParams, data: StudentData) -> Array:
        """Return the log-density of the seen cells of each row, in nats, shape (n_samples,)."""
        return StudentConditional.of(params).log_density(self._rows(data, params).x)

    def sample(self, params: StudentParams, n: int, rng: np.random.Generator) -> Array:
        """Return ``n`` rows without gaps."""
        origin, n = np.zeros_like(params.location), whole_number(n, "n")
        residuals = rng.multivariate_normal(origin, params.scatter, size=n, method="cholesky")
        if params.tail > 0:
            half = params.df / 2
            residuals /= np.sqrt(np.maximum(rng.gamma(half, 1 / half, size=(n, 1)), SMALLEST))
        return params.location + residuals

    def simulate(self, params: StudentParams, data: StudentData, rng: np.random.Generator) -> Any:
        """Return as many rows with the same gaps and weights."""
        prepared = self._rows(data, params)
        rows = np.where(np.isnan(prepared.x), np.nan, self.sample(params, len(prepared.x), rng))
        return rows if prepared.weights is None else (rows, prepared.weights)

    def complete_score(self, params: StudentParams, statistics: StudentStatistics) -> StudentParams:
        """Return the gradient of the expected complete-data log-likelihood."""
        scale = params.scale
        unit = np.outer(scale, scale)
        found = complete_gradient(params.scatter / unit, statistics.first, statistics.second, statistics.count)
        return StudentParams(
            found[0] / scale,
            found[1] / unit,
            statistics.tail.score if self.df is None else 0.0,
            np.zeros_like(scale),
            np.zeros_like(params.coverage),
        )

    def score_contributions(self, params: StudentParams, data: StudentData) -> StudentParams:
        """Return the gradient of every row's log-density, rows first, times the row's weight."""
        rows = self._rows(data, params)
        weights = np.ones(len(rows.x)) if rows.weights is None else rows.weights
        locations, scatters, tails = StudentConditional.of(params).score_contributions(rows.x)
        return StudentParams(
            locations * weights[:, None],
            scatters * weights[:, None, None],
            tails * weights if self.df is None else np.zeros(len(rows.x)),
            np.zeros((len(rows.x), *params.scale.shape)),
            np.zeros((len(rows.x), *params.coverage.shape)),
        )

    def notes(self, params: StudentParams) -> list[str]:
        """Return a sentence on pairs of columns that no row sees together, as for a normal."""
        return notes_on_coverage(params.coverage, Unrestricted())

    @property
    def _heaviest(self) -> float:
        """The largest tail: that of the smallest df, or of a df that is given."""
        return max(1 / self.smallest_df, 0.0 if self.df is None else 1 / self.df)

    def _tail(self, params: StudentParams, statistics: StudentStatistics, expansion: float) -> float:
        """Return the maximiser of the expected log-density of the weights, which have the mean ``expansion``."""
        if self.df is not None or params.tail == 0:
            return float(params.tail)
        mean_weight = statistics.weight / statistics.count
        mean_log = statistics.tail.log_weight / statistics.count
        curve = mean_weight / expansion - 1 + math.log(expansion) - mean_log
        return min(1 / df_from_curve(curve), self._heaviest)

    def _rows(self, data: StudentData, params: StudentParams) -> IncompleteRows:
        rows = self.prepare(data)
        check_width(rows, params.location.size)
        return rows
