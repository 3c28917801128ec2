"""How well the data determine an estimate: derivatives of the log-likelihood (plus log-prior) at the params.

Derivatives are taken numerically along the free directions of the params' space, with the plain model: they do not
depend on how the estimate was found. Steps are about :data:`STEP` standard errors long in every direction, so that
they neither drown in rounding nor leave the quadratic part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy import special

from emkit import tree
from emkit.engines import Workload
from emkit.space import spaces_of
from emkit.space.assignment import free_directions, infer_spaces

Params = TypeVar("Params")
Array = NDArray[np.float64]

#: Length of a difference step in standard errors. The truncation error after one Richardson step is of its fourth
#: power, and the rounding error of an objective of size 1e6 stays below 1e-6 of its change.
STEP = 0.05
#: Rounding of a second difference of the objective, relative to the objective.
NOISE = 2e-13
#: How often all steps are shortened to stay in the space together.
MAX_SHORTENINGS = 10
#: The smallest eigenvalue of the information, scaled to a unit diagonal, below which it counts as singular.
SINGULAR = 1e-9
#: An eigenvalue of the information, scaled to a unit diagonal, is negative beyond doubt below minus this.
SADDLE = 1e-4
#: What a Newton step may gain, in nats, where the gradient counts as zero: a hundredth of a standard error.
STATIONARY = 1e-4


@attrs.frozen(eq=False)
class Verification:
    """What derivatives say about params.

    Attributes
    ----------
    kind : str
        "maximum", "saddle" (some direction leads up), "not determined" (some direction leads nowhere) or
        "not stationary".
    gap : float
        What one Newton step would gain, in nats.
    smallest_eigenvalue : float
        Of the observed information, scaled to a unit diagonal; negative at a saddle.
    n_on_bound : int
        Free directions left out because they touch an entry on a bound.
    """

    kind: str
    gap: float
    smallest_eigenvalue: float
    n_on_bound: int


class _Objective:
    """Log-likelihood plus log-prior as a function of a displacement along free directions."""

    def __init__(self, model: Any, params: Any, data: Any) -> None:
        self._model, self._params = model, params
        self._workload = Workload.of(model, data)
        self._prior: Callable[[Any], float] = getattr(model, "log_prior", lambda _: 0.0)
        self._spaces = infer_spaces(spaces_of(model, params), params, self._em_step)
        self._parts = [(path, np.asarray(leaf, dtype=np.float64)) for path, leaf in tree.leaves(params)]
        directions, on_bound = free_directions(self._spaces, params)
        self.directions = directions[~on_bound]
        self.n_on_bound = int(on_bound.sum())
        self.center = self(np.zeros(len(self.directions)))

    def __call__(self, coefficients: Array) -> float:
        params = self.displaced(coefficients)
        if params is None:
            return float("-inf")
        return float(self._workload.e_step(params).log_likelihood) + float(self._prior(params))

    def _em_step(self, params: Any) -> Any:
        return self._model.m_step(params, self._workload.e_step(params).statistics)

    def displaced(self, coefficients: Array) -> Any | None:
        """Return the params displaced along the directions, or None where that leaves their space."""
        shift = coefficients @ self.directions
        values: dict[tree.Path, Any] = {}
        offset = 0
        for path, value in self._parts:
            part = value + shift[offset : offset + value.size].reshape(value.shape)
            offset += value.size
            if not np.array_equal(part, value):
                if not self._spaces[path].allows(part, value):
                    return None
                values[path] = part if value.ndim else float(part)
        return tree.replace_leaves(self._params, values)

    def entries_on_bound(self) -> NDArray[np.bool_]:
        """Return which entries of all fields lie on a bound."""
        return np.concatenate([self._spaces[path].on_bound(value).ravel() for path, value in self._parts])

    def step_lengths(self) -> Array:
        """Return, per direction, the displacement that costs about ``STEP**2 / 2`` nats."""
        typical = np.abs(self.directions) @ np.concatenate([self._typical(p, v) for p, v in self._parts])
        lengths = np.empty(len(self.directions))
        for i, size in enumerate(typical):
            lengths[i] = self._step_length(i, 1e-3 * (size or 1.0))
        return lengths

    def _typical(self, path: tree.Path, value: Array) -> Array:
        scale = np.broadcast_to(self._spaces[path].typical(value), value.shape).ravel()
        return np.where(scale > 0, scale, 1.0)

    def _step_length(self, index: int, length: float) -> float:
        wanted = STEP**2 / 2
        unit = np.zeros(len(self.directions))
        longest = float("inf")
        for _ in range(40):
            unit[index] = length
            second = 2 * self.center - self(unit) - self(-unit)
            if not np.isfinite(second):
                longest, length = length / 4, length / 4
                continue
            ratio = np.sqrt(wanted / (max(abs(second), 1e-300) / 2))
            # A direction of which the data say nothing costs nothing up to the edge of the space.
            if 0.5 <= ratio <= 2 or length >= longest < ratio * length:
                break
            length = min(length * float(np.clip(ratio, 0.1, 10.0)), longest)
        return length


def _hessian_at(objective: _Objective, lengths: Array) -> Array:
    n = len(lengths)
    steps = np.diag(lengths)
    plus = [objective(step) for step in steps]
    minus = [objective(-step) for step in steps]
    second: Array = np.empty((n, n))
    for i in range(n):
        second[i, i] = plus[i] - 2 * objective.center + minus[i]
        for j in range(i):
            both = objective(steps[i] + steps[j]) + objective(-steps[i] - steps[j])
            mixed = (both - plus[i] - plus[j] - minus[i] - minus[j] + 2 * objective.center) / 2
            second[i, j] = second[j, i] = mixed
    return np.asarray(second / np.outer(lengths, lengths))


def _differentiate(objective: _Objective) -> tuple[Array, Array]:
    """Return gradient and observed information (minus the Hessian) along the free directions."""
    lengths = objective.step_lengths()
    coarse = _hessian_at(objective, lengths)
    for _ in range(MAX_SHORTENINGS):
        if np.isfinite(coarse).all():
            break
        # Two steps that stay in the space, taken together, may leave it.
        lengths = lengths / 4
        coarse = _hessian_at(objective, lengths)
    information: Array = -(4 * _hessian_at(objective, lengths / 2) - coarse) / 3
    # A curvature that is all rounding is none: its sign would call a flat direction a saddle.
    noise = NOISE * (1 + abs(objective.center)) / np.outer(lengths, lengths)
    information[np.abs(information) <= noise] = 0.0
    half = lengths / 2
    slopes = [(objective(step) - objective(-step)) / step.sum() / 2 for step in np.diag(half)]
    return np.array(slopes, dtype=np.float64), information


def _with_unit_diagonal(information: Array) -> tuple[Array, Array]:
    """Return information scaled to a unit diagonal (zero where there is none), and the scale."""
    scale = np.sqrt(np.abs(np.diag(information)))
    scale = np.where(scale > 0, scale, 1.0)
    return information / np.outer(scale, scale), scale


def observed_information(model: Any, params: Any, data: Any) -> tuple[Array, Array]:
    """Return minus the Hessian of the objective, and the directions it is taken along.

    Returns
    -------
    information : (n_free, n_free)
    directions : (n_free, n_entries)
        Free directions of the params' space that touch no entry on a bound, over the entries of all fields.
    """
    objective = _Objective(model, params, data)
    return _differentiate(objective)[1], objective.directions


def covariance(model: Any, params: Any, data: Any) -> Array:
    """Return the covariance matrix of all entries of the params.

    With directions D (rows) and the observed information I along them, computes ``D' I^-1 D``: entries that are
    fixed get zero, entries on a bound NaN on the diagonal.

    Raises
    ------
    ValueError
        If the information is not positive definite: the params are no maximum, or not determined by the data.
    """
    objective = _Objective(model, params, data)
    information, directions = _differentiate(objective)[1], objective.directions
    standard, scale = _with_unit_diagonal(information)
    if len(scale):
        if not np.isfinite(standard).all() or np.linalg.eigvalsh(standard)[0] <= SINGULAR:
            msg = (
                "The observed information is not positive definite, so there are no standard errors: the data do not "
                "determine all params (equal components, say), or the params are not a maximum. See "
                "result.verify(data), and fit fewer parameters or to a smaller tol."
            )
            raise ValueError(msg)
        variance = np.linalg.inv(standard) / np.outer(scale, scale)
    else:
        variance = np.zeros((0, 0))
    full: Array = directions.T @ variance @ directions
    bound = objective.entries_on_bound()
    full[bound, bound] = np.nan
    return full


def _shaped_like(params: Params, entries: Array) -> Params:
    values: dict[tree.Path, Any] = {}
    offset = 0
    for path, leaf in tree.leaves(params):
        size, shape = np.size(leaf), np.shape(leaf)
        part = entries[offset : offset + size].reshape(shape)
        values[path] = part if shape else float(part)
        offset += size
    return tree.replace_leaves(params, values)


def standard_errors(model: Any, params: Params, data: Any) -> Params:
    """Return the standard error of every entry, in the shape of the params; NaN where it lies on a bound."""
    return _shaped_like(params, np.sqrt(np.diag(covariance(model, params, data))))


def confidence_intervals(model: Any, params: Params, data: Any, level: float = 0.95) -> tuple[Params, Params]:
    """Return ``params -/+ z * standard_errors`` with z the normal quantile of the level."""
    if not 0 < level < 1:
        msg = f"level must lie between 0 and 1; it is {level!r}."
        raise ValueError(msg)
    width = special.ndtri((1 + level) / 2)
    values = np.concatenate([np.ravel(np.asarray(leaf, dtype=np.float64)) for _, leaf in tree.leaves(params)])
    half = width * np.sqrt(np.diag(covariance(model, params, data)))
    return _shaped_like(params, values - half), _shaped_like(params, values + half)


def verify(model: Any, params: Any, data: Any) -> Verification:
    """Return whether params are a local maximum, judged by gradient and observed information."""
    objective = _Objective(model, params, data)
    gradient, information = _differentiate(objective)
    standard, scale = _with_unit_diagonal(information)
    eigenvalues, vectors = np.linalg.eigh(standard)
    slopes = vectors.T @ (gradient / scale)
    gap = float(np.sum(slopes**2 / np.maximum(np.abs(eigenvalues), 1e-12)) / 2)
    smallest = float(eigenvalues[0]) if len(eigenvalues) else float("inf")
    return Verification(_kind(smallest, gap), gap, smallest, objective.n_on_bound)


def _kind(smallest: float, gap: float) -> str:
    if smallest < -SADDLE:
        return "saddle"
    if gap >= STATIONARY:
        return "not stationary"
    return "maximum" if smallest > SINGULAR else "not determined"
