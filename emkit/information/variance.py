"""Covariance matrices, standard errors and intervals of the estimates."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import special

from emkit.errors import ConvergenceWarning, EmkitWarning
from emkit.information.axes import SINGULAR_NOISE, with_unit_diagonal
from emkit.information.entries import flat, shaped_like
from emkit.information.observed import METHODS, ObservedInformation, measure
from emkit.information.score import score_contributions
from emkit.information.silence import hear, warn_of_silence
from emkit.information.surface import Surface

Params = TypeVar("Params")
Array = NDArray[np.float64]

#: The smallest eigenvalue of the information, scaled to a unit diagonal, below which it counts as singular.
SINGULAR = 1e-9
ROBUST = ("sandwich", "opg")
#: How many standard errors the params may be from their optimum.
MAX_SCORE_NORM = 0.05


def singular_below(information: ObservedInformation) -> float:
    """Return the eigenvalue, on the scale of a unit diagonal, that cannot be told from zero."""
    return max(SINGULAR, SINGULAR_NOISE * information.error)


def inverse(information: Array, threshold: float = SINGULAR) -> Array:
    """Return the inverse of an information matrix.

    Raises
    ------
    ValueError
        If it is not positive definite: the params are no maximum, or not determined by the data.
    """
    if not len(information):
        return np.zeros((0, 0))
    standard, scale = with_unit_diagonal(information)
    if not np.isfinite(standard).all() or np.linalg.eigvalsh(standard)[0] <= threshold:
        msg = (
            "The observed information is not positive definite, so there are no standard errors: the data do not "
            "determine all params (equal components, or factors that may be turned, say), or the params are not a "
            "maximum. See result.verify(data), and fit fewer parameters or to a smaller tol."
        )
        raise ValueError(msg)
    return np.asarray(np.linalg.inv(standard) / np.outer(scale, scale))


def free_covariance(surface: Surface, method: str = "auto") -> tuple[Array, ObservedInformation | None]:
    """Return the covariance along the free directions, and the observed information where the method takes it."""
    if method not in (*METHODS, *ROBUST):
        msg = f"method must be one of {', '.join(map(repr, (*METHODS, *ROBUST)))}; it is {method!r}."
        raise ValueError(msg)
    information = None if method == "opg" else measure(surface, "auto" if method in ROBUST else method)
    if method not in ROBUST and information is not None:
        return inverse(information.matrix, singular_below(information)), information
    products, n_units = _outer_products(surface)
    if information is None:
        heard = hear(surface, np.zeros(len(products)), products)
        products = products[np.ix_(heard, heard)]
    n_free = len(surface.directions)
    if n_units <= n_free:
        msg = (
            f"{n_units} score contributions cannot tell the spread of the scores of {n_free} free parameters, so "
            f"method {method!r} gives no standard errors here. It needs more observations; see the other methods."
        )
        raise ValueError(msg)
    if information is None:
        return inverse(products), None
    bread = inverse(information.matrix, singular_below(information))
    return bread @ products @ bread, information


def warn_off_optimum(surface: Surface, variance: Array, information: ObservedInformation | None) -> None:
    """Warn if the params are more than :data:`MAX_SCORE_NORM` standard errors from their optimum."""
    gradient = surface.slopes(np.zeros(surface.directions.shape[1])) if information is None else information.gradient
    distance = 0.0 if gradient is None else float(np.sqrt(np.abs(gradient @ variance @ gradient)))
    if distance > MAX_SCORE_NORM:
        warnings.warn(
            f"The params are about {distance:.2g} standard errors from their optimum, so standard errors there are not "
            "to be relied on. Fit to a smaller tol first. If EM stands still there, the params obey an equation that "
            "their space does not declare (proportions that are separate numbers, say), or m_step and the objective "
            "disagree.",
            ConvergenceWarning,
            stacklevel=3,
        )


def _outer_products(surface: Surface) -> tuple[Array, int]:
    """Return the sum of the outer products of all score contributions along the free directions, and their number."""
    contributions = score_contributions(surface.workload, surface.params)
    n_observations = surface.center_step.n_observations
    if n_observations is not None and len(contributions) != n_observations:
        warnings.warn(
            f"{len(contributions)} score contributions stand for {n_observations:g} observations. Each counts as one "
            "independent unit here: right for sequences, wrong for rows that carry a count, which are to be repeated.",
            EmkitWarning,
            stacklevel=2,
        )
    touched = surface.directions.any(axis=0)
    along = contributions[:, touched] @ surface.directions[:, touched].T
    if not np.isfinite(along).all():
        row = int(np.flatnonzero(~np.isfinite(along).all(axis=1))[0])
        msg = f"{type(surface.model).__name__}.score_contributions must be finite; that of observation {row} is not."
        raise ValueError(msg)
    return np.asarray(along.T @ along), len(along)


def over_entries(surface: Surface, variance: Array) -> Array:
    """Return the covariance of all entries: zero for fixed ones, NaN on the diagonal of those on a bound or silent."""
    full: Array = surface.directions.T @ variance @ surface.directions
    unknown = surface.entries_on_bound() | surface.silent_entries()
    full[unknown, unknown] = np.nan
    return full


def covariance(model: Any, params: Any, data: Any, method: str = "auto") -> Array:
    """Return the covariance matrix of all entries of the params, shape (n_entries, n_entries).

    With directions D (rows), the observed information I along them, its inverse V and the sum J of outer products of
    the scores of single observations, computes

        D' V D          "score", "likelihood", "sem", or "auto": the first two, in this order
        D' V J V D      "sandwich": right even where the model is wrong (Huber 1967; White 1982)
        D' J^-1 D       "opg", outer product of gradients

    Entries come in the order of :func:`emkit.tree.leaves`. Those that are fixed get zero; those on a bound, and those
    of which the data say nothing, NaN on the diagonal. See :func:`emkit.information.observed_information` for what each
    method costs. A log-prior is part of I, but not of J.

    Raises
    ------
    ValueError
        If the information is not positive definite: the params are no maximum, or not determined by the data. If the
        objective there is not finite. If observations are too few for a sandwich.
    InvalidParamsError
        If the params lie outside their space.
    MissingCapabilityError
        If the model lacks what the method needs: ``complete_score`` or ``score_contributions``.

    Warns
    -----
    ConvergenceWarning
        If the params are more than :data:`MAX_SCORE_NORM` standard errors from their optimum.
    DegenerateWarning
        If the data say nothing of some entries, naming them.
    """
    surface = Surface(model, params, data)
    variance, information = free_covariance(surface, method)
    warn_off_optimum(surface, variance, information)
    warn_of_silence(surface)
    return over_entries(surface, variance)


def standard_errors(model: Any, params: Params, data: Any, method: str = "auto") -> Params:
    """Return the standard error of every entry, in the shape of the params.

    NaN where it lies on a bound, or where the data say nothing of it.
    """
    errors: Params = shaped_like(params, np.sqrt(np.diag(covariance(model, params, data, method))))
    return errors


def confidence_intervals(
    model: Any, params: Params, data: Any, level: float = 0.95, method: str = "auto"
) -> tuple[Params, Params]:
    """Return ``params -/+ z * standard_errors`` with z the normal quantile of the level."""
    check_level(level)
    width = special.ndtri((1 + level) / 2)
    half = width * np.sqrt(np.diag(covariance(model, params, data, method)))
    values = flat(params)
    return shaped_like(params, values - half), shaped_like(params, values + half)


def check_level(level: float) -> None:
    """Raise ValueError unless a level is a probability."""
    if not (isinstance(level, Real) and 0 < level < 1):
        msg = f"level must lie between 0 and 1; it is {level!r}."
        raise ValueError(msg)
