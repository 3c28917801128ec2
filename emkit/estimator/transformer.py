"""Faces that turn data into data, such as imputers: arrays or data frames out."""

from __future__ import annotations

import importlib
import sys
from abc import abstractmethod
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emkit.estimator.base import Estimator

Array = NDArray[np.float64]

_CONTAINERS = ("default", "pandas", "polars")


class TransformerFace(Estimator):
    """A face with ``transform``: it writes ``fit`` and ``_transform``, and gets the rest.

    By default the output has the columns of the input; a face for which that is not so overrides
    ``get_feature_names_out``.
    """

    @abstractmethod
    def _transform(self, x: Array) -> Array:
        """Return the output (n_samples, n_features_out) for checked data (n_samples, n_features)."""

    def transform(self, X: Any) -> Any:
        """Return the transformed data.

        Parameters
        ----------
        X : (n_samples, n_features)

        Returns
        -------
        transformed : (n_samples, n_features_out)
            An array, or the kind of data frame that ``set_output`` asked for.
        """
        return self._in_container(self._transform(self._check_input(X)), X)

    def fit_transform(self, X: Any, y: Any = None, **fit_params: Any) -> Any:
        """Fit to data, then transform them."""
        return self.fit(X, y, **fit_params).transform(X)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Return the names of the columns of the output.

        Parameters
        ----------
        input_features : (n_features,), optional
            Names of the input columns, where the data of ``fit`` had none.

        Raises
        ------
        ValueError
            If these are not the names seen in ``fit``, or not as many as there are columns.
        """
        return self._input_names(input_features)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what ``transform`` returns.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            An array, or a data frame; a pandas frame keeps the index of the input. None changes nothing.
        """
        if transform is not None:
            # Under this name scikit-learn's clone carries the choice over.
            self._sklearn_output_config = {"transform": _known_container(transform)}
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags = importlib.import_module("sklearn.utils").TransformerTags()
        return tags

    def _input_names(self, input_features: ArrayLike | None) -> NDArray[np.object_]:
        """Return the names of the input columns: as given, as seen in ``fit``, or x0, x1, ..."""
        self._check_is_fitted()
        fitted: NDArray[np.object_] | None = getattr(self, "feature_names_in_", None)
        if input_features is None:
            if fitted is not None:
                return fitted
            return np.array([f"x{j}" for j in range(self.n_features_in_)], dtype=object)
        names = np.asarray(input_features, dtype=object)
        if fitted is not None and not np.array_equal(fitted, names):
            msg = "input_features is not equal to feature_names_in_, the column names of the data of fit."
            raise ValueError(msg)
        if len(names) != self.n_features_in_:
            msg = (
                f"input_features should have length equal to number of features ({self.n_features_in_}), "
                f"got {len(names)}."
            )
            raise ValueError(msg)
        return names

    def _in_container(self, values: Array, X: Any) -> Any:
        """Return an output for the data ``X`` in the container that was asked for."""
        container = getattr(self, "_sklearn_output_config", {}).get("transform") or _global_container()
        if container == "default":
            return values
        library = _import(container)
        names = self.get_feature_names_out().tolist()
        if container == "polars":
            return library.DataFrame(values, schema=names, orient="row")
        index = X.index if isinstance(X, library.DataFrame) else None
        return library.DataFrame(values, columns=names, index=index)


def _known_container(container: str) -> str:
    if container not in _CONTAINERS:
        msg = f"The output of transform must be one of {', '.join(_CONTAINERS)}; {container!r} was asked for."
        raise ValueError(msg)
    return container


def _global_container() -> str:
    """Return the container that scikit-learn is configured to use, wherever it is loaded."""
    sklearn = sys.modules.get("sklearn")
    return "default" if sklearn is None else _known_container(sklearn.get_config()["transform_output"])


def _import(library: str) -> Any:
    try:
        return importlib.import_module(library)
    except ImportError as error:
        msg = f"Output as a {library} data frame needs {library}: install it, or set_output(transform='default')."
        raise ImportError(msg) from error
