"""States as the rows come in: filtering, a fixed lag, and what follows the end."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import whole_number
from emkit_hmm.chains.base import Expansion
from emkit_hmm.kernels.filtering import filter_states, predict_states, smooth_with_lag
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams
from emkit_hmm.prepared import HiddenMarkovData, PreparedSequences

Array = NDArray[np.float64]


def filtered(model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData) -> Array:
    """Return ``P(z_t = k | x_0, ..., x_t)`` of every row, (n_samples, n_states): nothing of the future."""
    sequences = model.prepare(data)
    expansion = model.chain.expanded(params.chain, sequences)
    return merged(_filtered(model, params, sequences, expansion)[0], expansion, model.n_states)


def predicted(model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData) -> Array:
    """Return ``P(z_t = k | x_0, ..., x_{t-1})`` of every row, (n_samples, n_states)."""
    sequences = model.prepare(data)
    expansion = model.chain.expanded(params.chain, sequences)
    return merged(_filtered(model, params, sequences, expansion)[1], expansion, model.n_states)


def smoothed_with_lag(model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData, lag: int) -> Array:
    """Return ``P(z_t = k | x_0, ..., x_{t + lag})`` of every row (n_samples, n_states), or up to the end."""
    sequences = model.prepare(data)
    expansion = model.chain.expanded(params.chain, sequences)
    _require_one_matrix(expansion, "smoothing with a lag")
    log_emission = model.log_emission(params, sequences)[:, expansion.state_of]
    layout = sequences.layout_for(len(expansion.startprob))
    found = smooth_with_lag(layout, expansion.startprob, expansion.transmat, log_emission, whole_number(lag, "lag"))
    return merged(found, expansion, model.n_states)


def predicted_states(
    model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData, steps: int = 1
) -> Array:
    """Return the probabilities of the states 1, ..., ``steps`` steps after the end of every sequence.

    Returns
    -------
    states : (n_sequences, steps, n_states)
    """
    sequences = model.prepare(data)
    expansion = model.chain.expanded(params.chain, sequences)
    _require_one_matrix(expansion, "what follows the end")
    last = _filtered(model, params, sequences, expansion)[0][sequences.firsts + sequences.lengths - 1]
    ahead = predict_states(last, expansion.transmat, whole_number(steps, "steps"))
    return merged(ahead, expansion, model.n_states)


def predicted_means(
    model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData, steps: int = 1
) -> Array:
    """Return the expected observations 1, ..., ``steps`` steps after the end, (n_sequences, steps, n_features)."""
    means = model.ties.spread(model.emission.mean(params.emission).T).T
    return np.asarray(predicted_states(model, params, data, steps) @ means)


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


def _require_one_matrix(expansion: Expansion, what: str) -> None:
    if expansion.transmat.ndim == 3:
        msg = f"With transitions that depend on covariates, {what} would need covariates that are not there yet."
        raise ValueError(msg)
