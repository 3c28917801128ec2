"""Bernoulli and multinomial rows against SciPy, shares of counts and their own laws."""

import numpy as np
import pytest
from scipy import stats

from emkit.families import Bernoulli, BetaPrior, DirichletPrior, Multinomial
from emkit.families.discrete.trials import BernoulliParams, MultinomialParams
from emkit.testing import check_family


def zeros_and_ones(n_samples=200, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.random((n_samples, 3)) < [0.2, 0.5, 0.9]).astype(float)


def tables(n_samples=200, seed=0):
    rng = np.random.default_rng(seed)
    return rng.multinomial(rng.integers(1, 9, n_samples), [0.5, 0.3, 0.2]).astype(float)


def shares(n_samples, n_components=2, seed=1):
    return np.random.default_rng(seed).dirichlet(np.ones(n_components), n_samples)


@pytest.mark.parametrize("prior", [None, BetaPrior(2.0, 3.5)])
def test_bernoulli_keeps_the_laws_of_families(prior):
    check_family(Bernoulli(prior), zeros_and_ones())


@pytest.mark.parametrize("prior", [None, DirichletPrior([1.5, 2.0, 1.0])])
def test_multinomial_keeps_the_laws_of_families(prior):
    check_family(Multinomial(prior=prior), tables())


def test_bernoulli_densities_are_scipys():
    x = zeros_and_ones()
    params = BernoulliParams([[0.1, 0.5, 0.7], [0.3, 0.999, 1e-9]])
    family = Bernoulli()
    expected = np.stack([stats.bernoulli.logpmf(x, p).sum(axis=1) for p in params.probabilities], axis=1)
    assert np.allclose(family.log_density(params, family.prepare(x)), expected, rtol=1e-12)


def test_multinomial_densities_are_scipys():
    x = tables()
    params = MultinomialParams([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]], 4)
    family = Multinomial()
    expected = np.stack([stats.multinomial.logpmf(x, x.sum(axis=1), p) for p in params.probabilities], axis=1)
    assert np.allclose(family.log_density(params, family.prepare(x)), expected, rtol=1e-12, atol=1e-12)


def test_certain_zeros_and_ones_make_the_others_impossible():
    family = Bernoulli()
    params = BernoulliParams([[0.0, 1.0]])
    x = family.prepare([[0, 1], [1, 1], [0, 0]])
    assert family.log_density(params, x).ravel().tolist() == [0.0, -np.inf, -np.inf]


def test_a_category_of_probability_zero_is_impossible_only_where_it_is_seen():
    family = Multinomial()
    params = MultinomialParams([[0.5, 0.5, 0.0]], 2)
    density = family.log_density(params, family.prepare([[1, 1, 0], [0, 1, 1]]))
    assert density.ravel().tolist() == [pytest.approx(np.log(0.5)), -np.inf]


def test_estimates_are_weighted_shares():
    x, responsibilities = zeros_and_ones(), shares(200)
    fitted = Bernoulli().fit(Bernoulli().prepare(x), responsibilities)
    expected = responsibilities.T @ x / responsibilities.sum(axis=0)[:, None]
    assert np.allclose(fitted.probabilities, expected, rtol=1e-13)
    y = tables()
    fitted = Multinomial().fit(Multinomial().prepare(y), responsibilities)
    sums = responsibilities.T @ y
    assert np.allclose(fitted.probabilities, sums / sums.sum(axis=1, keepdims=True), rtol=1e-13)


def test_priors_add_observations():
    x = Bernoulli().prepare([[1.0], [1.0], [0.0]])
    fitted = Bernoulli(BetaPrior(3, 2)).fit(x, np.ones((3, 1)))
    assert fitted.probabilities.item() == pytest.approx(4 / 6)
    y = Multinomial().prepare([[2, 0], [1, 0]])
    fitted = Multinomial(prior=DirichletPrior([1, 3])).fit(y, np.ones((2, 1)))
    assert fitted.probabilities[0].tolist() == pytest.approx([3 / 5, 2 / 5])


@pytest.mark.parametrize(
    ("family", "entry"), [(Bernoulli(), 2.0), (Bernoulli(), 0.5), (Multinomial(), -1.0), (Multinomial(), 1.5)]
)
def test_an_entry_outside_the_support_is_named(family, entry):
    with pytest.raises(ValueError, match=f"Row 1, column 1 is {entry:g}"):
        family.prepare([[0, 1], [1, entry]])


def test_a_declared_number_of_trials_is_held_to():
    with pytest.raises(ValueError, match="row 1 add up to 3"):
        Multinomial(n_trials=2).prepare([[1, 1], [1, 2]])
    assert len(Multinomial(n_trials=2).prepare([[1, 1], [np.nan, np.nan]])) == 2


def test_rows_without_trials_leave_the_probabilities_alone():
    family = Multinomial()
    x = family.prepare([[0, 0], [3, 1]])
    before = MultinomialParams([[0.9, 0.1], [0.5, 0.5]], 2)
    after = family.fit(x, np.eye(2), before)
    assert after.probabilities[0].tolist() == [0.9, 0.1]
    assert after.probabilities[1].tolist() == [0.75, 0.25]


def test_samples_have_the_moments_of_the_params():
    rng = np.random.default_rng(3)
    components = np.repeat([0, 1], 20_000)
    params = BernoulliParams([[0.2, 0.9], [0.5, 0.0]])
    drawn = Bernoulli().sample(params, components, rng).reshape(2, 20_000, 2)
    assert np.allclose(drawn.mean(axis=1), params.probabilities, atol=0.02)
    tabled = MultinomialParams([[0.2, 0.8], [0.5, 0.5]], 5)
    drawn = Multinomial().sample(tabled, components, rng)
    assert (drawn.sum(axis=1) == 5).all()
    assert np.allclose(drawn.reshape(2, 20_000, 2).mean(axis=1), Multinomial().mean(tabled), atol=0.05)


def test_rows_simulated_like_others_have_their_numbers_of_trials():
    x = np.array([[1.0, 2.0], [0.0, 7.0], [np.nan, np.nan]])
    params = MultinomialParams([[0.2, 0.8]], 5)
    drawn = Multinomial().simulate(params, np.zeros(3, dtype=int), x, np.random.default_rng(0))
    assert drawn[:2].sum(axis=1).tolist() == [3, 7]
    assert np.isnan(drawn[2]).all()


def test_cumulative_probabilities_of_a_coin_are_those_of_its_sides():
    below, up_to = Bernoulli().cumulative(BernoulliParams([[0.3]]), Bernoulli().prepare([[0], [1]]))
    assert below.ravel().tolist() == [0.0, 0.7]
    assert up_to.ravel().tolist() == [0.7, 1.0]


@pytest.mark.parametrize(
    "make", [lambda: DirichletPrior(0.5), lambda: BetaPrior(1, 0.9), lambda: DirichletPrior([2, np.inf])]
)
def test_priors_without_a_finite_mode_are_refused(make):
    with pytest.raises(ValueError, match="at least 1"):
        make()
