"""Small random pushes that stay within the space of the params."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.space import Coordinates, Covariance, Simplex, Space, Undeclared
from emkit.space.assignment import Spaces

Array = NDArray[np.float64]

#: How often a push is halved to stay inside the space, before the field is left as it is.
MAX_HALVINGS = 30


class Push:
    """Moves params a little in a random direction, within their space."""

    def __init__(self, model: Any, spaces: Spaces, start: Any, later: Any, size: float) -> None:
        # Scales are those of the start: where components coincide at zero, their own size says nothing.
        self._coordinates = Coordinates.of(model, start, later)
        self._spaces = spaces
        self._size = size

    def __call__(self, params: Any, rng: np.random.Generator) -> Any:
        """Return params near ``params``."""
        x = self._coordinates.flatten(params)
        for entry in self._coordinates.entries:
            value = x[entry.place].reshape(entry.shape)
            noise = self._size * rng.standard_normal(entry.shape)
            scale = entry.scale.reshape(entry.shape)
            # Of a field that declares nothing its sign is all that can be kept.
            lower = 0.0 if isinstance(entry.space, Undeclared) and (value >= 0).all() else -np.inf
            x[entry.place] = _pushed(self._spaces[entry.path], value, noise, scale, lower).ravel()
        return self._coordinates.unflatten(x, like=params)


def _pushed(space: Space, value: Array, noise: Array, scale: Array, lower: float) -> Array:
    """Return a member of ``space`` near ``value``; equations hold by construction, bounds by halving."""
    for _ in range(MAX_HALVINGS):
        proposal = _moved(space, value, noise, scale)
        if (proposal >= lower).all() and space.allows(proposal, value):
            return proposal
        noise = noise / 2
    return value


def _moved(space: Space, value: Array, noise: Array, scale: Array) -> Array:
    moved: Array
    if isinstance(space, Simplex):
        moved = value * np.exp(noise)
        moved /= moved.sum(axis=-1, keepdims=True)
    elif isinstance(space, Covariance):
        # D S D is symmetric and positive definite as S is.
        stretch = np.exp(noise[..., 0])
        moved = value * (stretch[..., :, None] * stretch[..., None, :])
    else:
        moved = value + noise * scale
    return moved
