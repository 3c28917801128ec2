"""What an imputer that was fitted does: fill gaps, draw them, say how sure it is, and find its way back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emkit.arrays import as_matrix, as_sample_weight, whole_number
from emkit.estimator import TransformerFace, rng_of
from emkit_mvn.imputer.indicator import gap_marker, without_marked
from emkit_mvn.imputer.layout import Layout, Names
from emkit_mvn.kernels.conditional import Conditional
from emkit_mvn.student.conditional import StudentConditional

Array = NDArray[np.float64]


class FillingFace(TransformerFace):
    """Base of faces that fill gaps with what a fitted distribution says of them.

    Attributes
    ----------
    _layout : Layout
    """

    missing_values: Any
    add_indicator: Any
    random_state: Any
    _layout: Layout

    @abstractmethod
    def _conditional(self) -> Conditional | StudentConditional:
        """Return the fitted distribution of the modelled columns."""

    def transform(self, X: Any) -> Any:
        """Return the data with every gap filled; seen cells are as they were, to the last bit.

        New rows are filled by the fitted distribution, which does not change. A row without a seen cell gets the
        mean.

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
        original : (n_samples, n_features)
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
        rows = x[:, self._layout.seen]
        draws = (self._drawn(rows, rng) for _ in range(n))
        return [self._in_container(self._layout.output(x, draw), X) for draw in draws]

    def conditional_std(self, X: Any) -> Array:
        """Return by how much a gap may differ from its expectation: its standard deviation given the seen cells.

        At the fitted params as if they were known, and without regard to bounds.

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
        return self._conditional().log_density(x[:, self._layout.seen])

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return the log-likelihood of the seen cells per row: the (weighted) mean of ``score_samples``."""
        density = self.score_samples(X)
        weights = as_sample_weight(sample_weight, len(density), check_total=False)
        if weights is None:
            return float(density.mean())
        # In units of the largest, a sum or a product leaves the range of floats no more.
        weights = as_sample_weight(weights / (weights.max() or 1.0), len(density))
        # A row that does not count may be infinitely unlikely.
        counts = weights > 0
        return float(np.average(density[counts], weights=weights[counts]))

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> Names:
        """Return the names of the columns of the output, ``missingindicator_<name>`` for indicators.

        Parameters
        ----------
        input_features : (n_features,), optional
            Names of the input columns, where the data of ``fit`` had none.
        """
        # First the names: they ask whether there was a fit.
        names = self._input_names(input_features)
        return self._layout.names(names)

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

    def _filled(self, x: Array) -> Array:
        """Return rows of the modelled columns with every gap at its expectation."""
        return self._conditional().fill(x)

    def _drawn(self, x: Array, rng: np.random.Generator) -> Array:
        """Return rows of the modelled columns with every gap drawn."""
        return self._conditional().draw(x, rng)

    def _transform(self, x: Array) -> Array:
        return self._layout.output(x, self._filled(x[:, self._layout.seen]))
