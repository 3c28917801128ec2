"""How an imputer is fitted: to the columns with a seen cell, one distribution."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import Any, Self

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EMResult, Tolerance
from emkit.acceleration import Accelerator
from emkit.arrays import as_sample_weight, whole_number
from emkit.errors import EmkitWarning
from emkit.estimator import rng_of, warn_about
from emkit_mvn.fitting import fit_columns
from emkit_mvn.imputer.filling import FillingFace
from emkit_mvn.imputer.indicator import GapIndicator
from emkit_mvn.imputer.layout import Indices, Layout
from emkit_mvn.model import MultivariateNormal
from emkit_mvn.student.model import MultivariateT

Array = NDArray[np.float64]


class ImputerFace(FillingFace):
    """Base of imputers; a face writes its parameters, its model, and what it makes of the params."""

    keep_empty_features: Any
    tol: float | Tolerance
    max_iter: int
    n_init: int
    accelerate: str | Accelerator | None
    verbose: int
    result_: EMResult[Any]

    @abstractmethod
    def _model(self, seen: Indices) -> MultivariateNormal | MultivariateT:
        """Return the model of the columns with a seen cell, after a check of all settings it depends on."""

    @abstractmethod
    def _adopt(self, params: Any, seen: Indices) -> None:
        """Set the fitted attributes that the params of these columns make."""

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Fit the distribution to the seen cells.

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
            self.model_ = self._model(seen)
            self.result_ = self._climb(x, weights, seen)
            worth = tuple(note for note in self.result_.notes if self._is_worth_a_warning(note))
            warn_about(attrs.evolve(self.result_, notes=worth), type(self).__name__)
            self.indicator_ = GapIndicator.of(missing) if self.add_indicator else None
            self.n_features_with_missing_ = int(missing.any(axis=0).sum())
            self._layout = Layout(x.shape[1], seen, bool(self.keep_empty_features), self.indicator_)
            self.seen_features_ = seen
            self.converged_ = self.result_.converged
            self.n_iter_ = max(self.result_.n_iter, 1)
            self._adopt(self.result_.params, seen)
        return self

    def _is_worth_a_warning(self, note: str) -> bool:
        """Return whether a note on the fit is about trouble, and not only about what was found."""
        return True

    def _seen_features(self, missing: NDArray[np.bool_]) -> Indices:
        """Return the positions of the columns with a seen cell; the others are warned about if they are dropped."""
        empty = missing.all(axis=0)
        if empty.all():
            msg = "X has no seen cell (in rows of positive weight): there is nothing to fit to."
            raise ValueError(msg)
        if empty.any() and not self.keep_empty_features:
            text = f"Skipping features without any observed values: {self._labels()[empty]}."
            warnings.warn(f"{type(self).__name__}: {text}", EmkitWarning, stacklevel=3)
        return np.flatnonzero(~empty)

    def _climb(self, x: Array, weights: Array | None, seen: Indices) -> EMResult[Any]:
        return fit_columns(
            self.model_,
            x[:, seen],
            weights,
            [repr(label) for label in self._labels()[seen]],
            accelerate=self.accelerate,
            tol=self.tol,
            max_iter=self.max_iter,
            n_starts=whole_number(self.n_init, "n_init"),
            rng=rng_of(self.random_state),
            progress=bool(self.verbose),
        )
