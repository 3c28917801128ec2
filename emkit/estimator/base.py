"""What every face shares: parameters, validation, tags, and what it looks like in print."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix, feature_names
from emkit.errors import EmkitWarning
from emkit.estimator.fitting import not_fitted_error

Array = NDArray[np.float64]

#: Set as soon as the data are seen; they do not make an estimator a fitted one.
_SEEN = {"n_features_in_", "feature_names_in_"}
#: How many column names a message lists.
_MAX_NAMES = 5


class Estimator(ABC):
    """Base of the faces. Decorate a face with ``@attrs.define(slots=False, eq=False, repr=False)``.

    Attributes
    ----------
    _estimator_type : str or None
        What scikit-learn calls it, such as "density_estimator" or "clusterer".
    _allow_nan : bool
        Whether NaN in the data means a missing entry; otherwise it is an error.
    _nan_hint : str or None
        What the message of that error recommends.
    n_features_in_, feature_names_in_
        Set by ``_check_fit_input``; the names only where all columns have one.

    Examples
    --------
    >>> import attrs
    >>> @attrs.define(slots=False, eq=False, repr=False)
    ... class Mean(Estimator):
    ...     shrinkage: float = 0.0
    ...
    ...     def fit(self, X, y=None):
    ...         self.mean_ = self._check_fit_input(X).mean(axis=0) * (1 - self.shrinkage)
    ...         return self
    >>> mean = Mean(shrinkage=0.5).fit([[1.0, 2.0], [3.0, 4.0]])
    >>> mean, mean.mean_, mean.n_features_in_
    (Mean(shrinkage=0.5), array([1. , 1.5]), 2)
    """

    _estimator_type: ClassVar[str | None] = None
    _allow_nan: ClassVar[bool] = False
    _nan_hint: ClassVar[str | None] = None

    n_features_in_: int
    feature_names_in_: NDArray[np.object_]

    @abstractmethod
    def fit(self, X: Any, *args: Any, **kwargs: Any) -> Any:
        """Learn from data, set the fitted attributes and return ``self``."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the arguments of the constructor, as they are now.

        Parameters
        ----------
        deep : bool
            Whether to add those of estimators among them, as ``name__inner_name``.
        """
        params: dict[str, Any] = {}
        for name in _defaults(type(self)):
            value = params[name] = getattr(self, name)
            if deep and hasattr(value, "get_params") and not isinstance(value, type):
                params |= {f"{name}__{inner}": part for inner, part in value.get_params().items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set arguments of the constructor, those of an estimator among them as ``name__inner_name``.

        Raises
        ------
        ValueError
            If there is no such argument; then none is set.
        """
        known = self.get_params(deep=False)
        for key in params:
            if key.partition("__")[0] not in known:
                msg = f"Invalid parameter {key!r} for estimator {self!r}. Valid parameters are: {list(known)!r}."
                raise ValueError(msg)
        nested: dict[str, dict[str, Any]] = {}
        for key, value in params.items():
            name, dots, inner = key.partition("__")
            if dots:
                nested.setdefault(name, {})[inner] = value
            else:
                setattr(self, name, value)
        for name, inner_params in nested.items():
            estimator = getattr(self, name)
            if not hasattr(estimator, "set_params"):
                inner = next(iter(inner_params))
                msg = f"Invalid parameter '{name}__{inner}': {name} is {estimator!r}, which has no parameters."
                raise ValueError(msg)
            estimator.set_params(**inner_params)
        return self

    def __repr__(self) -> str:
        defaults = _defaults(type(self))
        shown = {name: re.sub(r"\s*\n\s*", " ", repr(value)) for name, value in self.get_params(deep=False).items()}
        changed = [f"{name}={text}" for name, text in shown.items() if text != repr(defaults[name])]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        # Only scikit-learn asks for tags, so nothing is loaded here that is not there already.
        utils = importlib.import_module("sklearn.utils")
        return utils.Tags(
            estimator_type=self._estimator_type,
            target_tags=utils.TargetTags(required=False),
            input_tags=utils.InputTags(allow_nan=self._allow_nan),
        )

    def __sklearn_is_fitted__(self) -> bool:
        return any(name.endswith("_") and not name.startswith("_") for name in vars(self).keys() - _SEEN)

    def _check_is_fitted(self) -> None:
        """Raise NotFittedError before the first fit."""
        if not self.__sklearn_is_fitted__():
            msg = (
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate arguments "
                "before using this estimator."
            )
            raise not_fitted_error(msg)

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Around what ``fit`` does: if it raises, the face is what it was before, such as fitted to other data."""
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            vars(self).clear()
            vars(self).update(before)
            raise

    def _check_fit_input(
        self, X: Any, *, min_samples: int = 1, min_features: int = 1, nan_hint: str | None = None
    ) -> Array:
        """Return the data of ``fit`` as a matrix, and note how many columns they have and what these are called."""
        names = feature_names(X)
        matrix = self._as_matrix(X, nan_hint, min_samples, min_features)
        self.n_features_in_ = matrix.shape[1]
        if names is not None:
            self.feature_names_in_ = names
            _warn_about_duplicates(names)
        elif hasattr(self, "feature_names_in_"):
            # Left over from a fit to other data.
            del self.feature_names_in_
        return matrix

    def _check_input(self, X: Any, *, min_samples: int = 1, nan_hint: str | None = None) -> Array:
        """Return data for a fitted estimator as a matrix; their columns must be those of ``fit``."""
        self._check_is_fitted()
        self._check_names(feature_names(X))
        matrix = self._as_matrix(X, nan_hint, min_samples)
        if matrix.shape[1] != self.n_features_in_:
            msg = (
                f"X has {matrix.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} "
                "features as input."
            )
            raise ValueError(msg)
        return matrix

    def _as_matrix(self, X: Any, nan_hint: str | None, min_samples: int, min_features: int = 1) -> Array:
        return as_matrix(
            X,
            estimator=type(self).__name__,
            allow_nan=self._allow_nan,
            nan_hint=nan_hint or self._nan_hint,
            min_samples=min_samples,
            min_features=min_features,
        )

    def _check_names(self, names: NDArray[np.object_] | None) -> None:
        """Compare column names with those of ``fit``; a side without names is warned about."""
        fitted = getattr(self, "feature_names_in_", None)
        estimator = type(self).__name__
        if names is None or fitted is None:
            if names is not None:
                text = f"X has feature names, but {estimator} was fitted without feature names"
                warnings.warn(text, EmkitWarning, stacklevel=4)
            if fitted is not None:
                text = f"X does not have valid feature names, but {estimator} was fitted with feature names"
                warnings.warn(text, EmkitWarning, stacklevel=4)
            return
        if list(names) == list(fitted):
            return
        unseen, missing = sorted(set(names) - set(fitted)), sorted(set(fitted) - set(names))
        msg = "The feature names should match those that were passed during fit.\n"
        if unseen:
            msg += f"Feature names unseen at fit time:\n{_listed(unseen)}"
        if missing:
            msg += f"Feature names seen at fit time, yet now missing:\n{_listed(missing)}"
        if not unseen and not missing:
            msg += "Feature names must be in the same order as they were in fit.\n"
        raise ValueError(msg)


def _defaults(face: type) -> dict[str, Any]:
    """Return the arguments of a constructor with their defaults, in the order in which they are declared."""
    arguments = list(inspect.signature(face).parameters.values())
    return {argument.name: argument.default for argument in arguments}


def _listed(names: list[str]) -> str:
    lines = [f"- {name}\n" for name in names[:_MAX_NAMES]]
    return "".join(lines) + ("- ...\n" if len(names) > _MAX_NAMES else "")


def _warn_about_duplicates(names: NDArray[np.object_]) -> None:
    unique, counts = np.unique(names.astype(str), return_counts=True)
    if (counts > 1).any():
        repeated = ", ".join(map(repr, unique[counts > 1].tolist()))
        text = f"X has several columns named {repeated}; they are told apart by their position."
        warnings.warn(text, EmkitWarning, stacklevel=4)
