"""What EM learns about a multivariate t distribution, and what its E-step hands to its M-step."""

from __future__ import annotations

from typing import Any, final

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import space
from emkit.errors import InvalidParamsError
from emkit.space import Space

Array = NDArray[np.float64]

#: A tail this light is that of a normal: a million degrees of freedom.
NORMAL_TAIL = 1e-6
#: Steps of a tail matter where they are not small against this (ten degrees of freedom).
TYPICAL_TAIL = 0.1
#: How near to an end of its interval a tail may be taken in one accelerated step, relative to where EM takes it.
INSIDE = 0.1


@final
@attrs.frozen
class Tail(Space):
    """Numbers from zero, the normal, up to the heaviest tail that a model allows.

    Attributes
    ----------
    heaviest : float
    """

    heaviest: float = 10.0

    def check(self, value: Any, name: str) -> None:
        """Raise unless the value lies between zero and the heaviest tail."""
        if not 0 <= float(value) <= self.heaviest:
            msg = (
                f"{name} = 1 / df must be between 0 (a normal) and {self.heaviest:g}, but is {float(value)}. Give "
                "starting params inside that interval."
            )
            raise InvalidParamsError(msg)

    def allows(self, proposal: Array, reference: Array) -> bool:
        """Return whether a tail inside the interval stays inside."""
        low = proposal > 0 if reference > 0 else proposal >= 0
        high = proposal < self.heaviest if reference < self.heaviest else proposal <= self.heaviest
        return bool(low and high)

    def pull_inside(self, proposal: Array, reference: Array) -> Array:
        """Return a tail beyond an end moved inside."""
        if proposal <= 0 < reference:
            return np.asarray(INSIDE * reference)
        if proposal >= self.heaviest > reference:
            return np.asarray(self.heaviest - INSIDE * (self.heaviest - reference))
        return proposal

    def room(self, value: Array, direction: Array) -> Array:
        """Return the distance to the ends of the interval."""
        return np.where(direction < 0, value, np.where(direction > 0, self.heaviest - value, np.inf))

    def on_bound(self, value: Array) -> NDArray[np.bool_]:
        """Return whether the tail is that of a normal, or the heaviest."""
        return np.asarray((value <= NORMAL_TAIL) | (value >= self.heaviest * (1 - NORMAL_TAIL)))

    def describe_bound(self, value: Array, name: str) -> str | None:
        """Return a sentence on a tail at an end, or None."""
        if value <= NORMAL_TAIL:
            return f"{name} is 0: {AS_NORMAL}"
        if self.on_bound(value):
            return f"{name} is the heaviest allowed, df = {1 / self.heaviest:g}: a few rows lie very far from the rest."
        return None

    def typical(self, value: Array) -> Array:
        """Return a tenth."""
        return np.asarray(TYPICAL_TAIL)


#: What is said of a tail that has shrunk to none: an answer, no trouble.
AS_NORMAL = "the data have no heavier tails than a normal."


@attrs.frozen(eq=False)
class StudentParams:
    """Params of a multivariate t distribution.

    Attributes
    ----------
    location : (n_features,)
        Centre; the mean where ``df > 1``.
    scatter : (n_features, n_features)
        The covariance is ``scatter * df / (df - 2)`` where ``df > 2``.
    tail : ()
        ``1 / df``: zero is the normal.
    scale : (n_features,)
        Spread of the middle half of each column: what the floor under the eigenvalues is relative to. A constant of
        the fit.
    coverage : (n_features, n_features)
        Share of the rows in which both columns are seen. A constant of the fit.
    """

    location: Array = space.real()
    scatter: Array = space.covariance()
    tail: Array | float = space.positive()
    scale: Array = space.fixed()
    coverage: Array = space.fixed()

    @property
    def df(self) -> float:
        """Degrees of freedom; infinite for the normal."""
        tail = float(self.tail)
        return 1 / tail if tail > 0 else float("inf")


@attrs.frozen(eq=False)
class TailStatistics:
    """What the rows say about the tail, at the location and scatter of the E-step.

    With ``o`` the number of seen cells of a row, ``d`` their squared Mahalanobis distance and ``u`` the row's weight,
    these are sums, over rows and times the weights of the data, of

    Attributes
    ----------
    log_weight : float
        The expected logarithm of the latent weight; zero where the tail is.
    score : float
        The derivative of the log-density with respect to the tail.
    kernel : float
        The log-density but for the determinant and the powers of ``2 pi``.
    kernels : (n_candidates,)
        The same for other tails; computed where the tail is zero.
    seen, distance, squares, products, offset : float
        ``o``, ``d``, ``d**2``, ``o d`` and ``o (o - 2)``.
    """

    log_weight: float
    score: float
    kernel: float
    kernels: Array
    seen: float
    distance: float
    squares: float
    products: float
    offset: float


@attrs.frozen(eq=False)
class StudentStatistics:
    """Expected moments of the residuals about the location of the E-step, ``r = (E[x | seen] - location) / scale``.

    Attributes
    ----------
    count : float
        Total weight of the rows of the data.
    weight : float
        Sum of ``u = E[latent weight | seen]``.
    first : (n_features,)
        Sum of ``u r``.
    second : (n_features, n_features)
        Sum of ``u r r' + C / (scale scale')`` with ``C`` the scatter of the gaps given the seen cells: a latent weight
        divides the covariance of the gaps, and multiplies it again here.
    tail : TailStatistics
    """

    count: float
    weight: float
    first: Array
    second: Array
    tail: TailStatistics
