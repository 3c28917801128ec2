"""Posterior modes by a general optimiser."""

import attrs
import numpy as np
from scipy.optimize import minimize


def objective_of(model, table, params):
    return model.log_likelihood(params, table) + model.log_prior(params)


def direct_maximum(model, table, start, matrix_of, n_free):
    """Maximise over the mean and a vector that ``matrix_of`` turns into a covariance, in units of the deviations."""
    size, scale = start.mean.size, start.scale

    def negative(vector):
        mean = start.mean + scale * vector[:size]
        covariance = matrix_of(vector[size:]) * np.outer(scale, scale)
        if not (np.linalg.eigvalsh(covariance) > 0).all():
            return 1e10
        return -objective_of(model, table, attrs.evolve(start, mean=mean, covariance=covariance))

    found = minimize(negative, np.concatenate([np.zeros(size), n_free]), method="BFGS", options={"gtol": 1e-7})
    return -found.fun


def from_factor(vector):
    factor = np.zeros((3, 3))
    factor[np.tril_indices(3)] = vector
    return factor @ factor.T


FACTOR = np.eye(3)[np.tril_indices(3)]
