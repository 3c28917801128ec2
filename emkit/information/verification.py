"""A second look at an estimate: what derivatives and bounds say about where EM has stopped."""

from __future__ import annotations

from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit.information.axes import with_unit_diagonal
from emkit.information.observed import ObservedInformation, measure
from emkit.information.rate import largest_rate
from emkit.information.surface import Surface
from emkit.information.variance import singular_below

Array = NDArray[np.float64]

#: An eigenvalue of the information, scaled to a unit diagonal, is negative beyond doubt below minus this, if the
#: information is not known less exactly.
SADDLE = 1e-4
#: What a Newton step may gain, in nats, where the gradient counts as zero: a hundredth of a standard error.
STATIONARY = 1e-4
#: The smallest curvature along an axis of the scaled information that a Newton step divides by, and the shares of such
#: a step that are tried.
SMALLEST = 1e-12
NEWTON_LENGTHS = tuple(2.0**-k for k in range(12))
#: A rate above 1 by less is that of a flat direction, and rounding.
NEARLY = 1e-6
#: Displacements from a saddle that are tried, in units of the standard error of a single direction.
DISPLACEMENTS = tuple(2.0**-k for k in range(-1, 12))


@attrs.frozen(eq=False)
class Bound:
    """An entry on the edge of its space.

    Attributes
    ----------
    name : str
        Of the entry.
    slope : float
        Nats for each unit of moving inside: minus the multiplier of the bound.
    gain : float
        What moving inside gains, in nats, as far as was tried; negative where the bound holds the estimate.
    """

    name: str
    slope: float
    gain: float

    @property
    def holds(self) -> bool:
        """Whether the objective falls inside, so that the estimate belongs on the bound (Karush, Kuhn, Tucker)."""
        return self.gain < STATIONARY


@attrs.frozen(eq=False)
class Verification:
    """What derivatives say about params.

    Attributes
    ----------
    kind : str
        "maximum", "saddle" (some direction leads up), "not determined" (some direction leads nowhere) or
        "not stationary" (on the way, or stuck on a bound).
    gap : float
        What one Newton step would gain, in nats.
    score_norm : float
        Distance to the optimum in standard errors, ``sqrt(2 * gap)``.
    smallest_eigenvalue : float
        Of the observed information, scaled to a unit diagonal; negative at a saddle.
    rate : float
        Largest eigenvalue of the Jacobian of the EM map: the factor by which EM shrinks the error in one step. Above
        1 at a saddle. NaN where it could not be found.
    bounds : tuple of Bound
        Entries on a bound, which the derivatives leave out.
    silent : tuple of str
        Names of the entries of which the data say nothing, as those of a component without rows.
    uphill : tuple of Params
        Params from which :func:`emkit.fit` leaves a saddle, or a bound on which EM is stuck. Empty otherwise.
    method : str
        How the information was found.
    n_e_steps : int
        Passes over the data it took.
    """

    kind: str
    gap: float
    score_norm: float
    smallest_eigenvalue: float
    rate: float
    bounds: tuple[Bound, ...]
    silent: tuple[str, ...]
    uphill: tuple[Any, ...]
    method: str
    n_e_steps: int

    @property
    def n_on_bound(self) -> int:
        """Free directions left out because they touch an entry on a bound."""
        return len(self.bounds)

    @property
    def active_bounds(self) -> tuple[str, ...]:
        """Names of the entries on a bound."""
        return tuple(bound.name for bound in self.bounds)

    def __str__(self) -> str:
        return "\n".join(_sentences(self))


def _sentences(found: Verification) -> list[str]:
    stuck = [bound for bound in found.bounds if not bound.holds]
    on = _names(found.active_bounds)
    headline = {
        "maximum": f"A maximum on a bound: the objective falls inside of {on}." if on else "A local maximum.",
        "saddle": "A saddle: EM stands still, but the objective rises to both sides. Fit again from `uphill[0]`.",
        "not determined": _undetermined(found.silent),
        "not stationary": f"Not a maximum: a Newton step would still gain {found.gap:.3g} nats.",
    }[found.kind]
    if stuck and found.kind == "not stationary":
        headline = (
            f"Stuck on a bound: the objective rises inside of {_names(tuple(b.name for b in stuck))}, by "
            f"{max(b.gain for b in stuck):.3g} nats or more, but EM cannot leave. Fit again from `uphill[0]`."
        )
    sentences = [headline, f"Distance to the optimum: {found.score_norm:.2g} standard errors."]
    if np.isfinite(found.smallest_eigenvalue):
        sentences.append(f"Smallest eigenvalue of the scaled information: {found.smallest_eigenvalue:.3g}.")
    if np.isfinite(found.rate):
        sentences.append(f"Rate of EM: {found.rate:.6g}{', away from here' if found.rate > 1 + NEARLY else ''}.")
    return sentences


def _undetermined(silent: tuple[str, ...]) -> str:
    if silent:
        return f"Not determined: the data say nothing of {_names(silent)}."
    return "Not determined: some direction changes nothing, as where two components are equal."


def _names(names: tuple[str, ...], shown: int = 5) -> str:
    rest = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + rest


def verify(model: Any, params: Any, data: Any, method: str = "auto") -> Verification:
    """Return whether params are a local maximum: gradient, curvature, the rate of EM, and every active bound.

    With p free parameters it takes 2 p E-steps for the information by an exact score, about 4 p + 4 p**2 without one
    (:func:`observed_information`), then 2 p for the rate (fewer than 100 in all where p is above 30), and one to 14
    for each entry on a bound.
    """
    surface = Surface(model, params, data)
    information = measure(surface, method)
    standard, scale = with_unit_diagonal(information.matrix)
    eigenvalues, vectors = np.linalg.eigh(standard)
    slopes = vectors.T @ (information.gradient / scale)
    curvatures = np.maximum(np.abs(eigenvalues), SMALLEST)
    gap = float(np.sum(slopes**2 / curvatures) / 2)
    if gap >= STATIONARY:
        gap = min(gap, _climbed(surface, vectors @ (slopes / curvatures) / scale))
    smallest = float(eigenvalues[0]) if len(eigenvalues) else float("inf")
    if information.silent:
        smallest = min(smallest, 0.0)
    bounds, inward = _bounds(surface)
    kind = _kind(information, smallest, gap, bounds)
    uphill: tuple[Any, ...] = ()
    if kind == "saddle":
        uphill = _both_ways(surface, (vectors[:, 0] / scale) @ surface.directions)
    elif inward:
        uphill = inward
    return Verification(
        kind=kind,
        gap=gap,
        score_norm=float(np.sqrt(2 * gap)),
        smallest_eigenvalue=smallest,
        rate=_rate(surface, information.matrix),
        bounds=tuple(bounds),
        silent=information.silent,
        uphill=uphill,
        method=information.method,
        n_e_steps=surface.n_e_steps,
    )


def _climbed(surface: Surface, newton: Array) -> float:
    """Return what the objective gains along a Newton step (n_free,), in nats, at the best of several lengths, or by EM.

    Next to a bound where curvature changes fast, as that of a variance on its way to zero, the quadratic promises far
    more than there is. Parts of the step that leave the space alone are cut at its edge, so as not to hold the others.
    """
    parts = newton[:, None] * surface.directions
    inside = np.sum([surface.room(part) * part for part in parts], axis=0)
    gains = (surface.objective(length * inside) - surface.center for length in NEWTON_LENGTHS)
    return max(0.0, surface.em_gain(), *gains)


def _kind(information: ObservedInformation, smallest: float, gap: float, bounds: list[Bound]) -> str:
    unknown = singular_below(information)
    if gap >= STATIONARY:
        return "not stationary"
    if smallest < -max(SADDLE, unknown):
        return "saddle"
    if not all(bound.holds for bound in bounds):
        return "not stationary"
    return "maximum" if smallest > unknown else "not determined"


def _rate(surface: Surface, information: Array) -> float:
    diagonal = np.abs(np.diag(information))
    units = np.where(diagonal > 0, 1 / np.sqrt(np.where(diagonal > 0, diagonal, 1.0)), 0.0)
    try:
        return largest_rate(surface, units)
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):
        # A model may refuse a point beside the estimate; the rate is then unknown, the rest is not.
        return float("nan")


def _both_ways(surface: Surface, direction: Array) -> tuple[Any, ...]:
    """Return the params displaced to both sides as far as the objective rises, the higher one first."""
    found = []
    for sign in (1.0, -1.0):
        rises = [(surface.objective(sign * t * direction), sign * t) for t in DISPLACEMENTS]
        height, length = max(rises)
        if height > surface.center + surface.noise:
            found.append((height, surface.at(length * direction)))
    return tuple(params for _, params in sorted(found, key=lambda pair: -pair[0]))


def _bounds(surface: Surface) -> tuple[list[Bound], tuple[Any, ...]]:
    """Return every entry on a bound with what moving inside gains, and the params moved inside where that is much."""
    names, on_bound = surface.entry_names(), surface.entries_on_bound()
    bounds, inward = [], []
    for direction, size in zip(surface.bound_directions, surface.typical(surface.bound_directions), strict=True):
        entry = int(np.flatnonzero((direction != 0) & on_bound)[0])
        slope, gain, shift = surface.inside(direction, float(size))
        bounds.append(Bound(names[entry], slope, gain))
        if not bounds[-1].holds:
            inward.append((gain, shift))
    shifts = [shift for _, shift in sorted(inward, key=lambda pair: -pair[0])]
    if len(shifts) > 1:
        # All of them at once: an entry that stays on its bound would hold the next fit up as well.
        shifts.insert(0, np.mean(shifts, axis=0))
    places = (surface.at(shift) for shift in shifts if np.isfinite(surface.objective(shift)))
    return bounds, tuple(place for place in places if place is not None)
