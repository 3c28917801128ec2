"""Densities of large counts against sixty digits, and M-steps on them that must not fall."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from emkit.families import (
    Multinomial,
    MultinomialParams,
    NegativeBinomial,
    NegativeBinomialParams,
    Poisson,
    PoissonParams,
)
from emkit.families.counts.deviance import LARGE, LARGE_COUNT, log_fall, log_peak, stirling_error
from emkit.testing import check_family

BERNOULLI = [Fraction(1, 6), Fraction(-1, 30), Fraction(1, 42), Fraction(-1, 30), Fraction(5, 66), Fraction(-691, 2730)]
BERNOULLI += [Fraction(7, 6), Fraction(-3617, 510), Fraction(43867, 798), Fraction(-174611, 330)]
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")


def log_gamma(x):
    """Stirling's series from 1000 on, with the recurrence up to there: exact to more than fifty digits."""
    shift = Decimal(0)
    while x < 1000:
        shift, x = shift - x.ln(), x + 1
    total = (x - Decimal("0.5")) * x.ln() - x + (2 * PI).ln() / 2
    for n, b in enumerate(BERNOULLI, start=1):
        total += Decimal(b.numerator) / Decimal(b.denominator) / (2 * n * (2 * n - 1)) / x ** (2 * n - 1)
    return total + shift


def to_float(function, *arguments):
    with localcontext() as context:
        context.prec = 60
        return float(function(*(Decimal(float(argument)) for argument in arguments)))


def poisson_reference(y, mean):
    return y * mean.ln() - mean - log_gamma(y + 1)


def negative_binomial_reference(y, mean, dispersion):
    size = 1 / dispersion
    share = (1 + dispersion * mean).ln()
    choices = log_gamma(y + size) - log_gamma(size) - log_gamma(y + 1)
    return choices + y * ((dispersion * mean).ln() - share) - size * share


@pytest.mark.parametrize("mean", [2e4, 1e7, 1e10, 9e15])
@pytest.mark.parametrize("deviations", [-30.0, -1.0, 0.0, 0.01, 3.0])
def test_poisson_densities_of_large_counts_have_all_their_digits(mean, deviations):
    y = np.round(mean + deviations * np.sqrt(mean))
    found = Poisson().log_density(PoissonParams(np.array([[mean]])), Poisson().prepare([[y]])).item()
    assert found == pytest.approx(to_float(poisson_reference, y, mean), rel=1e-13, abs=1e-12)


@pytest.mark.parametrize("mean", [3.0, 2e4, 1e7, 1e12])
@pytest.mark.parametrize("dispersion", [1e-14, 1e-6, 0.2, 7.0])
@pytest.mark.parametrize("ratio", [0.0, 1e-3, 0.9, 1.0, 1.0001, 5.0, 1e3])
def test_negative_binomial_densities_of_large_counts_have_all_their_digits(mean, dispersion, ratio):
    y = np.round(mean * ratio)
    params = NegativeBinomialParams(np.array([[mean]]), np.array([[dispersion]]))
    found = NegativeBinomial().log_density(params, NegativeBinomial().prepare([[y]])).item()
    assert found == pytest.approx(to_float(negative_binomial_reference, y, mean, dispersion), rel=1e-12, abs=1e-12)


def test_multinomial_densities_of_large_counts_have_all_their_digits():
    counts = np.array([[2_000_123.0, 2_999_777.0, 5_000_100.0, 0.0]])
    shares = np.array([[0.2, 0.3, 0.5, 0.0], [0.2001, 0.2999, 0.25, 0.25]])
    found = Multinomial().log_density(MultinomialParams(shares, np.array(1e7)), Multinomial().prepare(counts))[0]
    for k in range(2):
        with localcontext() as context:
            context.prec = 60
            pairs = [(Decimal(y), Decimal(p)) for y, p in zip(counts[0], shares[k], strict=True) if y]
            total = sum(Decimal(p) for p in shares[k])
            expected = log_gamma(sum(y for y, _ in pairs) + 1)
            expected += sum(y * (p / total).ln() - log_gamma(y + 1) for y, p in pairs)
        assert found[k] == pytest.approx(float(expected), rel=1e-13, abs=1e-11)


def test_a_category_that_is_impossible_is_so_for_large_counts_too():
    params = MultinomialParams(np.array([[0.5, 0.5, 0.0]]), np.array(1e6))
    x = Multinomial().prepare([[5e5, 5e5, 0.0], [5e5, 5e5, 1.0], [0.0, 0.0, 0.0]])
    density = Multinomial().log_density(params, x)[:, 0]
    assert np.isfinite(density[0])
    assert density[1] == -np.inf
    assert density[2] == 0.0


def test_a_rate_of_zero_is_so_for_large_counts_too():
    x = Poisson().prepare([[0.0], [2 * LARGE_COUNT]])
    density = Poisson().log_density(PoissonParams(np.array([[0.0], [1e5]])), x)
    assert density[0].tolist() == [0.0, -1e5]
    assert density[1, 0] == -np.inf


def test_small_and_large_counts_are_treated_alike():
    y = np.arange(0.0, 200.0, 7.0)
    np.testing.assert_allclose(log_fall(y, 50.0) + log_peak(y), stats.poisson.logpmf(y, 50.0), rtol=0, atol=1e-12)


def test_stirling_errors_are_exact_on_both_sides_of_the_series():
    for x in (0.3, 1.0, 14.9, 15.0, LARGE * 1.01, 40.0, 1e5):

        def reference(value):
            return log_gamma(value + 1) - ((value + Decimal("0.5")) * value.ln() - value + (2 * PI).ln() / 2)

        assert stirling_error(np.array(x)) == pytest.approx(to_float(reference, x), rel=1e-12, abs=2e-14)


@pytest.mark.parametrize("mean", [1e6, 1e10])
def test_large_counts_keep_the_laws(mean):
    check_family(Poisson(), np.random.default_rng(2).poisson(mean, size=(200, 1)).astype(float))


def test_large_numbers_of_trials_keep_the_laws():
    check_family(Multinomial(), np.random.default_rng(2).multinomial(10**7, [0.2, 0.3, 0.5], size=150).astype(float))
