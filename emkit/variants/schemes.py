"""How simulated E-steps are put to use: one draw, ever more draws, or a running average of statistics."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from numbers import Integral, Real
from typing import Any, ClassVar

import attrs


def _whole(instance: object, attribute: Any, value: Any) -> None:
    least = 0 if attribute.name == "burn_in" else 1
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        msg = f"{attribute.name} must be a whole number of at least {least}; it is {value!r}."
        raise ValueError(msg)


def _growth(instance: object, attribute: Any, value: float) -> None:
    if not (isinstance(value, Real) and 1 <= value < 2):
        msg = f"growth must be at least 1 and below 2, a factor for each iteration; it is {value!r}."
        raise ValueError(msg)


def _exponent(instance: object, attribute: Any, value: float) -> None:
    if not (isinstance(value, Real) and 0.5 < value <= 1):
        msg = f"exponent must be above 1/2 and at most 1, else the average does not settle; it is {value!r}."
        raise ValueError(msg)


class Scheme(ABC):
    """What is done in iteration k = 1, 2, ...: holds settings only.

    Every scheme runs the same recursion, with S the mean of ``draws_in(k)`` draws of the complete-data statistics:

        statistics <- statistics + weight(j) * (S - statistics);   params <- m_step(params, statistics)

    where j counts iterations since the params came to rest, and is 0 before.

    Attributes
    ----------
    burn_in : int
        Iterations before anything is recorded.
    decreases : bool
        Whether weights decrease once the params have come to rest.
    """

    burn_in: int
    decreases: ClassVar[bool] = False

    @abstractmethod
    def draws_in(self, k: int) -> int:
        """Return the number of draws in iteration ``k``."""

    def weight(self, j: int) -> float:
        """Return the weight of the new draws in iteration ``j`` since the params came to rest, in (0, 1]."""
        return 1.0


@attrs.frozen
class StochasticEM(Scheme):
    """One draw for each M-step; the params wander, and the mean over the later half is the estimate.

    Celeux and Diebolt, The SEM algorithm, Computational Statistics Quarterly 2 (1985) 73-82. For ``n`` observations
    the mean is off the maximum of the likelihood by a term of order 1/n, which no number of iterations removes: small
    beside a standard error, but not zero.

    Parameters
    ----------
    burn_in : int
        Iterations before the mean begins.
    """

    burn_in: int = attrs.field(default=50, validator=_whole)

    def draws_in(self, k: int) -> int:
        """Return 1."""
        return 1


@attrs.frozen
class MonteCarloEM(Scheme):
    """The mean of many draws for each M-step, more of them in every iteration.

    Wei and Tanner, A Monte Carlo implementation of the EM algorithm, Journal of the American Statistical Association
    85 (1990) 699-704.

    Parameters
    ----------
    n_draws : int
    growth : float
        Factor by which the number of draws grows from one iteration to the next.
    burn_in : int
        Iterations before the mean begins.
    """

    n_draws: int = attrs.field(default=10, validator=_whole)
    growth: float = attrs.field(default=1.02, validator=_growth)
    burn_in: int = attrs.field(default=10, validator=_whole)

    def draws_in(self, k: int) -> int:
        """Return ``ceil(n_draws * growth**(k - 1))``."""
        # The logarithm first: a power of a large k would overflow.
        exponent = min(math.log(self.n_draws) + (k - 1) * math.log(self.growth), 40.0)
        return math.ceil(math.exp(exponent) - 1e-9)


@attrs.frozen
class SAEM(Scheme):
    """Stochastic approximation: each draw enters a running average of the statistics with a decreasing weight.

    Delyon, Lavielle and Moulines, Convergence of a stochastic approximation version of the EM algorithm, Annals of
    Statistics 27 (1999) 94-128. Weights are 1, which is stochastic EM and forgets the start fast, until the params
    have come to rest; then they decrease, and the estimate is the mean of the params from there on. It goes to a
    stationary point of the likelihood itself with one draw in each iteration.

    Parameters
    ----------
    burn_in : int
        Iterations before the params are watched, and the least number of those with decreasing weights.
    exponent : float
        The weight of the j-th draw that enters with decreasing weight is ``j ** -exponent``; above 1/2 and at most 1.
    """

    burn_in: int = attrs.field(default=50, validator=_whole)
    exponent: float = attrs.field(default=0.6, validator=_exponent)
    decreases: ClassVar[bool] = True

    def draws_in(self, k: int) -> int:
        """Return 1."""
        return 1

    def weight(self, j: int) -> float:
        """Return ``j ** -exponent``, and 1 while ``j`` is 0."""
        return float(max(j, 1) ** -self.exponent)
