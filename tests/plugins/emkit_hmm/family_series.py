"""Series of two states for every family of emissions, drawn by numpy from known distributions."""

import numpy as np
from regimes import TRANSMAT, path

from emkit.families import (
    Autoregressive,
    Bernoulli,
    Categorical,
    Exponential,
    Gamma,
    Gaussian,
    LinearRegression,
    LogisticRegression,
    Mixture,
    Multinomial,
    NegativeBinomial,
    Poisson,
    PoissonRegression,
    Product,
    StudentT,
    VonMises,
)

N_STEPS = 1500
MEANS = np.array([[0.0, 1.0], [3.0, -1.0]])
FULL = np.array([[[1.0, 0.6], [0.6, 1.0]], [[0.5, -0.2], [-0.2, 0.8]]])
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])


def states_of(seed=0):
    return path(N_STEPS, TRANSMAT, np.random.default_rng(seed))


def gaussian(covariances):
    roots = np.linalg.cholesky(covariances)
    return lambda z, rng: MEANS[z] + np.einsum("nij,nj->ni", roots[z], rng.normal(size=(len(z), 2)))


def column(draw):
    """Return a draw of one column."""
    return lambda z, rng: np.asarray(draw(z, rng), dtype=float)[:, None]


def regression(draw, slopes):
    """Return a draw of a response given one covariate, with coefficients for each state."""

    def both(z, rng):
        u = rng.normal(size=len(z))
        return np.column_stack([draw(slopes[z, 0] + slopes[z, 1] * u, z, rng), u])

    return both


def autoregression(z, rng):
    x = np.zeros((len(z), 1))
    for t in range(1, len(z)):
        x[t] = [0.0, 4.0][z[t]] + [0.8, -0.3][z[t]] * x[t - 1] + rng.normal()
    return x


def two_groups(z, rng):
    """Draw from two groups for each state, with weights .3 and .5; states are farther apart than groups."""
    far = rng.random(len(z)) < np.array([0.3, 0.5])[z]
    return np.column_stack([6.0 * far + 0.5 * z, 9.0 * z]) + rng.normal(size=(len(z), 2))


def several_kinds(z, rng):
    symbols = [rng.choice(3, p=PROBABILITIES[k]) for k in z]
    x = np.column_stack([rng.normal(2.0 * z), rng.poisson(np.array([2, 7])[z]), symbols])
    x[rng.random(x.shape) < 0.1] = np.nan
    return x


STEEP = np.array([[0.0, 2.5], [1.0, -2.5]])
LINES = np.array([[0.0, 1.0], [4.0, -2.0]])
GENTLE = np.array([[0.5, 0.4], [2.5, -0.3]])

#: Family, how numpy draws for states, and the true values of fields of the params, state by state.
FAMILIES = {
    "gaussian full": (Gaussian(), gaussian(FULL), {"means": MEANS, "covariances": FULL}),
    "gaussian diag": (
        Gaussian("diag"),
        gaussian(FULL * np.eye(2)),
        {"means": MEANS, "covariances": np.diagonal(FULL, axis1=1, axis2=2)},
    ),
    "gaussian spherical": (
        Gaussian("spherical"),
        gaussian(np.array([0.5, 1.5])[:, None, None] * np.eye(2)),
        {"means": MEANS, "covariances": np.array([0.5, 1.5])},
    ),
    "gaussian tied": (Gaussian("tied"), gaussian(FULL[[0, 0]]), {"means": MEANS}),
    "student t": (
        StudentT(df=4),
        lambda z, rng: MEANS[z] + rng.normal(size=(len(z), 2)) / np.sqrt(rng.chisquare(4, size=(len(z), 1)) / 4),
        {"means": MEANS, "scatters": np.array([np.eye(2)] * 2)},
    ),
    "mixture": (Mixture(Gaussian("spherical"), 2), two_groups, {}),
    "categorical": (
        Categorical(3),
        column(lambda z, rng: [rng.choice(3, p=PROBABILITIES[k]) for k in z]),
        {"probabilities": PROBABILITIES},
    ),
    "multinomial": (
        Multinomial(),
        lambda z, rng: np.array([rng.multinomial(10, PROBABILITIES[k]) for k in z], dtype=float),
        {"probabilities": PROBABILITIES},
    ),
    "bernoulli": (
        Bernoulli(),
        lambda z, rng: (rng.random((len(z), 3)) < PROBABILITIES[z]).astype(float),
        {"probabilities": PROBABILITIES},
    ),
    "poisson": (
        Poisson(),
        column(lambda z, rng: rng.poisson(np.array([2, 7])[z])),
        {"rates": np.array([[2.0], [7.0]])},
    ),
    "negative binomial": (
        NegativeBinomial(),
        column(lambda z, rng: rng.poisson(rng.gamma(2.0, np.array([2, 15])[z] / 2.0))),
        {"means": np.array([[2.0], [15.0]]), "dispersions": np.array([[0.5], [0.5]])},
    ),
    "exponential": (
        Exponential(),
        lambda z, rng: rng.exponential(np.array([[1.0, 2.0], [9.0, 30.0]])[z]),
        {"means": np.array([[1.0, 2.0], [9.0, 30.0]])},
    ),
    "gamma": (
        Gamma(),
        column(lambda z, rng: rng.gamma(np.array([2.0, 9.0])[z], np.array([0.5, 1.0])[z])),
        {"means": np.array([[1.0], [9.0]]), "shapes": np.array([[2.0], [9.0]])},
    ),
    "von mises": (
        VonMises(),
        column(lambda z, rng: rng.vonmises(np.array([0.0, 2.0])[z], np.array([4.0, 2.0])[z])),
        {"means": np.array([[0.0], [2.0]]), "concentrations": np.array([[4.0], [2.0]])},
    ),
    "linear regression": (
        LinearRegression(),
        regression(lambda eta, z, rng: eta + rng.normal(size=len(z)), LINES),
        {"coefficients": LINES, "variances": np.ones(2)},
    ),
    "logistic regression": (
        LogisticRegression(),
        regression(lambda eta, z, rng: rng.random(len(z)) < 1 / (1 + np.exp(-eta)), STEEP),
        {"coefficients": STEEP},
    ),
    "poisson regression": (
        PoissonRegression(),
        regression(lambda eta, z, rng: rng.poisson(np.exp(eta)), GENTLE),
        {"coefficients": GENTLE},
    ),
    "autoregressive": (
        Autoregressive(),
        autoregression,
        {"intercepts": np.array([[0.0], [4.0]]), "coefficients": np.array([0.8, -0.3]).reshape(2, 1, 1, 1)},
    ),
    "product": (Product([(0, Gaussian()), (1, Poisson()), (2, Categorical(3))]), several_kinds, {}),
}
