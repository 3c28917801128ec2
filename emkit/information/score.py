"""The exact gradient of the objective, for models that offer it.

Fisher's identity: the gradient of the log-likelihood at some params is the expected gradient of the complete-data
log-likelihood there, ``complete_score(params, e_step(params, data).statistics)``. So it costs one E-step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.engines import Workload
from emkit.errors import MissingCapabilityError
from emkit.information.entries import shifted
from emkit.model import EStep, offers, require
from emkit.space import spaces_of
from emkit.space.assignment import Spaces, free_directions

Array = NDArray[np.float64]

#: Rounding of a log-prior, relative to its size.
PRIOR_ROUNDING = 2e-16
MAX_SHORTENINGS = 20


def offers_score(model: object) -> bool:
    """Return whether a model can tell its exact gradient."""
    return offers(model, "complete_score") or offers(model, "score_contributions")


def score(workload: Workload, params: Any, e_step: EStep[Any] | None = None) -> Array:
    """Return the gradient of ``log_likelihood + log_prior`` over all entries of the params, shape (n_entries,).

    Entries come in the order of :func:`emkit.tree.leaves`. Only products with free directions
    (:func:`emkit.space.assignment.free_directions`) mean anything: across them, say where a simplex would leave its
    sum of one, the gradient is whatever the model's formula gives, and of the prior it is zero.

    Parameters
    ----------
    workload : Workload
        The model with its data, ``Workload.of(model, data)``.
    e_step : EStep, optional
        That at ``params``, if it is known already.

    Raises
    ------
    MissingCapabilityError
        If the model has neither ``complete_score`` nor ``score_contributions``.
    """
    gradient = score_of_data(workload, params, e_step)
    model = workload.model
    if not offers(model, "log_prior"):
        return gradient
    spaces = spaces_of(model, params)
    directions, on_bound = free_directions(spaces, params)
    directions = directions[~on_bound]
    slopes = prior_slopes(model, params, spaces, directions)
    return np.asarray(gradient + np.linalg.lstsq(directions, slopes, rcond=None)[0])


def score_of_data(workload: Workload, params: Any, e_step: EStep[Any] | None = None) -> Array:
    """Return the gradient of the log-likelihood alone, shape (n_entries,)."""
    model = workload.model
    if offers(model, "complete_score"):
        statistics = (workload.e_step(params) if e_step is None else e_step).statistics
        return complete_score(model, params, statistics)
    if not offers(model, "score_contributions"):
        msg = (
            f"{type(model).__name__} has no exact gradient: define complete_score(params, statistics), the gradient "
            "of the expected complete-data log-likelihood in the shape of params (it is the score, by Fisher's "
            "identity), or score_contributions(params, data)."
        )
        raise MissingCapabilityError(msg)
    return np.asarray(score_contributions(workload, params).sum(axis=0))


def complete_score(model: Any, params: Any, statistics: Any) -> Array:
    """Return the gradient of the expected complete-data log-likelihood, shape (n_entries,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        gradient = require(model, "complete_score")(params, statistics)
    return _entries(gradient, params, (), f"{type(model).__name__}.complete_score")


def score_contributions(workload: Workload, params: Any) -> Array:
    """Return the gradient of the log-likelihood of every observation, shape (n_observations, n_entries)."""
    model = workload.model
    contribution = require(model, "score_contributions")
    source = f"{type(model).__name__}.score_contributions"
    parts = []
    for leaf in workload.leaves:
        gradients = contribution(params, leaf)
        first = next((np.shape(part)[:1] for _, part in tree.leaves(gradients)), ())
        parts.append(_entries(gradients, params, first, source))
    return np.concatenate(parts)


def _entries(gradient: Any, params: Any, leading: tuple[int, ...], source: str) -> Array:
    found = dict(tree.leaves(gradient))
    parts = []
    for path, leaf in tree.leaves(params):
        part = np.asarray(found.get(path, np.zeros(0)), dtype=np.float64)
        expected = (*leading, *np.shape(leaf))
        if part.shape != expected:
            msg = f"{source} must give {tree.path_name(path)} the shape {expected}; it has {part.shape}."
            raise ValueError(msg)
        parts.append(part.reshape(*leading, -1))
    return np.concatenate(parts, axis=-1)


def prior_slopes(model: Any, params: Any, spaces: Spaces, directions: Array) -> Array:
    """Return the derivatives of the log-prior along directions, by central differences inside the space.

    Their step, relative to the size of the entry, is the cube root of the rounding of the log-prior: there rounding
    and truncation are about equal, however large a constant the log-prior has.
    """
    slopes = np.zeros(len(directions))
    if not offers(model, "log_prior"):
        return slopes
    height = abs(float(model.log_prior(params)))
    relative = float(np.cbrt(PRIOR_ROUNDING * (1 + height))) if np.isfinite(height) else 1e-5
    leaves = [(path, np.asarray(leaf, dtype=np.float64)) for path, leaf in tree.leaves(params)]
    sizes = [np.broadcast_to(spaces[path].typical(value), value.shape).ravel() for path, value in leaves]
    scales = np.abs(directions) @ np.concatenate(sizes)
    for i, (direction, scale) in enumerate(zip(directions, scales, strict=True)):
        length = relative * (scale or 1.0)
        for _ in range(MAX_SHORTENINGS):
            ends = [shifted(params, sign * length * direction, spaces) for sign in (1, -1)]
            if None not in ends:
                above, below = (float(model.log_prior(end)) for end in ends)
                slopes[i] = (above - below) / (2 * length)
                break
            length /= 4
    return slopes
