"""Rows and paths: drawn from a model, in the long run, and what to say of those that cannot be."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import as_matrix, whole_number
from emkit.errors import EmkitWarning
from emkit.families import Bernoulli, Categorical, Family, Mixture, Multinomial, NegativeBinomial, Poisson, Product
from emkit_hmm.chains.base import Expansion, sample_path
from emkit_hmm.chains.stationary import stationary_distribution
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams

Array = NDArray[np.float64]
Integers = NDArray[np.intp]

#: Families of whole numbers.
WHOLE = (Bernoulli, Categorical, Multinomial, NegativeBinomial, Poisson)


def drawn(
    model: HiddenMarkovModel,
    params: HiddenMarkovParams,
    n_samples: Any,
    rng: np.random.Generator,
    *,
    currstate: Any = None,
    covariates: Any = None,
) -> tuple[Array, Integers]:
    """Return rows (n_samples, n_features) and states (n_samples,) of one sequence, that starts in a state if given.

    Parameters
    ----------
    n_samples : int, optional
        As many as covariates have rows by default, one where there are none.
    currstate : int, optional
    covariates : (n_samples, n_covariates), optional
    """
    along = _along(model, n_samples, covariates)
    n_steps = whole_number(1 if n_samples is None else n_samples, "n_samples") if along is None else len(along)
    if currstate is None:
        states = model.chain.sample(params.chain, n_steps, rng, along)
    else:
        states = _path_from(model.chain.expanded(params.chain, along), model.n_states, currstate, n_steps, rng)
    return model.emission.sample(params.emission, model.ties.components(states), rng), states


def has_whole_rows(family: Family[Any]) -> bool:
    """Return whether rows are counts or symbols: whole numbers in every column."""
    if isinstance(family, Mixture):
        return has_whole_rows(family.family)
    if isinstance(family, Product):
        return all(has_whole_rows(part) for _, part in family.parts)
    return isinstance(family, WHOLE)


def warn_of_impossible(log_probabilities: Array, name: str) -> None:
    """Warn if the logarithm of the probability of a sequence, (n_sequences,), is minus infinity.

    ``name`` is that of the face, which is two calls away from its user.
    """
    impossible = np.flatnonzero(log_probabilities == -np.inf)
    if impossible.size:
        more = f" (and {impossible.size - 1} more)" if impossible.size > 1 else ""
        text = (
            f"{name}: sequence {impossible[0]}{more} is impossible: no path of states can have such rows, so what is "
            "said of its states means nothing."
        )
        warnings.warn(text, EmkitWarning, stacklevel=3)


def long_run(model: HiddenMarkovModel, params: HiddenMarkovParams, covariates: Any = None) -> Array:
    """Return the share of time that a path spends in each state in the long run, (n_states,).

    Parameters
    ----------
    covariates : (n_covariates,), optional
        Of every step, where transitions depend on any.
    """
    every = None if covariates is None else np.atleast_2d(np.asarray(covariates, dtype=np.float64))
    if model.chain.needs_covariates and (every is None or len(every) != 1):
        msg = (
            "Transitions depend on covariates, and with them where the states are in the long run: give the covariates "
            "of every step, of shape (n_covariates,)."
        )
        raise ValueError(msg)
    expansion = model.chain.expanded(params.chain, every)
    transmat = expansion.transmat if expansion.transmat.ndim == 2 else expansion.transmat[0]
    shares = stationary_distribution(transmat)
    return np.asarray(np.bincount(expansion.state_of, shares, minlength=model.n_states), dtype=np.float64)


def _along(model: HiddenMarkovModel, n_samples: Any, covariates: Any) -> Array | None:
    """Return the covariates of every step, None where transitions depend on none."""
    if not model.chain.needs_covariates:
        return None
    if covariates is None:
        msg = "Transitions depend on covariates: give those of every step, sample(covariates=...)."
        raise ValueError(msg)
    matrix = as_matrix(covariates, name="covariates")
    if n_samples is not None and n_samples != len(matrix):
        msg = f"covariates need one row for each of the n_samples={n_samples} steps; found {len(matrix)}."
        raise ValueError(msg)
    return matrix


def _path_from(expansion: Expansion, n_states: int, state: Any, n_steps: int, rng: np.random.Generator) -> Integers:
    """Return states of a path that starts in ``state``."""
    if state not in range(n_states):
        msg = f"currstate must be one of the states 0 to {n_states - 1}; it is {state!r}."
        raise ValueError(msg)
    mine = expansion.state_of == state
    start = np.where(mine, expansion.startprob, 0.0)
    if not start.sum() > 0:
        # A state in which no sequence starts may be asked for all the same: where others lead into it.
        transmat = expansion.transmat if expansion.transmat.ndim == 2 else expansion.transmat[-1]
        into = np.where(mine, transmat[~mine].sum(axis=0), 0.0)
        start = into if into.sum() > 0 else mine.astype(np.float64)
    return expansion.state_of[sample_path(start, expansion.transmat, n_steps, rng)]
