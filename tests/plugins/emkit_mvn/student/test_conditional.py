"""Gaps given the seen cells of their row under a t distribution."""

import numpy as np
import pytest
from emkit_mvn.student.model import MultivariateT
from emkit_mvn.student.params import StudentParams
from scipy import integrate, stats


def test_gaps_have_the_moments_of_their_conditional_density():
    model = MultivariateT()
    params = StudentParams([1.0, -2.0], [[2.0, 0.8], [0.8, 1.0]], 0.25, [1.0, 1.0], np.ones((2, 2)))
    filled = model.posterior(params, np.array([[4.0, np.nan], [4.0, 1.0], [np.nan, np.nan]]))
    joint = stats.multivariate_t(params.location, params.scatter, df=4)

    def moment(power):
        return integrate.quad(lambda y: y**power * joint.pdf([4.0, y]), -np.inf, np.inf)[0]

    mean = moment(1) / moment(0)
    assert filled.values[0, 1] == pytest.approx(mean, rel=1e-8)
    assert filled.variances[0, 1] == pytest.approx(moment(2) / moment(0) - mean**2, rel=1e-6)
    np.testing.assert_allclose(filled.weights, [5 / (4 + 4.5), 6 / (4 + filled_distance(params)), 1.0])
    # Nothing seen: the variance of the margin, twice the scatter at four degrees of freedom.
    np.testing.assert_allclose(filled.variances[2], [4.0, 2.0])


def filled_distance(params):
    residual = np.array([4.0, 1.0]) - params.location
    return residual @ np.linalg.solve(params.scatter, residual)


@pytest.mark.parametrize("tail", [0.5, 1.0])
def test_variances_that_do_not_exist_are_infinite(tail):
    params = StudentParams([0.0, 0.0], np.eye(2), tail, [1.0, 1.0], np.ones((2, 2)))
    variances = MultivariateT().posterior(params, np.array([[np.nan, np.nan]])).variances
    assert np.isinf(variances).all()
