"""New data of the same size: rows drawn again, or drawn from the estimate."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator

from emkit import tree
from emkit.engines.leaves import leaf_size
from emkit.errors import MissingCapabilityError
from emkit.model import offers, require


def check_can_resample(model: object, data: Any, kind: str, n_observations: float | None) -> None:
    """Raise unless a model can give the new data that a kind of bootstrap needs."""
    if kind == "parametric":
        if offers(model, "simulate"):
            return
        require(model, "sample")
        if n_observations is None or n_observations != round(n_observations):
            msg = (
                f"The parametric bootstrap simulates as many observations as there are, and the E-step reports "
                f"{n_observations}: return emkit.EStep(statistics, log_likelihood, n_observations), or define "
                "simulate(params, data, rng) -> data."
            )
            raise ValueError(msg)
    elif kind == "nonparametric":
        if not offers(model, "resample") and leaf_size(model, data) is None:
            msg = (
                f"{type(model).__name__} does not say that rows are independent, so they are not drawn again: set "
                "leaf_rows, or leaf_sequences and give a list of sequences, or define resample(data, rng) -> data."
            )
            raise MissingCapabilityError(msg)
        if not offers(model, "resample") and not isinstance(data, list):
            _common_length(data)
    else:
        msg = f'kind must be "parametric" or "nonparametric"; it is {kind!r}.'
        raise ValueError(msg)


def new_data(model: Any, params: Any, data: Any, kind: str, *, n_observations: float | None, rng: Generator) -> Any:
    """Return data of one replicate."""
    if kind == "parametric":
        if offers(model, "simulate"):
            return model.simulate(params, data, rng)
        return model.sample(params, round(n_observations or 0), rng)
    if offers(model, "resample"):
        return model.resample(data, rng)
    return resample_rows(data, rng)


def resample_rows(data: Any, rng: Generator) -> Any:
    """Return rows drawn with replacement: of a list its members, of a tree the rows of all its arrays together.

    Weights travel with their rows. A table of values and counts is drawn row by row as well, which is right only
    where the row is what was sampled; otherwise the model must define ``resample``.
    """
    if isinstance(data, list):
        return [data[i] for i in rng.integers(len(data), size=len(data))]
    length = _common_length(data)
    return _rows(data, rng.integers(length, size=length))


def _common_length(data: Any) -> int:
    """Return how many rows all arrays of a tree have."""
    lengths = {len(leaf) for leaf in _arrays(data) if leaf.ndim}
    if not lengths:
        msg = (
            f"Rows are drawn again from arrays, and {type(data).__name__} holds none that emkit knows of. Give arrays "
            "(of a data frame its to_numpy()), or define resample(data, rng) on the model."
        )
        raise ValueError(msg)
    if len(lengths) != 1:
        msg = (
            f"Only arrays that share their first axis can be drawn again by rows; these have lengths "
            f"{sorted(lengths)}. Define resample(data, rng) on the model."
        )
        raise ValueError(msg)
    (length,) = lengths
    return length


def _arrays(data: Any) -> list[Any]:
    if isinstance(data, np.ndarray):
        return [data]
    return [leaf for _, child in tree.children(data) for leaf in _arrays(child)]


def _rows(data: Any, index: Any) -> Any:
    if isinstance(data, np.ndarray):
        return data[index] if data.ndim else data
    parts = tree.children(data)
    return tree.rebuild(data, [_rows(child, index) for _, child in parts]) if parts else data
