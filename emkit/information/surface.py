"""The objective around an estimate, as a function of a displacement along the free directions of its space."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.engines import Workload
from emkit.errors import MissingCapabilityError
from emkit.information.entries import flat, shifted
from emkit.information.score import offers_score, prior_slopes, score_of_data
from emkit.model import EStep, offers
from emkit.space import spaces_of
from emkit.space.assignment import check_params, free_directions, infer_spaces

Array = NDArray[np.float64]

#: Displacements from a bound that are tried, relative to the size of the entry.
INWARD = tuple(10.0**k for k in range(-7, 0))
#: An entry as close to its bound as this, relative to its size, may be on the way there.
NEAR = 1e-5
#: Of a shift that leaves the space these shares are tried.
SHARES = tuple(2.0**-k for k in range(41))
#: Gain in nats that nobody misses.
NEGLIGIBLE = 1e-4
#: Rounding of an objective, relative to its size.
ROUNDING = 1e-13


class Surface:
    """What can be asked of a model at points ``params + coefficients @ directions``.

    Attributes
    ----------
    directions : (n_free, n_entries)
        Free directions that touch no entry on a bound, or on its way there, over the entries of all fields in the
        order of :func:`emkit.tree.leaves`.
    bound_directions : (n_bound, n_entries)
        The others.
    silent_directions : (n_silent, n_entries)
        Free directions that were left out, since nothing changes along them.
    n_e_steps : int
        Passes over the data so far.

    Raises
    ------
    InvalidParamsError
        If the params lie outside their space.
    ValueError
        If the objective there is not finite.
    """

    def __init__(self, model: Any, params: Any, data: Any) -> None:
        if not callable(getattr(model, "e_step", None)):
            msg = (
                f"{type(model).__name__} has no `e_step(params, data)`, so nothing can be said about its "
                "log-likelihood: a model that only draws its latent variables gives estimates alone."
            )
            raise MissingCapabilityError(msg)
        check_params(model, params)
        self.model, self.params = model, params
        self.n_e_steps = 0
        self.has_score = offers_score(model)
        self._workload = data if isinstance(data, Workload) else Workload.of(model, data)
        self._has_prior = offers(model, "log_prior")
        self.spaces = infer_spaces(spaces_of(model, params), params, self._em_step)
        self._parts = [(path, np.asarray(leaf, dtype=np.float64)) for path, leaf in tree.leaves(params)]
        self.center_step = self.e_step(params)
        self.center = self._value(self.center_step, params)
        if not np.isfinite(self.center):
            msg = (
                f"The objective of {type(model).__name__} is {self.center} with these data at these params, so it has "
                "no derivatives there. Give the data and the params of a fit that ended well."
            )
            raise ValueError(msg)
        self.noise = ROUNDING * (1 + abs(self.center))
        directions, on_bound = free_directions(self.spaces, params)
        self._on_bound = np.concatenate([self.spaces[path].on_bound(value).ravel() for path, value in self._parts])
        for index in np.flatnonzero(~on_bound):
            on_bound[index] = self._approaches_a_bound(directions[index])
        self.directions = directions[~on_bound]
        self.bound_directions = directions[on_bound]
        self.silent_directions = directions[:0]

    @property
    def workload(self) -> Workload:
        """The data, cut and prepared."""
        return self._workload

    def turn(self, directions: Array) -> None:
        """Take other directions that span the same, (n_free, n_entries)."""
        self.directions = directions
        self.__dict__.pop("_to_free", None)

    def leave_out(self, silent: NDArray[np.bool_]) -> None:
        """Count some of the free directions (n_free,) as silent from now on."""
        self.silent_directions = np.concatenate([self.silent_directions, self.directions[silent]])
        self.turn(self.directions[~silent])

    def e_step(self, params: Any) -> EStep[Any]:
        """Run one E-step and count it."""
        self.n_e_steps += 1
        return self._workload.e_step(params)

    def _em_step(self, params: Any) -> Any:
        return self.model.m_step(params, self.e_step(params).statistics)

    def _value(self, e_step: EStep[Any], params: Any) -> float:
        prior = float(self.model.log_prior(params)) if self._has_prior else 0.0
        return float(e_step.log_likelihood) + prior

    def at(self, shift: Array) -> Any | None:
        """Return the params with their entries shifted, or None where that leaves their space."""
        return shifted(self.params, shift, self.spaces)

    def objective(self, shift: Array) -> float:
        """Return log-likelihood plus log-prior at shifted entries; minus infinity outside the space."""
        if not shift.any():
            return self.center
        params = self.at(shift)
        return float("-inf") if params is None else self._value(self.e_step(params), params)

    def objective_at(self, params: Any) -> float:
        """Return log-likelihood plus log-prior at any params."""
        return self._value(self.e_step(params), params)

    def slopes(self, shift: Array) -> Array | None:
        """Return the exact gradient of the objective along the free directions at shifted entries."""
        params = self.at(shift)
        if params is None:
            return None
        e_step = self.e_step(params) if shift.any() else self.center_step
        gradient = score_of_data(self._workload, params, e_step)
        # An entry on a bound may have an infinite slope, and no direction here touches it.
        slopes: Array = prior_slopes(self.model, params, self.spaces, self.directions)
        slopes += self.directions @ np.where(self.directions.any(axis=0), gradient, 0.0)
        return slopes

    def em_gain(self) -> float:
        """Return what one EM step gains."""
        return self.objective_at(self.model.m_step(self.params, self.center_step.statistics)) - self.center

    def image(self, shift: Array) -> Array | None:
        """Return where plain EM takes shifted entries: ``EM(params + shift) - params`` along the free directions."""
        params = self.at(shift)
        if params is None:
            return None
        e_step = self.e_step(params) if shift.any() else self.center_step
        entries = flat(self.model.m_step(params, e_step.statistics)) - flat(self.params)
        return np.asarray(self._to_free @ entries)

    @functools.cached_property
    def _to_free(self) -> Array:
        return np.linalg.pinv(self.directions.T).astype(np.float64)

    def entries_on_bound(self) -> NDArray[np.bool_]:
        """Return which entries of all fields lie on a bound, or are on their way there."""
        return self._on_bound

    def silent_entries(self) -> NDArray[np.bool_]:
        """Return which entries of all fields the silent directions touch."""
        return np.asarray(self.silent_directions.any(axis=0))

    def _approaches_a_bound(self, direction: Array) -> bool:
        """Return whether EM, which only approaches a bound, is on its way along a direction, next to the bound.

        There is no room for differences, and a curvature at the foot of a slope says nothing.
        """
        size = float(self.typical(direction[None])[0])
        sides = self.open_sides(direction, size)
        if len(sides) != 1:
            return False
        slope, _, _ = self.inside(direction, size)
        approaches = -NEGLIGIBLE < slope * self.room(-sides[0] * NEAR * size * direction) * NEAR * size < 0
        if approaches:
            touched = np.flatnonzero(direction)
            # A simplex direction takes from the largest entry of the row, which is not the one near the bound.
            self._on_bound[touched[np.argmin(np.abs(flat(self.params)[touched]))]] = True
        return approaches

    def open_sides(self, direction: Array, size: float) -> list[float]:
        """Return to which sides a short step along a direction stays in the space."""
        return [sign for sign in (1.0, -1.0) if self.at(sign * NEAR * size * direction) is not None]

    def room(self, shift: Array) -> float:
        """Return which share of a shift stays in the space, to a factor of two; zero where none of `SHARES` does."""
        return next((share for share in SHARES if self.at(share * shift) is not None), 0.0)

    def inside(self, direction: Array, size: float) -> tuple[float, float, Array]:
        """Return slope and gain of moving from a bound into the space, and the best shift found; the steeper side."""
        nowhere: Array = np.zeros(direction.shape)
        found: list[tuple[float, float, Array]] = [(float("-inf"), float("-inf"), nowhere)]
        for sign in self.open_sides(direction, size):
            slope, gain = float("nan"), float("-inf")
            place = nowhere
            for length in INWARD:
                shift: Array = np.asarray(sign * length * size * direction)
                rise = self.objective(shift) - self.center
                if not np.isfinite(rise) or abs(rise) <= self.noise:
                    continue
                # The shortest step that shows more than rounding tells the sign; only a rise is worth following.
                slope = rise / (length * size) if np.isnan(slope) else slope
                if rise <= gain:
                    break
                gain, place = rise, shift
                if slope < 0:
                    break
            found.append((float("-inf") if np.isnan(slope) else slope, gain, place))
        return max(found, key=lambda side: side[:2])

    def entry_names(self) -> list[str]:
        """Return the names of all entries, as people write them."""
        names = []
        for path, value in self._parts:
            name = tree.path_name(path)
            names += [f"{name}[{', '.join(map(str, index))}]" if index else name for index in np.ndindex(value.shape)]
        return names

    def typical(self, directions: Array) -> Array:
        """Return the size of a typical displacement along each direction."""
        scales = []
        for path, value in self._parts:
            scale = np.broadcast_to(self.spaces[path].typical(value), value.shape).ravel()
            scales.append(np.where((scale > 0) & np.isfinite(scale), scale, 1.0))
        sizes = np.abs(directions) @ np.concatenate(scales)
        return np.where(sizes > 0, sizes, 1.0)
