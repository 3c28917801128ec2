"""Every exception and warning class of emkit, and nothing else."""

from __future__ import annotations

from typing import Any


class EmkitError(Exception):
    """Base class of the errors that only emkit raises."""


class InvalidParamsError(EmkitError, ValueError):
    """Params lie outside the space they declare; the message names the field and the index."""


class DegenerateError(EmkitError, ArithmeticError):
    """A model raises this in its E- or M-step when it cannot go on: an empty component, a singular matrix."""


class MissingCapabilityError(EmkitError, TypeError):
    """The model lacks an optional method that was needed; the message names it and gives its signature."""


class LikelihoodDecreasedError(EmkitError, ArithmeticError):
    """The objective fell between two plain EM steps, which exact EM cannot do.

    Attributes
    ----------
    result : EMResult
        The best point reached before the fall.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        super().__init__(message)
        self.result = result


class FitFailedError(EmkitError, RuntimeError):
    """No start of a fit gave usable params; the message says what happened to each of them."""


class NotFittedError(EmkitError, ValueError, AttributeError):
    """A method that needs a fitted estimator was called before ``fit``.

    Where scikit-learn is loaded, the error raised is an instance of its ``NotFittedError`` as well.
    """


class UnknownModelError(EmkitError, LookupError):
    """No installed distribution registers a model of that name."""


class DuplicateModelError(EmkitError, LookupError):
    """Two installed distributions register a model under the same name."""


class FormatError(EmkitError, ValueError):
    """A file is cut, edited, hostile, or of a version this emkit does not read."""


class EmkitWarning(UserWarning):
    """Base class of the warnings that only emkit gives."""


class ConvergenceWarning(EmkitWarning):
    """A fit ended before it had converged."""


class LikelihoodDecreasedWarning(EmkitWarning):
    """The objective fell and the caller asked for a warning instead of an error."""


class CheckpointWarning(EmkitWarning):
    """The state of a fit could not be written; the fit goes on."""


class DegenerateWarning(EmkitWarning):
    """The estimate lies on a bound that holds it together: a covariance floor, an empty component."""
