"""What the laws of families are tried on: rows, shares, and params fitted to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import tree
from emkit.errors import InvalidParamsError, MissingCapabilityError
from emkit.families import Family
from emkit.space import spaces_of
from emkit.space.assignment import check_params, free_directions
from emkit.testing.laws import vars_of

Array = NDArray[np.float64]
#: At most this many directions of the params are tried, drawn at random where there are more.
MAX_DIRECTIONS = 60
#: A fit in several steps (generalised EM) has arrived when a step gains less than this many nats.
ARRIVED = 1e-11
MAX_STEPS = 2000
SEED = 20260101


def take(prepared: Any, rows: NDArray[Any]) -> Any:
    """Return some prepared rows; data that are no plain array say themselves how they are cut."""
    return prepared[rows] if isinstance(prepared, np.ndarray) else prepared.take(rows)


@attrs.frozen(eq=False)
class FamilyCase:
    """A family and rows to try it on.

    Attributes
    ----------
    family : Family
    raw : (n_rows, n_features)
        As given, gaps included.
    lengths : (n_sequences,) or None
    x
        The prepared rows without those that miss.
    n_components : int
    """

    family: Family[Any]
    raw: Array
    lengths: NDArray[np.intp] | None
    x: Any
    n_components: int

    @classmethod
    def of(cls, family: Family[Any], x: Any, n_components: int, lengths: Any) -> FamilyCase:
        """Return the case with its rows prepared and the missing ones taken out."""
        raw = np.array(x, dtype=np.float64)
        lengths = None if lengths is None else np.asarray(lengths, dtype=np.intp)
        prepared = family.prepare(raw.copy(), lengths)
        gaps = np.isnan(raw)
        missing = gaps.all(axis=1) if family.accepts_nan else gaps.any(axis=1)
        missing = missing | getattr(prepared, "missing", False)
        rows = take(prepared, np.flatnonzero(~missing)) if missing.any() else prepared
        return cls(family, raw, lengths, rows, n_components)

    def rng(self) -> np.random.Generator:
        """Return a generator, the same at every call."""
        return np.random.default_rng(SEED)

    def shares(self, seed: int = 0, n_components: int | None = None) -> Array:
        """Return random responsibilities (n_samples, n_components) whose rows sum to one."""
        rng = np.random.default_rng([SEED, seed])
        return rng.dirichlet(np.full(n_components or self.n_components, 0.5), size=len(self.x))

    def log_likelihood(self, params: Any, shares: Array, x: Any = None) -> float:
        """Return ``sum_nk shares[n, k] * log_density[n, k]``; no share of an impossible row counts nothing."""
        density = self.family.log_density(params, self.x if x is None else x)
        return float(np.where(shares > 0, shares * np.where(shares > 0, density, 0.0), 0.0).sum())

    def objective(self, params: Any, shares: Array) -> float:
        """Return what a fit maximises."""
        return self.log_likelihood(params, shares) + float(self.family.log_prior(params))

    def rounding(self, params: Any, shares: Array) -> float:
        """Return by how much rounding may move the objective."""
        density = self.family.log_density(params, self.x)
        size = np.abs(np.where(shares > 0, shares * np.where(shares > 0, density, 0.0), 0.0)).sum()
        return 1e-12 * float(1 + size + abs(self.family.log_prior(params)))

    def step(self, params: Any, shares: Array) -> Any:
        """Return the params after one M-step."""
        return self.family.m_step(params, self.family.statistics(params, self.x, shares))

    def arrive(self, shares: Array) -> Any:
        """Return the params after a fit, repeated until it gains nothing more."""
        params = self.family.fitted(self.x, shares)
        value = self.objective(params, shares)
        for _ in range(MAX_STEPS):
            following = self.family.fitted(self.x, shares, params)
            after = self.objective(following, shares)
            params, gain, value = following, after - value, after
            if gain < ARRIVED + self.rounding(params, shares):
                break
        return params


def replace(params: Any, vector: Array) -> Any:
    """Return params with the entries of ``vector``, in the order of the leaves."""
    values: dict[tree.Path, Any] = {}
    start = 0
    for path, leaf in tree.leaves(params):
        size = np.size(leaf)
        values[path] = vector[start : start + size].reshape(np.shape(leaf))
        start += size
    return tree.replace_leaves(params, values)


def entries(params: Any) -> Array:
    """Return all entries of some params in one vector."""
    return np.concatenate([np.ravel(np.asarray(leaf, dtype=np.float64)) for _, leaf in tree.leaves(params)])


def directions(case: FamilyCase, params: Any) -> Array:
    """Return free directions of the params (n_directions, n_entries), each as long as its entries are large."""
    spaces = spaces_of(case.family, params)
    free, _ = free_directions(spaces, params)
    sizes = []
    for path, leaf in tree.leaves(params):
        value = np.asarray(leaf, dtype=np.float64)
        sizes.append(np.broadcast_to(spaces[path].typical(value), value.shape).ravel())
    size = (np.abs(free) * np.concatenate(sizes)).max(axis=1, initial=0.0)
    if len(free) > MAX_DIRECTIONS:
        chosen = np.sort(case.rng().choice(len(free), MAX_DIRECTIONS, replace=False))
        free, size = free[chosen], size[chosen]
    return np.asarray(free * np.where(size > 0, size, 1.0)[:, None])


def is_feasible(family: Family[Any], params: Any) -> bool:
    """Return whether every field lies in its space."""
    try:
        check_params(family, params)
    except InvalidParamsError:
        return False
    return True


def content(x: Any) -> Any:
    """Return what prepared rows hold, as a tree."""
    return x if isinstance(x, np.ndarray) else vars_of(x)


def offered(call: Callable[[], Any]) -> tuple[Any, bool]:
    """Return what a call gives, and whether the family offers it at all."""
    try:
        return call(), True
    except MissingCapabilityError:
        return None, False


def largest(params: Any, direction: Array) -> str:
    """Return the name of the entry that a direction moves most."""
    position = int(np.abs(direction).argmax())
    for path, leaf in tree.leaves(params):
        if position < np.size(leaf):
            index = ", ".join(str(int(i)) for i in np.unravel_index(position, np.shape(leaf)))
            return f"{tree.path_name(path)}[{index}]" if index else tree.path_name(path)
        position -= np.size(leaf)
    raise AssertionError
