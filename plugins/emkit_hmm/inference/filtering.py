"""States as the rows come in: filtering, a fixed lag, and what follows the end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import whole_number
from emkit_hmm.chains.base import Expansion
from emkit_hmm.kernels.filtering import filter_states, predict_states
from emkit_hmm.kernels.lagged import smooth_with_lag
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams
from emkit_hmm.prepared import HiddenMarkovData, PreparedSequences

Array = NDArray[np.float64]


def filtered(model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData) -> Array:
    """Return ``P(z_t = k | x_0, ..., x_t)`` of every row, (n_samples, n_states): nothing of the future."""
    sequences = model.prepare(data)
    expansion = model.chain.expanded(params.chain, sequences.covariates)
    return merged(_filtered(model, params, sequences, expansion)[0], expansion, model.n_states)


def predicted(model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData) -> Array:
    """Return ``P(z_t = k | x_0, ..., x_{t-1})`` of every row, (n_samples, n_states)."""
    sequences = model.prepare(data)
    expansion = model.chain.expanded(params.chain, sequences.covariates)
    return merged(_filtered(model, params, sequences, expansion)[1], expansion, model.n_states)


def smoothed_with_lag(model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData, lag: int) -> Array:
    """Return ``P(z_t = k | x_0, ..., x_{t + lag})`` of every row (n_samples, n_states), or up to the end.

    A lag of 0 is filtering.
    """
    if lag == 0 and not isinstance(lag, bool):
        return filtered(model, params, data)
    lag = whole_number(lag, "lag")
    sequences = model.prepare(data)
    expansion = model.chain.expanded(params.chain, sequences.covariates)
    log_emission = model.log_emission(params, sequences)[:, expansion.state_of]
    layout = sequences.layout_for(len(expansion.startprob))
    found = smooth_with_lag(layout, expansion.startprob, expansion.transmat, log_emission, lag)
    return merged(found, expansion, model.n_states)


def predicted_states(
    model: HiddenMarkovModel,
    params: HiddenMarkovParams,
    data: HiddenMarkovData,
    steps: int = 1,
    covariates: Any = None,
) -> Array:
    """Return the probabilities of the states 1, ..., ``steps`` steps after the end of every sequence.

    Parameters
    ----------
    covariates : (n_sequences, steps, n_covariates), optional
        Of the steps to come, where transitions depend on any; (steps, n_covariates) of one sequence.

    Returns
    -------
    states : (n_sequences, steps, n_states)
    """
    sequences = model.prepare(data)
    steps = whole_number(steps, "steps")
    expansion = model.chain.expanded(params.chain, sequences.covariates)
    last = _filtered(model, params, sequences, expansion)[0][sequences.firsts + sequences.lengths - 1]
    if not model.chain.needs_covariates:
        return merged(predict_states(last, expansion.transmat, steps), expansion, model.n_states)
    matrices = model.chain.expanded(params.chain, _to_come(covariates, sequences, steps)).transmat
    matrices = matrices.reshape(len(last), steps, *matrices.shape[1:])
    ahead = np.empty((len(last), steps, last.shape[1]))
    for step in range(steps):
        last = np.einsum("sj,sjk->sk", last, matrices[:, step])
        ahead[:, step] = last
    return merged(ahead, expansion, model.n_states)


def predicted_means(
    model: HiddenMarkovModel,
    params: HiddenMarkovParams,
    data: HiddenMarkovData,
    steps: int = 1,
    covariates: Any = None,
) -> Array:
    """Return the expected observations 1, ..., ``steps`` steps after the end, (n_sequences, steps, n_features)."""
    means = model.ties.spread(model.emission.mean(params.emission).T).T
    return np.asarray(predicted_states(model, params, data, steps, covariates) @ means)


def merged(probabilities: Array, expansion: Expansion, n_states: int) -> Array:
    """Return probabilities of positions (..., n_positions) added up for each state."""
    if len(expansion.state_of) == n_states:
        return probabilities
    return np.asarray(probabilities @ np.eye(n_states)[expansion.state_of])


def _filtered(
    model: HiddenMarkovModel, params: HiddenMarkovParams, sequences: PreparedSequences, expansion: Expansion
) -> tuple[Array, Array]:
    """Return filtered and predicted probabilities of positions, (n_samples, n_positions) each."""
    log_emission = model.log_emission(params, sequences)[:, expansion.state_of]
    layout = sequences.layout_for(len(expansion.startprob))
    found = filter_states(layout, expansion.startprob, expansion.transmat, log_emission)
    return found.filtered, found.predicted


def _to_come(covariates: Any, sequences: PreparedSequences, steps: int) -> Array:
    """Return covariates of the steps to come, sequence after sequence, (n_sequences * steps, n_covariates)."""
    seen = sequences.covariates
    n_covariates = 0 if seen is None else seen.shape[1]
    shape = (len(sequences.lengths), steps, n_covariates)
    found = None if covariates is None else np.asarray(covariates, dtype=np.float64)
    if found is not None and found.shape == shape[1:] and shape[0] == 1:
        found = found[None]
    if found is None or found.shape != shape:
        msg = (
            "Transitions depend on covariates: give those of the steps to come as covariates=..., of shape "
            f"(n_sequences, steps, n_covariates) = {shape}; found {None if found is None else found.shape}."
        )
        raise ValueError(msg)
    if not np.isfinite(found).all():
        sequence, step, column = np.argwhere(~np.isfinite(found))[0]
        msg = (
            f"covariates of the steps to come must be finite numbers; in sequence {sequence}, step {step}, column "
            f"{column} there is {found[sequence, step, column]}."
        )
        raise ValueError(msg)
    return found.reshape(-1, n_covariates)
