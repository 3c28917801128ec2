"""Wrong settings of families and priors are refused at construction: what was expected, what was found."""

import numpy as np
import pytest

from emkit.families import (
    Autoregressive,
    Bernoulli,
    BetaPrior,
    Categorical,
    DirichletPrior,
    Exponential,
    Gamma,
    GammaPrior,
    LinearRegression,
    LogisticRegression,
    Mixture,
    Multinomial,
    NegativeBinomial,
    Poisson,
    PoissonRegression,
    StudentT,
    VonMises,
)

WRONG_PRIORS = [
    (lambda: Poisson(2.0), "prior of Poisson must be a GammaPrior, such as GammaPrior.2.0, 1.0., or None; it is 2.0"),
    (lambda: Poisson(BetaPrior(1, 1)), "must be a GammaPrior.* it is BetaPrior"),
    (lambda: Exponential(prior=1), "prior of Exponential must be a GammaPrior"),
    (lambda: Categorical(3, 1), "prior of Categorical must be a DirichletPrior, such as DirichletPrior.2.0., or None"),
    (lambda: Multinomial(prior="flat"), "prior of Multinomial must be a DirichletPrior.* it is 'flat'"),
    (lambda: Mixture(prior=[1, 1]), "prior of Mixture must be a DirichletPrior"),
    (lambda: Bernoulli(2), "prior of Bernoulli must be a BetaPrior"),
    (lambda: DirichletPrior(None), "concentration of a prior must be a number, such as 2.0, or one for each.* None"),
    (lambda: DirichletPrior([1.0, "a"]), "concentration of a prior must be a number.* 'a'"),
    (lambda: GammaPrior("a", 1), "shape of a prior must be a number, such as 2.0; it is 'a'"),
    (lambda: GammaPrior(1, None), "rate of a prior must be a number"),
    (lambda: BetaPrior(True, 1), "a of a prior must be a number.* True"),
    (lambda: BetaPrior(1, "b"), "b of a prior must be a number"),
]
WRONG_NUMBERS = [
    (lambda: StudentT("a"), "df must be a positive number, or None to estimate it; found 'a'"),
    (lambda: StudentT(True), "df must be a positive number, or None to estimate it; found True"),
    (lambda: LinearRegression("a"), "intercept must be True or False; it is 'a'"),
    (lambda: LogisticRegression(2), "intercept must be True or False; it is 2"),
    (lambda: PoissonRegression(None), "intercept must be True or False; it is None"),
    (lambda: LinearRegression(shared_variance=3), "shared_variance must be True or False; it is 3"),
]


@pytest.mark.parametrize(("make", "message"), WRONG_PRIORS)
def test_what_is_no_prior_is_refused_by_name(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize(("make", "message"), WRONG_NUMBERS)
def test_what_is_no_such_setting_is_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_numbers_of_numpy_are_numbers():
    assert GammaPrior(np.float64(2), np.int64(1)) == GammaPrior(2.0, 1.0)
    assert DirichletPrior(np.array([1, 2])) == DirichletPrior((1.0, 2.0))
    assert StudentT(np.float32(4)) == StudentT(4.0)
    assert LinearRegression(np.bool_(False)) == LinearRegression(False)


COUNTS = np.random.default_rng(0).poisson(3.0, size=(40, 1)).astype(float)
SHARES = np.random.default_rng(1).dirichlet([1.0, 1.0], size=40)


@pytest.mark.parametrize(
    ("family", "x"),
    [
        (Poisson(), COUNTS),
        (NegativeBinomial(), COUNTS),
        (Categorical(), COUNTS),
        (Multinomial(), np.column_stack([COUNTS, COUNTS[::-1] + 1])),
        (Bernoulli(), np.minimum(COUNTS, 1)),
        (Exponential(), COUNTS),
        (Gamma(), COUNTS + 1),
        (VonMises(), COUNTS),
        (LinearRegression(), np.column_stack([COUNTS, COUNTS[::-1]])),
        (LogisticRegression(), np.column_stack([np.minimum(COUNTS, 3) > 2, COUNTS[::-1]])),
        (PoissonRegression(), np.column_stack([COUNTS, COUNTS[::-1]])),
        (Autoregressive(), COUNTS),
        (Mixture(Poisson(), 2), COUNTS),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_plain_matrix_is_fitted_as_its_prepared_form(family, x):
    found, expected = family.fit(x, SHARES), family.fit(family.prepare(x), SHARES)
    density = family.log_density(expected, family.prepare(x))
    np.testing.assert_array_equal(family.log_density(found, family.prepare(x)), density)
