"""Pseudo-residuals: how usual each observation is, given the others."""

from __future__ import annotations

import attrs
import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from emkit.arrays import one_of
from emkit_hmm.inference.filtering import predicted
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
    below, up_to = model.emission.cumulative(params.emission, sequences.rows)
    seen = slice(None) if sequences.seen is None else sequences.seen
    weights = weights[seen]
    probabilities = np.full((2, len(sequences.x)), np.nan)
    for place, cumulative in enumerate((below, up_to)):
        probabilities[place, seen] = np.clip((weights * model.ties.spread(cumulative)).sum(axis=1), 0.0, 1.0)
    probabilities[:, np.isnan(sequences.x).all(axis=1)] = np.nan
    lower, upper = ndtri(probabilities)
    return PseudoResiduals(lower, upper, ndtri(probabilities.mean(axis=0)))


def without_own_row(model: HiddenMarkovModel, params: HiddenMarkovParams, data: HiddenMarkovData) -> Array:
    """Return ``P(z_t = k | all rows of the sequence but x_t)``, (n_samples, n_states)."""
    sequences = model.prepare(data)
    log_emission = model.log_emission(params, sequences)
    smoothed = model.chain.posterior(params.chain, log_emission, sequences).smoothed
    with np.errstate(divide="ignore", invalid="ignore"):
        joint = np.log(smoothed) - log_emission
    joint[~np.isfinite(joint)] = -np.inf
    top = joint.max(axis=1, keepdims=True)
    shares = np.exp(joint - np.where(np.isfinite(top), top, 0.0))
    total = shares.sum(axis=1, keepdims=True)
    return np.where(total > 0, shares / np.where(total > 0, total, 1.0), smoothed)
