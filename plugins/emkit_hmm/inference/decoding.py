"""The most probable paths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import whole_number
from emkit_hmm.chains.base import Expansion
from emkit_hmm.kernels import decoding as kernels
from emkit_hmm.kernels.exact import log_of
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams
from emkit_hmm.prepared import HiddenMarkovData, PreparedSequences

Array = NDArray[np.float64]
Integers = NDArray[np.intp]


def viterbi(model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData) -> tuple[Integers, Array]:
    """Return the most probable path of every sequence, and ``log p(path, sequence)`` in nats.

    Of a chain with explicit durations a path is a division into segments.

    Returns
    -------
    states : (n_samples,)
    log_joint : (n_sequences,)
    """
    sequences = model.prepare(data)
    expansion, log_emission = _positions(model, params, sequences)
    layout = sequences.layout_for(len(expansion.startprob))
    path, log_joint = kernels.viterbi(layout, expansion.startprob, expansion.transmat, log_emission)
    return expansion.state_of[path], log_joint


def k_best(
    model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData, k: int
) -> tuple[Integers, Array]:
    """Return the k most probable paths of one sequence, best first, and ``log p(path, sequence)`` of each.

    Of a chain with explicit durations paths are divisions into segments; some may have the same states.

    Returns
    -------
    states : (k, n_samples)
        Fewer rows if there are fewer paths.
    log_joint : (k,)
    """
    sequences = model.prepare(data)
    if len(sequences.lengths) != 1:
        msg = f"The best paths are those of one sequence; the data hold {len(sequences.lengths)}."
        raise ValueError(msg)
    expansion, log_emission = _positions(model, params, sequences)
    paths, log_joint = kernels.k_best(expansion.startprob, expansion.transmat, log_emission, whole_number(k, "k"))
    return expansion.state_of[paths], log_joint


def log_joint(model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData, states: Integers) -> Array:
    """Return ``log p(states, rows)`` of every sequence, (n_sequences,); minus infinity of a path that cannot be."""
    sequences = model.prepare(data)
    expansion = model.chain.expanded(params.chain, sequences.covariates)
    if len(expansion.startprob) != model.n_states:
        msg = "Of a chain with explicit durations states alone are no path: it also has ends of segments."
        raise ValueError(msg)
    log_emission = model.log_emission(params, sequences)
    log_start, log_moves = log_of(expansion.startprob), log_of(expansion.transmat)
    return kernels.path_log_joint(sequences.layout, log_start, log_moves, log_emission, states)


def _positions(
    model: HiddenMarkovModel, params: HiddenMarkovParams, sequences: PreparedSequences
) -> tuple[Expansion, Array]:
    """Return the chain over positions, and the log-densities of rows at them."""
    expansion = model.chain.expanded(params.chain, sequences.covariates)
    return expansion, model.log_emission(params, sequences)[:, expansion.state_of]
