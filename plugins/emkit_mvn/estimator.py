"""The scikit-learn face of the multivariate normal: an imputer."""

from __future__ import annotations

import re
import warnings
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EMResult, Tolerance, fit
from emkit.acceleration import Accelerator
from emkit.arrays import as_sample_weight, one_of, whole_number
from emkit.errors import EmkitWarning, LikelihoodDecreasedError
from emkit.estimator import rng_of, warn_about
from emkit_mvn.imputer.bounded import Box
from emkit_mvn.imputer.face import ImputerFace, Layout, Names
from emkit_mvn.imputer.indicator import GapIndicator
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.params import NormalParams
from emkit_mvn.priors import Prior
from emkit_mvn.structures import BlockDiagonal, CovarianceStructure, Known

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]
Indices = NDArray[np.intp]

_STRUCTURES = ("full", "diag", "spherical", "exchangeable")


@attrs.define(slots=False, eq=False, repr=False)
class NormalImputer(ImputerFace):
    """Fills gaps with their expectation given the seen cells of the row, under a fitted multivariate normal.

    A drop-in for ``sklearn.impute.IterativeImputer``. Instead of a chain of regressions it fits one distribution, by
    maximum likelihood or to a posterior mode, so that the fit climbs a likelihood and knows when it is done, needs no
    order of columns, fills gaps in columns that had none in ``fit``, and comes with standard errors and draws.

    Parameters
    ----------
    missing_values : NaN, None, pandas.NA or float
        What marks a gap. If it is a number, NaN in the data is an error.
    add_indicator : bool
        Whether ``transform`` appends, for every column with gaps in ``fit``, one that is 1 where a cell was missing.
    keep_empty_features : bool
        Whether columns without a seen cell in ``fit`` stay, their gaps filled with 0, or are dropped.
    min_value, max_value : float, array-like of shape (n_features,) or None
        Bounds on what gaps are filled with: their distribution is restricted to them, nothing is clipped. Seen cells
        may lie outside.
    covariance_type : {"full", "diag", "spherical", "exchangeable"} or CovarianceStructure
    prior : Prior, {"ridge", "jeffreys"} or None
        For few rows, or columns that hardly differ.
    floor : float
        Smallest eigenvalue of the covariance, as a share of the variances of the columns: a bound on the parameter
        space, constant during the fit.
    tol : float or Tolerance
        Largest log-likelihood, summed over rows, that is left to be gained when a fit counts as converged.
    max_iter : int
        Largest number of passes over the data, for each start.
    n_init : int
        Number of starts; the best one counts. With many gaps there may be several maxima.
    accelerate : str, Accelerator or None
        As in :func:`emkit.fit`; None is plain EM.
    random_state : int, Generator, RandomState or None
        Of all starts but the first, and of ``sample``.
    verbose : int
        Whether to show progress.

    Attributes
    ----------
    mean_ : (n_features_in_,)
        NaN for columns without a seen cell.
    covariance_ : (n_features_in_, n_features_in_)
        Likewise. The divisor is the number of rows.
    converged_ : bool
    n_iter_ : int
        Accepted steps.
    n_features_with_missing_ : int
        Number of columns with gaps in ``fit``.
    seen_features_ : (n_seen,)
        Positions of the columns with a seen cell: those that ``model_`` and ``result_`` are about.
    indicator_ : GapIndicator or None
        Its ``features_`` are the columns that ``add_indicator`` is about.
    model_ : MultivariateNormal
    result_ : EMResult
        The fit itself: status, notes, history, standard errors.
    n_features_in_ : int
    feature_names_in_ : (n_features_in_,), only where the data have column names

    Examples
    --------
    >>> import numpy as np
    >>> from emkit_mvn.estimator import NormalImputer
    >>> X = [[1.0, 2.1], [2.0, 3.9], [3.0, 6.0], [4.0, np.nan], [np.nan, 10.1]]
    >>> NormalImputer().fit_transform(X).round(2)
    array([[ 1.  ,  2.1 ],
           [ 2.  ,  3.9 ],
           [ 3.  ,  6.  ],
           [ 4.  ,  7.91],
           [ 5.12, 10.1 ]])
    """

    missing_values: Any = attrs.field(default=np.nan, kw_only=True)
    add_indicator: bool = attrs.field(default=False, kw_only=True)
    keep_empty_features: bool = attrs.field(default=False, kw_only=True)
    min_value: Any = attrs.field(default=-np.inf, kw_only=True)
    max_value: Any = attrs.field(default=np.inf, kw_only=True)
    covariance_type: str | CovarianceStructure = attrs.field(default="full", kw_only=True)
    prior: str | Prior | None = attrs.field(default=None, kw_only=True)
    floor: float = attrs.field(default=1e-8, kw_only=True)
    tol: float | Tolerance = attrs.field(default=1e-6, kw_only=True)
    max_iter: int = attrs.field(default=1000, kw_only=True)
    n_init: int = attrs.field(default=1, kw_only=True)
    accelerate: str | Accelerator | None = attrs.field(default="auto", kw_only=True)
    random_state: Any = attrs.field(default=None, kw_only=True)
    verbose: int = attrs.field(default=0, kw_only=True)

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> NormalImputer:
        """Fit the normal distribution to the seen cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : ignored
        sample_weight : array-like of shape (n_samples,), optional
            A weight of 2 counts a row twice, a weight of 0 leaves it out.

        Raises
        ------
        ValueError
            If no cell is seen, or a setting is wrong.
        """
        with self._all_or_nothing():
            x = self._check_fit_input(X)
            weights = as_sample_weight(sample_weight, len(x))
            if weights is not None and not weights.all():
                # Rows that do not count say nothing about which columns have gaps either.
                x, weights = x[weights > 0], weights[weights > 0]
            missing = np.isnan(x)
            seen = self._seen_features(missing)
            box = Box.of(self.min_value, self.max_value, self._labels())
            model = self._model(seen)
            result = self._climb(model, x[:, seen], weights)
            result = attrs.evolve(result, notes=_with_names(result, self._labels()[seen]))
            warn_about(result, type(self).__name__)
            self.indicator_ = GapIndicator.of(missing) if self.add_indicator else None
            self.n_features_with_missing_ = int(missing.any(axis=0).sum())
            self._box = box.of_columns(seen)
            self._layout = Layout(x.shape[1], seen, bool(self.keep_empty_features), self.indicator_)
            self._adopt(model, result, seen)
        return self

    def _seen_features(self, missing: Booleans) -> Indices:
        """Return the positions of the columns with a seen cell; the others are warned about if they are dropped."""
        empty = missing.all(axis=0)
        if empty.all():
            msg = "X has no seen cell (in rows of positive weight): there is nothing to fit to."
            raise ValueError(msg)
        if empty.any() and not self.keep_empty_features:
            text = f"Skipping features without any observed values: {self._labels()[empty]}."
            warnings.warn(f"{type(self).__name__}: {text}", EmkitWarning, stacklevel=3)
        return np.flatnonzero(~empty)

    def _model(self, seen: Indices) -> MultivariateNormal:
        structure = self.covariance_type
        if not isinstance(structure, CovarianceStructure):
            structure = one_of(structure, "covariance_type", _STRUCTURES)
        elif len(seen) < self.n_features_in_:
            structure = _of_columns(structure, seen, self.n_features_in_)
        return MultivariateNormal(structure, self.prior, floor=self.floor)

    def _climb(self, model: MultivariateNormal, x: Array, weights: Array | None) -> EMResult[NormalParams]:
        data: Any = x if weights is None else (x, weights)
        if model.leaf_rows is None or len(x) <= model.leaf_rows:
            # One leaf: prepared here it is prepared once, not for the start and for the climb.
            data = model.prepare(data)
        try:
            return fit(
                model,
                data,
                accelerate=self.accelerate,
                tol=self.tol,
                max_iter=self.max_iter,
                n_starts=whole_number(self.n_init, "n_init"),
                rng=rng_of(self.random_state),
                progress=bool(self.verbose),
            )
        except LikelihoodDecreasedError as error:
            result: EMResult[NormalParams] = error.result
            return result

    def _adopt(self, model: MultivariateNormal, result: EMResult[NormalParams], seen: Indices) -> None:
        self.model_ = model
        self.result_ = result
        self.seen_features_ = seen
        self.mean_ = np.full(self.n_features_in_, np.nan)
        self.mean_[seen] = result.params.mean
        self.covariance_ = np.full((self.n_features_in_, self.n_features_in_), np.nan)
        self.covariance_[np.ix_(seen, seen)] = result.params.covariance
        self.converged_ = result.converged
        self.n_iter_ = max(result.n_iter, 1)


MultivariateNormal.face = NormalImputer


def _with_names(result: EMResult[NormalParams], labels: Names) -> tuple[str, ...]:
    """Return the notes of a fit, in which pairs of positions become the names of the columns."""
    model: Any = result.model

    def named(pair: re.Match[str]) -> str:
        first, second = (labels[int(position)] for position in pair.groups())
        return f"{first!r} and {second!r}"

    # The notes of the driver name entries of params, which have no other names.
    own = {note: re.sub(r"\b(\d+) and (\d+)\b", named, note) for note in model.notes(result.params)}
    return tuple(own.get(note, note) for note in result.notes)


def _of_columns(structure: CovarianceStructure, columns: Indices, n_features: int) -> CovarianceStructure:
    """Return a structure that was given for all columns for some of them."""
    if isinstance(structure, BlockDiagonal) and len(structure.groups) == n_features:
        return BlockDiagonal(tuple(structure.groups[j] for j in columns))
    if isinstance(structure, Known) and structure.covariance.shape == (n_features, n_features):
        return Known(structure.covariance[np.ix_(columns, columns)])
    return structure
