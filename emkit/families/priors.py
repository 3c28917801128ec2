"""Conjugate priors of proportions, probabilities and rates; every mode they lead to is finite and unique.

The densities are those of the parameter itself, so parameters of one or more keep the log-prior bounded: a prior of
less than one observation would pull an estimate onto a bound, where its density is infinite.
"""

from __future__ import annotations

from numbers import Real
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import xlog1py, xlogy

Array = NDArray[np.float64]


def _at_least(bound: float) -> Any:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        numbers = np.asarray(value, dtype=np.float64)
        if not (np.isfinite(numbers) & (numbers >= bound)).all():
            msg = f"{attribute.name} of a prior must be finite and at least {bound:g}; it is {value!r}."
            raise ValueError(msg)

    return check


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        msg = f"{name} of a prior must be a number, such as 2.0; it is {value!r}."
        raise TypeError(msg)
    return float(value)


def _as_a(value: Any) -> float:
    return _number(value, "a")


def _as_b(value: Any) -> float:
    return _number(value, "b")


def _as_shape(value: Any) -> float:
    return _number(value, "shape")


def _as_rate(value: Any) -> float:
    return _number(value, "rate")


def _concentration(value: Any) -> Any:
    """Return nested lists and arrays as tuples, so that a prior can be hashed and compared."""
    nested = value.tolist() if isinstance(value, np.ndarray | np.number) else value
    if isinstance(nested, list | tuple):
        return tuple(_concentration(entry) for entry in nested)
    if isinstance(nested, bool) or not isinstance(nested, Real):
        msg = f"concentration of a prior must be a number, such as 2.0, or one for each symbol; it is {value!r}."
        raise TypeError(msg)
    return float(nested)


def optional_prior(kind: type) -> Any:
    """Return a check that a field is a prior of some kind, or None."""

    def check(family: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is None or isinstance(value, kind):
            return
        msg = (
            f"{attribute.name} of {type(family).__name__} must be a {kind.__name__}, such as {EXAMPLES[kind]}, or "
            f"None; it is {value!r}."
        )
        raise TypeError(msg)

    return check


@attrs.frozen
class DirichletPrior:
    """Of proportions: ``log_density = sum((concentration - 1) * log(proportions))``.

    Attributes
    ----------
    concentration : float or (n_symbols,)
        One means no prior; two adds one observation of every symbol.
    """

    concentration: Any = attrs.field(converter=_concentration, validator=_at_least(1.0))

    def counts(self, shape: tuple[int, ...]) -> Array:
        """Return how many observations of each symbol the prior adds."""
        return np.broadcast_to(np.asarray(self.concentration) - 1.0, shape)

    def log_density(self, proportions: Array, support: NDArray[np.bool_] | None = None) -> float:
        """Return the log-density up to a constant, in nats; structural zeros have no part in it."""
        terms = xlogy(self.counts(proportions.shape), proportions)
        return float((terms if support is None else np.where(support, terms, 0.0)).sum())


@attrs.frozen
class BetaPrior:
    """Of probabilities: ``log_density = sum((a - 1) * log(p) + (b - 1) * log(1 - p))``.

    Attributes
    ----------
    a, b : float
        One more than the ones and zeros that the prior adds.
    """

    a: float = attrs.field(converter=_as_a, validator=_at_least(1.0))
    b: float = attrs.field(converter=_as_b, validator=_at_least(1.0))

    def log_density(self, probabilities: Array) -> float:
        """Return the log-density up to a constant, in nats."""
        return float((xlogy(self.a - 1, probabilities) + xlog1py(self.b - 1, -probabilities)).sum())


@attrs.frozen
class GammaPrior:
    """Of rates: ``log_density = sum((shape - 1) * log(rates) - rate * rates)``.

    Attributes
    ----------
    shape : float
        Of a Poisson rate: one more than the events that the prior adds.
    rate : float
        Of a Poisson rate: the rows that the prior adds; in units of one over those of the rates.
    """

    shape: float = attrs.field(converter=_as_shape, validator=_at_least(1.0))
    rate: float = attrs.field(default=0.0, converter=_as_rate, validator=_at_least(0.0))

    def log_density(self, rates: Array) -> float:
        """Return the log-density up to a constant, in nats."""
        return float((xlogy(self.shape - 1, rates) - self.rate * rates).sum())


#: What messages show.
EXAMPLES = {
    DirichletPrior: "DirichletPrior(2.0)",
    BetaPrior: "BetaPrior(2.0, 2.0)",
    GammaPrior: "GammaPrior(2.0, 1.0)",
}
