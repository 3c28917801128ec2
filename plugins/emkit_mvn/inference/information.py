"""How much of the information about each parameter the gaps of a table hide."""

from __future__ import annotations

from typing import Any, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from emkit import EMResult, read_only
from emkit_mvn.inference.rate import WhitenedMap
from emkit_mvn.model import MultivariateNormal, NormalData
from emkit_mvn.params import NormalParams

Array = NDArray[np.float64]

#: A fit, or a model with its params.
Fitted: TypeAlias = EMResult[NormalParams] | tuple[MultivariateNormal, NormalParams]

#: How far params may be from where EM takes them, in complete-data standard errors.
STATIONARY = 0.05
#: Share of the information that counts as none.
NOTHING = 1e-9


@attrs.frozen(eq=False)
class MissingInformation:
    """Fractions of information that gaps hide: 0 where nothing is missing, 1 where the data say nothing.

    Attributes
    ----------
    largest : float
        The largest fraction of any linear function of the params: the rate of EM, and the autocorrelation that data
        augmentation has from one step to the next.
    mean : (n_features,)
        Of every entry; NaN for a mean that is given.
    covariance : (n_features, n_features)
        Of every entry; NaN for what is given or zero.
    fractions : (n_parameters,)
        Those of uncorrelated linear functions of the params, largest first.
    """

    largest: float
    mean: Array = attrs.field(converter=read_only)
    covariance: Array = attrs.field(converter=read_only)
    fractions: Array = attrs.field(converter=read_only)


def fraction_missing_information(fit: Fitted, data: NormalData) -> MissingInformation:
    """Return the fraction of information about every param that is missing.

    With the complete-data information C, of which the gaps hide M, computes for a linear function ``c' params``

        1 - c' inverse(C) c / c' inverse(C - M) c

    the share of its variance that complete data would not have [1]_, and the eigenvalues of ``inverse(C) M``, which is
    the Jacobian of the EM map [2]_. With a prior, its information is part of C.

    Parameters
    ----------
    fit : EMResult, or (model, params)
        At the maximum.
    data
        What the model was fitted to.

    Returns
    -------
    missing : MissingInformation

    Raises
    ------
    ValueError
        If the params are not at the maximum, or the covariance rests on its floor.

    Notes
    -----
    It takes two E-steps for each free parameter, ``n_features (n_features + 3)`` in all.

    References
    ----------
    .. [1] T. A. Louis, Journal of the Royal Statistical Society B 44 (1982) 226-233.
    .. [2] A. P. Dempster, N. M. Laird, D. B. Rubin, ibid. 39 (1977) 1-38, section 3.
    """
    model, params = _model_and_params(fit)
    rows = model.prepare(data)
    em_map = WhitenedMap.of(model, params, rows)
    _check(em_map)
    basis = _tangent_basis(em_map)
    changes = np.array([em_map.derivative(vector) for vector in basis]).reshape(basis.shape)
    jacobian = basis @ changes.T
    fractions, vectors = np.linalg.eigh((jacobian + jacobian.T) / 2)
    fractions = np.clip(fractions, 0.0, 1.0)
    moves = np.array([_standardised(em_map, em_map.displacement(vector)) for vector in vectors.T @ basis])
    complete = (moves**2).sum(axis=0)
    observed = (moves**2 / np.maximum(1 - fractions, NOTHING)[:, None]).sum(axis=0)
    share = np.full(em_map.size, np.nan)
    # A tie of zeros leaves rounding in entries that do not move.
    free = complete > NOTHING**2 * _complete_variances(em_map)
    share[free] = 1 - complete[free] / observed[free]
    d = len(params.mean)
    largest = float(fractions.max(initial=0.0))
    return MissingInformation(largest, share[:d], share[d:].reshape(d, d), fractions[::-1])


def _model_and_params(fit: Any) -> tuple[MultivariateNormal, NormalParams]:
    pair = (fit.model, fit.params) if isinstance(fit, EMResult) else fit
    is_pair = isinstance(pair, tuple) and len(pair) == 2
    if not is_pair or not isinstance(pair[0], MultivariateNormal) or not isinstance(pair[1], NormalParams):
        msg = f"Give the result of fitting a MultivariateNormal, or a pair (model, params); found {type(fit).__name__}."
        raise ValueError(msg)
    return pair


def _check(em_map: WhitenedMap) -> None:
    """Raise ValueError unless the params are a fixed point of EM inside their space."""
    model, params = em_map.model, em_map.params
    if model.space(params)["covariance"].on_floor(params.covariance):
        msg = (
            "The covariance rests on its floor, so the data do not determine it and no information can be told: leave "
            "out columns that follow from others, or give a prior such as prior='ridge'."
        )
        raise ValueError(msg)
    image = model.m_step(params, model.e_step(params, em_map.rows).statistics)
    step = em_map.whitened(image.mean - params.mean, image.covariance - params.covariance)
    length = float(np.linalg.norm(step))
    if length > STATIONARY:
        msg = (
            f"A step of EM still moves the params by {length:.2g} standard errors, so they are not those of highest "
            "likelihood with these data: fit to them, or to a smaller tol."
        )
        raise ValueError(msg)


def _tangent_basis(em_map: WhitenedMap) -> Array:
    """Return orthonormal coordinates of the free directions of the params, shape (n_parameters, n_coordinates)."""
    params, d = em_map.params, len(em_map.factor)
    spaces = em_map.model.space(params)
    zero, zeros = np.zeros(d), np.zeros((d, d))
    moves = [(mean, zeros) for mean in spaces["mean"].tangent(params.mean)]
    moves += [(zero, covariance.reshape(d, d)) for covariance in spaces["covariance"].tangent(params.covariance)]
    if not moves:
        return np.zeros((0, em_map.size))
    directions = np.array([em_map.whitened(*move) for move in moves])
    # Squares of what moves a column of 1e150 by one leave the range of floats.
    directions /= np.abs(directions).max(axis=1)[:, None]
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    return np.asarray(np.linalg.qr(directions.T)[0].T, dtype=np.float64)


def _complete_variances(em_map: WhitenedMap) -> Array:
    """Return the complete-data variances of all entries of an unrestricted normal, standardised."""
    unit = np.sqrt(np.diag(em_map.params.covariance))
    squares = 1 + (em_map.params.covariance / np.outer(unit, unit)) ** 2
    return _flat((np.full(len(unit), em_map.mean_unit**2), em_map.covariance_unit**2 * squares / 2))


def _standardised(em_map: WhitenedMap, displacement: tuple[Array, Array]) -> Array:
    """Return all entries of a displacement of the params in standard deviations of the columns."""
    unit = np.sqrt(np.diag(em_map.params.covariance))
    return _flat((displacement[0] / unit, displacement[1] / np.outer(unit, unit)))


def _flat(parts: tuple[Array, Array]) -> Array:
    return np.concatenate([parts[0], parts[1].ravel()])
