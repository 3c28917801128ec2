"""Paths drawn from what the data leave open."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit.arrays import whole_number
from emkit_hmm.kernels import sampling as kernels
from emkit_hmm.model import HiddenMarkovModel
from emkit_hmm.params import HiddenMarkovParams
from emkit_hmm.prepared import HiddenMarkovData

Integers = NDArray[np.intp]


def sample_paths(
    model: HiddenMarkovModel,
    params: HiddenMarkovParams,
    data: HiddenMarkovData,
    n: int,
    rng: np.random.Generator,
) -> Integers:
    """Return ``n`` draws of the states of all rows from ``P(path | data)``, shape (n, n_samples).

    By filtering forward and drawing backward (Chib 1996, Journal of Econometrics 75:79).
    """
    sequences = model.prepare(data)
    expansion = model.chain.expanded(params.chain, sequences.covariates)
    log_emission = model.log_emission(params, sequences)[:, expansion.state_of]
    layout = sequences.layout_for(len(expansion.startprob))
    paths = kernels.sample_paths(
        layout, expansion.startprob, expansion.transmat, log_emission, whole_number(n, "n"), rng
    )
    return expansion.state_of[paths]
