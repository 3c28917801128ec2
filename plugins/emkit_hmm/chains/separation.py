"""Covariates that leave coefficients open: those that part the transitions, and those that repeat others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emkit_hmm.chains.base import Array

#: A covariate that varies by less than this share of its size is constant.
CONSTANT = 1e-10
#: The spread of a combination of standardised covariates that is zero.
SINGULAR = 1e-7
#: Weight of a covariate in a combination that is constant, above which it is named.
PART = 1e-4
#: Log-odds that differ as much between steps, by their standard deviation, are those of certainty: chances of
#: 0.00005 against 0.99995.
CERTAIN = 10.0


def spread_of(covariates: Array) -> Array:
    """Return a root R of the covariance ``R' R`` of covariates (n_steps, n_covariates), of their units.

    Columns of those that are constant are exactly zero. Shape (n_covariates, n_covariates).
    """
    n_steps, n_covariates = covariates.shape
    root = np.zeros((n_covariates, n_covariates))
    if not n_steps or not n_covariates:
        return root
    size = np.abs(covariates).max(axis=0)
    units = np.where(size > 0, size, 1.0)
    deviations = covariates / units
    deviations = deviations - deviations.mean(axis=0)
    deviations[:, np.abs(deviations).max(axis=0) <= CONSTANT] = 0.0
    triangle = np.linalg.qr(deviations / np.sqrt(n_steps), mode="r")
    root[: len(triangle)] = triangle
    return np.asarray(root * units)


def notes_on_separation(coefficients: Array, spread: Array) -> list[str]:
    """Return a sentence if covariates all but part the transitions, so that no coefficients are the best.

    Parameters
    ----------
    coefficients : (n_states, n_states, 1 + n_covariates)
    spread : (n_covariates, n_covariates)
        As :func:`spread_of` gave it.
    """
    deviations = np.linalg.norm(coefficients[..., 1:] @ spread.T, axis=-1)
    parted = np.argwhere(deviations > CERTAIN)
    if not len(parted):
        return []
    i, j = np.unravel_index(int(deviations.argmax()), deviations.shape)
    more = f" (and {len(parted) - 1} more)" if len(parted) > 1 else ""
    return [
        f"Covariates all but part the transitions from state {i} to state {j}{more}: the likelihood rises as their "
        "coefficients grow without end, and these mean nothing. A ridge keeps them finite, such as Logit(ridge=0.1)."
    ]


def notes_on_repetition(spread: Array, n_transitions: int) -> list[str]:
    """Return a sentence for constant covariates, and one for those of which a combination is constant."""
    names = [str(index) for index in np.flatnonzero(~spread.any(axis=0))]
    advice = "Leave {it} out, or give a ridge: Logit(ridge=0.1)."
    notes = []
    if names:
        what = f"Covariate {names[0]} is" if len(names) == 1 else f"Covariates {', '.join(names)} are"
        its, it = ("its", "it") if len(names) == 1 else ("their", "them")
        notes.append(
            f"{what} constant: the data cannot tell {its} coefficients from the intercepts, so {its} "
            f"{len(names) * n_transitions} parameters are counted, but not determined. {advice.format(it=it)}"
        )
    repeated, n_lost = _combined(spread)
    if n_lost:
        notes.append(
            f"Covariates {', '.join(map(str, repeated))} are collinear: the data cannot tell their coefficients apart, "
            f"so {n_lost * n_transitions} parameters are counted, but not determined. {advice.format(it='one')}"
        )
    return notes


def _combined(spread: Array) -> tuple[NDArray[np.intp], int]:
    """Return which covariates that vary have a part in constant combinations, and how many of these there are."""
    varying = np.flatnonzero(spread.any(axis=0))
    columns = spread[:, varying] / np.abs(spread[:, varying]).max(axis=0)
    columns /= np.linalg.norm(columns, axis=0)
    _, sizes, vectors = np.linalg.svd(columns)
    constant = np.flatnonzero(sizes <= SINGULAR)
    return varying[(np.abs(vectors[constant]) > PART).any(axis=0)], len(constant)
