"""Pseudo-residuals: how usual each observation is, given the others."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from emkit.arrays import one_of
from emkit_hmm.inference.filtering import merged, predicted
from emkit_hmm.kernels.exact import exact_batches, log_of, log_sum_exp
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams
from emkit_hmm.prepared import HiddenMarkovData

Array = NDArray[np.float64]

KINDS = ("ordinary", "forecast")


@attrs.frozen(eq=False)
class PseudoResiduals:
    """Normal quantiles of observations; of a true model they are standard normal.

    Attributes
    ----------
    lower, upper : (n_samples,)
        ``ndtri(P(X < x))`` and ``ndtri(P(X <= x))``: equal for numbers without steps, the ends of a segment for
        counts. NaN where nothing was observed.
    middle : (n_samples,)
        ``ndtri`` of the mean of both probabilities.
    """

    lower: Array
    upper: Array
    middle: Array


def pseudo_residuals(
    model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData, kind: str = "ordinary"
) -> PseudoResiduals:
    """Return pseudo-residuals of every row, of emissions with one column.

    With the probabilities w of the states at a row given *other* rows,

        P(X_t <= x) = sum_k w[t, k] * P(X <= x | state k)

    Parameters
    ----------
    kind : {"ordinary", "forecast"}
        Given all other rows of the sequence, or given the rows before.

    References
    ----------
    W. Zucchini and I. L. MacDonald, Hidden Markov Models for Time Series (2009), section 6.2.
    """
    sequences = model.prepare(data)
    if one_of(kind, "kind", KINDS) == "forecast":
        weights = predicted(model, params, sequences)
    else:
        weights = without_own_row(model, params, sequences)
    seen = slice(None) if sequences.seen is None else sequences.seen
    lower_tails, upper_tails = np.full((2, len(sequences.x)), np.nan), np.full((2, len(sequences.x)), np.nan)
    for tails, function in ((lower_tails, model.emission.cumulative), (upper_tails, model.emission.survival)):
        for tail, of_components in zip(tails, function(params.emission, sequences.rows), strict=True):
            tail[seen] = (weights[seen] * model.ties.spread(of_components)).sum(axis=1)
    lower_tails[:, np.isnan(sequences.x).all(axis=1)] = np.nan
    lower, upper = _quantiles(lower_tails, upper_tails)
    return PseudoResiduals(lower, upper, _quantiles(lower_tails.mean(axis=0), upper_tails.mean(axis=0)))


def _quantiles(below: Array, above: Array) -> Array:
    """Return normal quantiles from probabilities of both tails: the smaller one has the digits."""
    quantiles = np.where(below <= above, ndtri(np.clip(below, 0.0, 1.0)), -ndtri(np.clip(above, 0.0, 1.0)))
    return np.where(np.isnan(below), np.nan, quantiles)


def without_own_row(model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData) -> Array:
    """Return ``P(z_t = k | all rows of the sequence but x_t)``, (n_samples, n_states).

    What comes before, times what comes after, in log space: divided out of the smoothed probabilities the row itself
    would leave nothing where it is an outlier, or impossible in a state.
    """
    sequences = model.prepare(data)
    expansion = model.chain.expanded(params.chain, sequences.covariates)
    log_emission = model.log_emission(params, sequences)[:, expansion.state_of]
    columns = sequences.layout_for(len(expansion.startprob)).whole(np.arange(len(sequences.lengths)))
    weights = np.empty_like(log_emission)
    for _, rows, _, walks in exact_batches(columns, expansion.startprob, expansion.transmat, log_emission):
        before = np.empty_like(walks.log_beta)
        before[0] = log_of(expansion.startprob)[:, None]
        for t in range(1, len(rows)):
            before[t] = log_sum_exp(walks.log_filtered[t - 1][:, None] + walks.log_transitions[t], axis=0)
        joint = before + walks.log_beta
        weights[rows] = np.exp(joint - log_sum_exp(joint, axis=1)[:, None]).transpose(0, 2, 1)
    return merged(weights, expansion, model.n_states)
