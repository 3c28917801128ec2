"""What surrounds a fit on a face: where randomness comes from, and what is said about the outcome."""

from __future__ import annotations

import enum
import functools
import sys
import warnings
from typing import Any, Protocol

import numpy as np
from numpy.random import Generator, RandomState, SeedSequence

from emkit.driver import fit
from emkit.errors import (
    ConvergenceWarning,
    DegenerateWarning,
    EmkitWarning,
    LikelihoodDecreasedError,
    LikelihoodDecreasedWarning,
    NotFittedError,
)
from emkit.restarts import RandomSource
from emkit.result import EMResult


class FitOutcome(Protocol):
    """What :func:`warn_about` reads; an EMResult is one."""

    @property
    def converged(self) -> bool:
        """Whether the stopping rule was met."""
        ...

    @property
    def status(self) -> enum.Enum:
        """Why the fit ended; the value is a sentence."""
        ...

    @property
    def message(self) -> str:
        """Why the fit ended, with numbers."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the estimates should know."""
        ...


#: Endings that call for another warning than "not converged". A callback that stopped the fit did so on purpose.
_CATEGORIES: dict[str, type[EmkitWarning] | None] = {
    "DECREASED": LikelihoodDecreasedWarning,
    "DEGENERATE": DegenerateWarning,
    "STOPPED_BY_CALLBACK": None,
}


def fit_with_warnings(estimator_name: str, model: Any, data: Any, params: Any = None, **settings: Any) -> EMResult[Any]:
    """Return :func:`emkit.fit` of a model; how it ended becomes warnings, as is usual on a face.

    Parameters
    ----------
    estimator_name : str
        With what the messages begin.
    model, data, params, **settings
        As :func:`emkit.fit` takes them.

    Warns
    -----
    ConvergenceWarning
        If the fit ended before it had converged, unless a callback stopped it.
    LikelihoodDecreasedWarning
        If the objective fell; the result is the best point before the fall.
    DegenerateWarning
        If the model could not go on, and if there are notes.
    """
    try:
        result: EMResult[Any] = fit(model, data, params, **settings)
    except LikelihoodDecreasedError as error:
        result = error.result
    warn_about(result, estimator_name, stacklevel=4)
    return result


def warn_about(result: FitOutcome, estimator_name: str, *, stacklevel: int = 3) -> None:
    """Turn the outcome of a fit into warnings: one for an early end, one for all notes together."""
    if not result.converged:
        category = _CATEGORIES.get(result.status.name, ConvergenceWarning)
        if category is not None:
            text = result.message or str(result.status.value)
            warnings.warn(f"{estimator_name}: {text}", category, stacklevel=stacklevel)
    if result.notes:
        warnings.warn(f"{estimator_name}: {' '.join(result.notes)}", DegenerateWarning, stacklevel=stacklevel)


def rng_of(random_state: Any) -> RandomSource:
    """Return what :func:`emkit.fit` takes as ``rng``, from what users of scikit-learn pass as ``random_state``.

    An int gives the same fit every time, None another one every time. From a RandomState one int is drawn, so that
    repeated fits differ but a program that seeds it once can be repeated; a Generator is used as it is.

    Raises
    ------
    ValueError
        If an int is negative.
    TypeError
        If it is anything else.
    """
    if isinstance(random_state, RandomState):
        return int(random_state.randint(np.iinfo(np.int32).max))
    if random_state is None or isinstance(random_state, Generator | SeedSequence):
        return random_state
    if isinstance(random_state, int | np.integer) and not isinstance(random_state, bool):
        if random_state < 0:
            msg = f"random_state must not be negative; it is {random_state}."
            raise ValueError(msg)
        return int(random_state)
    msg = (
        "random_state must be None, an int, a numpy RandomState or a numpy Generator; it is "
        f"{random_state!r} of type {type(random_state).__name__}."
    )
    raise TypeError(msg)


def not_fitted_error(message: str) -> NotFittedError:
    """Return the error to raise in a process with or without scikit-learn."""
    exceptions = sys.modules.get("sklearn.exceptions")
    return NotFittedError(message) if exceptions is None else _shared_class(exceptions.NotFittedError)(message)


@functools.cache
def _shared_class(theirs: type[Exception]) -> type[NotFittedError]:
    """Return a class that an ``except`` for either library catches."""

    def reduce(error: NotFittedError) -> tuple[Any, ...]:
        # The process that unpickles may have scikit-learn loaded or not, so the class is chosen there.
        return not_fitted_error, error.args

    return type(NotFittedError.__name__, (NotFittedError, theirs), {"__module__": __name__, "__reduce__": reduce})
