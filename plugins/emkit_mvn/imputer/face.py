"""What an imputer that was fitted does: fill gaps, draw them, say how sure it is, and find its way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from numpy.typing import ArrayLike, NDArray

from emkit import EMResult
from emkit.arrays import as_matrix, as_sample_weight, whole_number
from emkit.estimator import TransformerFace, rng_of
from emkit_mvn.imputer.bounded import Box
from emkit_mvn.imputer.indicator import GapIndicator, gap_marker, without_marked
from emkit_mvn.kernels.conditional import Conditional
from emkit_mvn.params import NormalParams

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Names = NDArray[np.object_]


@attrs.frozen(eq=False)
class Layout:
    """Which columns come in, which of them are modelled, and which come out.

    Attributes
    ----------
    n_features : int
        Number of columns of the data.
    seen : (n_seen,)
        Positions of those with a seen cell in ``fit``, which are modelled.
    keeps_empty : bool
        Whether the others come out, their gaps filled with 0.
    indicator : GapIndicator or None
        Columns to append.
    """

    n_features: int
    seen: Indices
    keeps_empty: bool
    indicator: GapIndicator | None

    def values(self, table: NDArray[Any]) -> NDArray[Any]:
        """Return the columns, of data or names, that come out, indicators aside."""
        return table if self.keeps_empty else table[..., self.seen]

    def output(self, x: Array, completed: Array) -> Array:
        """Return what comes out for data (n_samples, n_features) of which the modelled columns are completed."""
        missing = np.isnan(x)
        whole = np.where(missing, 0.0, x)
        whole[:, self.seen] = completed
        values: Array = self.values(whole)
        return values if self.indicator is None else np.hstack([values, self.indicator.columns(missing)])

    def original(self, output: Array, indicator: GapIndicator, gap: float) -> Array:
        """Return the data that came in, with a mark in their gaps."""
        n_values = output.shape[1] - len(indicator.features_)
        x = np.full((len(output), self.n_features), gap)
        x[:, slice(None) if self.keeps_empty else self.seen] = output[:, :n_values]
        missing = np.zeros(x.shape, dtype=bool)
        missing[:, indicator.features_] = output[:, n_values:] != 0
        return np.where(missing, gap, x)

    def names(self, names: Names) -> Names:
        """Return the names of the columns that come out."""
        values = self.values(names)
        return values if self.indicator is None else np.concatenate([values, self.indicator.names(names)])


class ImputerFace(TransformerFace):
    """Base of imputers whose fit ends in a mean and a covariance; a face writes ``fit``.

    Attributes
    ----------
    _layout : Layout
    _box : Box
        Bounds on the gaps of the modelled columns.
    """

    missing_values: Any
    add_indicator: Any
    random_state: Any
    result_: EMResult[NormalParams]
    _layout: Layout
    _box: Box

    def transform(self, X: Any) -> Any:
        """Return the data with every gap filled; seen cells are as they were, to the last bit.

        New rows are filled by the fitted distribution, which does not change. A row without a seen cell gets the
        mean. Bounds make it the expectation between them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        filled : (n_samples, n_features_out)
            An array, or the kind of data frame that ``set_output`` asked for.
        """
        return super().transform(X)

    @property
    def inverse_transform(self) -> Callable[[Any], Array]:
        """A method that brings the gaps back into transformed data; there only with ``add_indicator=True``.

        Gaps in columns that had none in ``fit`` have no indicator, and stay filled. A column that was dropped comes
        back as gaps.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out)

        Returns
        -------
        original : (n_samples, n_features_in_)
            With ``missing_values`` in the gaps; NaN if that is None or pandas.NA.
        """
        # Pipelines ask by `hasattr` whether they have a way back.
        if not self.add_indicator:
            msg = "inverse_transform needs add_indicator=True: only indicators tell where the gaps were."
            raise AttributeError(msg)
        return self._with_gaps

    def _with_gaps(self, X: Any) -> Array:
        names = self.get_feature_names_out()
        indicator = self._layout.indicator
        if indicator is None:
            msg = "inverse_transform needs add_indicator=True in fit: fit again."
            raise ValueError(msg)
        output = as_matrix(X, estimator=type(self).__name__)
        if output.shape[1] != len(names):
            msg = f"X has {output.shape[1]} columns, but transform gives {len(names)}: {', '.join(map(str, names))}."
            raise ValueError(msg)
        marker = gap_marker(self.missing_values)
        return self._layout.original(output, indicator, np.nan if marker is None else marker)

    def sample(self, X: Any, n: int = 1, random_state: Any = None) -> list[Any]:
        """Return ``n`` copies of the data with every gap drawn from its distribution given the seen cells of its row.

        The params are the fitted ones, as if they were known: draws for the inference that follows must vary them too.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        n : int
        random_state : int, Generator, RandomState or None
            That of the imputer if None.

        Returns
        -------
        completed : list of (n_samples, n_features_out)
            What ``transform`` returns, with draws in place of expectations.
        """
        x = self._check_input(X)
        n = whole_number(n, "n")
        rng = np.random.default_rng(rng_of(self.random_state if random_state is None else random_state))
        conditional, rows = self._conditional(), x[:, self._layout.seen]
        draws = (self._box.draw(conditional, rows, rng) for _ in range(n))
        return [self._in_container(self._layout.output(x, draw), X) for draw in draws]

    def conditional_std(self, X: Any) -> Array:
        """Return by how much a gap may differ from its expectation: its standard deviation given the seen cells.

        That of the distribution before bounds restrict it, at the fitted params as if they were known.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        deviations : (n_samples, n_columns)
            For the columns that ``transform`` gives, without indicators. Zero for seen cells, NaN for gaps in columns
            without a seen cell in ``fit``.
        """
        x = self._check_input(X)
        deviations = np.where(np.isnan(x), np.nan, 0.0)
        seen = self._layout.seen
        deviations[:, seen] = np.sqrt(self._conditional().variances(x[:, seen]))
        return self._layout.values(deviations)

    def score_samples(self, X: Any) -> Array:
        """Return the log-density of the seen cells of each row, in nats, shape (n_samples,); zero where none is."""
        x = self._check_input(X)
        # The square of a distance may overflow: a row so far away has a density of zero.
        with np.errstate(over="ignore"):
            return self._conditional().log_density(x[:, self._layout.seen])

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the log-likelihood of the seen cells per row: the (weighted) mean of ``score_samples``."""
        density = self.score_samples(X)
        weights = as_sample_weight(sample_weight, len(density), check_total=False)
        if weights is None:
            return float(density.mean())
        # In units of the largest, a sum or a product leaves the range of floats no more.
        weights = as_sample_weight(weights / (weights.max() or 1.0), len(density))
        return float(np.average(density, weights=weights))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> Names:
        """Return the names of the columns of the output, ``missingindicator_<name>`` for indicators.

        Parameters
        ----------
        input_features : (n_features_in_,), optional
            Names of the input columns, where the data of ``fit`` had none.
        """
        return self._layout.names(self._input_names(input_features))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = gap_marker(self.missing_values) is None
        return tags

    def _as_matrix(self, X: Any, nan_hint: str | None, min_samples: int, min_features: int = 1) -> Array:
        """Return data as a matrix with NaN in its gaps."""
        marker = gap_marker(self.missing_values)
        x = as_matrix(
            X,
            estimator=type(self).__name__,
            allow_nan=marker is None,
            nan_hint=f"with missing_values={self.missing_values!r} that number alone marks a gap",
            min_samples=min_samples,
            min_features=min_features,
        )
        return x if marker is None else without_marked(x, marker)

    def _labels(self) -> Names:
        """Return what messages call the columns: their names, or else their positions."""
        positions = np.array(range(self.n_features_in_), dtype=object)
        names: Names = getattr(self, "feature_names_in_", positions)
        return names

    def _conditional(self) -> Conditional:
        return Conditional.of(self.result_.params.mean, self.result_.params.covariance)

    def _transform(self, x: Array) -> Array:
        return self._layout.output(x, self._box.fill(self._conditional(), x[:, self._layout.seen]))
