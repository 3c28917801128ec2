"""Products: sums over parts, each with its own gaps."""

import numpy as np
import pytest
from scipy import stats

from emkit import tree
from emkit.families import (
    Autoregressive,
    Bernoulli,
    Categorical,
    Exponential,
    ExponentialParams,
    Family,
    Gamma,
    GammaPrior,
    Gaussian,
    LogisticRegression,
    NegativeBinomial,
    Poisson,
    PoissonParams,
    PoissonRegression,
    Product,
    ProductParams,
    VonMises,
)
from emkit.space import spaces_of
from emkit.testing import check_family


def table(n_samples=300, seed=0, missing=0.0):
    """A count, a duration, a symbol, an angle, and a covariate."""
    rng = np.random.default_rng(seed)
    columns = [rng.poisson(4, n_samples), rng.gamma(2, 3, n_samples), rng.integers(3, size=n_samples)]
    x = np.column_stack([*columns, rng.vonmises(1, 2, n_samples), rng.normal(size=n_samples)]).astype(float)
    x[rng.random(x.shape) < missing] = np.nan
    return x


def shares(n_samples, seed=1):
    return np.random.default_rng(seed).dirichlet([1, 1], n_samples)


MIXED = Product([(0, Poisson()), (1, Gamma()), (2, Categorical(3)), (3, VonMises())])


@pytest.mark.parametrize(
    ("family", "missing"),
    [
        (MIXED, 0.0),
        (MIXED, 0.1),
        (Product([([3, 1], Exponential(prior=GammaPrior(2, 1)))]), 0.1),
        (Product([([0, 4], PoissonRegression()), ([2], Categorical())]), 0.1),
        (Product([(0, NegativeBinomial()), (2, Categorical(3))]), 0.1),
    ],
)
def test_products_keep_the_laws_of_families(family, missing):
    x = table(missing=missing)
    x[:, 3] = np.abs(x[:, 3])
    check_family(family, x)


def test_the_density_is_the_sum_of_those_of_seen_parts():
    x = table(missing=0.3)
    params = MIXED.fit(MIXED.prepare(x), shares(len(x)))
    found = MIXED.log_density(params, MIXED.prepare(x))
    expected = np.zeros((len(x), 2))
    for ((column,), family), part in zip(MIXED.parts, params.parts, strict=True):
        seen = ~np.isnan(x[:, column])
        expected[seen] += family.log_density(part, family.prepare(x[seen, column : column + 1]))
    assert np.allclose(found, expected, rtol=1e-12, atol=1e-12)
    assert MIXED.prepare(np.full((1, 4), np.nan)).missing.all()


def test_the_fit_is_that_of_every_part_on_its_seen_rows():
    x, responsibilities = table(missing=0.3), shares(300)
    params = MIXED.fit(MIXED.prepare(x), responsibilities)
    for ((column,), family), part in zip(MIXED.parts, params.parts, strict=True):
        seen = ~np.isnan(x[:, column])
        alone = family.fit(family.prepare(x[seen, column : column + 1]), responsibilities[seen])
        for (_, one), (_, two) in zip(tree.leaves(part), tree.leaves(alone), strict=True):
            assert np.allclose(one, two, rtol=1e-10)


def test_a_component_whose_rows_all_miss_in_a_part_keeps_that_part_alone():
    family = Product([(0, Poisson()), (1, Exponential())])
    x = family.prepare([[1, np.nan], [3, np.nan], [5, 2.0], [7, 4.0]])
    before = ProductParams(
        (PoissonParams([[9.0], [9.0]]), ExponentialParams([[8.0], [8.0]], [1.0])),
    )
    after = family.fit(x, np.repeat(np.eye(2), 2, axis=0), before)
    assert after.parts[0].rates.ravel().tolist() == [2.0, 6.0]
    assert after.parts[1].means.ravel().tolist() == [8.0, 3.0]
    start = family.fit(x, np.repeat(np.eye(2), 2, axis=0))
    assert start.parts[1].means.ravel().tolist() == [3.0, 3.0]


def test_without_any_responsibilities_all_seen_rows_together_are_the_start():
    family = Product([(0, Poisson()), (1, Exponential())])
    x = family.prepare([[1, np.nan], [3, 2.0], [np.nan, 4.0]])
    start = family.fit(x, np.zeros((3, 2)))
    assert start.parts[0].rates.ravel().tolist() == [2.0, 2.0]
    assert start.parts[1].means.ravel().tolist() == [3.0, 3.0]


def test_a_part_without_any_seen_row_is_refused_at_the_start_and_kept_later():
    family = Product([(0, Poisson()), (1, Exponential())])
    empty = family.prepare([[1, np.nan], [3, np.nan]])
    with pytest.raises(ValueError, match=r"No row is seen in the part of Exponential \(column 1"):
        family.fit(empty, np.ones((2, 1)))
    before = family.fit(family.prepare([[1, 2.0]]), np.ones((1, 1)))
    after = family.fit(empty, np.ones((2, 1)), before)
    assert after.parts[0].rates.item() == 2.0
    assert after.parts[1] is before.parts[1]


@pytest.mark.parametrize(
    "part",
    [Poisson(), NegativeBinomial(), Exponential(), Gamma(), VonMises(), Categorical(3), Bernoulli()],
    ids=lambda family: type(family).__name__,
)
def test_a_piece_of_the_data_in_which_a_part_misses_has_sums_of_zero(part):
    family = Product([(0, Poisson()), (1, part)])
    whole = family.prepare([[1, 1.0], [3, np.nan], [4, 1.0], [2, np.nan]])
    params = family.fit(whole, np.ones((4, 2)) / 2)
    piece = whole.take(np.array([False, True, False, True]))
    assert np.allclose(family.log_density(params, piece), family.log_density(params, whole)[1::2])
    sums = family.statistics(params, piece, np.ones((2, 2)))
    assert all((np.asarray(leaf) == 0).all() for _, leaf in tree.leaves(sums[1]))


class Rayleigh(Family):
    """The family of the documentation, which knows nothing of gaps."""

    def log_density(self, params, x):
        return np.log(x / params["scales"] ** 2) - x**2 / (2 * params["scales"] ** 2)

    def fit(self, x, responsibilities, params=None):
        sums = (responsibilities.T @ x**2)[:, 0]
        return {"scales": np.sqrt(sums / (2 * responsibilities.sum(axis=0)))}

    def sample(self, params, components, rng):
        return rng.rayleigh(params["scales"][components])[:, None]


def test_a_family_that_knows_nothing_of_gaps_never_meets_one():
    family = Product([(0, Rayleigh()), (1, Poisson())])
    x = family.prepare([[1.0, 1], [np.nan, 2], [3.0, np.nan]])
    params = family.fit(x, np.ones((3, 1)))
    assert params.parts[0]["scales"].tolist() == [np.sqrt(10 / 4)]
    density = family.log_density(params, x)
    assert density[1].item() == Poisson().log_density(params.parts[1], Poisson().prepare([[2]])).item()
    assert np.array_equal(family.log_density(params, x.take([2, 0])), density[[2, 0]])


def test_it_is_additive_only_if_all_parts_are():
    assert MIXED.is_additive
    assert Product([([0, 1], LogisticRegression())]).is_additive
    assert not Product([(2, Poisson()), ([0, 1], PoissonRegression())]).is_additive


def test_floors_and_caps_of_parts_are_those_of_the_product():
    family = Product([(0, Poisson()), (1, Exponential())])
    params = family.fit(family.prepare([[1, 0.0], [3, 8.0]]), np.eye(2))
    spaces = spaces_of(family, params)
    assert spaces["parts", 1, "means"].lower.tolist() == [4e-6]
    assert spaces["parts", 1, "means"].on_floor(params.parts[1].means)


def test_columns_may_come_in_any_order_and_some_be_left_out():
    family = Product([(2, Poisson()), (0, Exponential())])
    params = ProductParams((PoissonParams([[5.0]]), ExponentialParams([[0.5]], [1.0])))
    assert np.array_equal(family.mean(params), [[0.5, np.nan, 5.0]], equal_nan=True)
    drawn = family.sample(params, np.zeros(5000, dtype=int), np.random.default_rng(0))
    assert np.isnan(drawn[:, 1]).all()
    assert np.allclose(drawn[:, [0, 2]].mean(axis=0), [0.5, 5.0], rtol=0.05)
    kept = family.simulate(params, np.zeros(5000, dtype=int), np.ones((5000, 4)), np.random.default_rng(0))
    assert (kept[:, [1, 3]] == 1).all()


def test_features_are_standardised_and_free_of_gaps():
    features = MIXED.features(MIXED.prepare(table(missing=0.3)))
    assert np.isfinite(features).all()
    assert np.allclose(features.mean(axis=0), 0, atol=1e-12)


def test_features_of_a_part_without_seen_rows_are_zeros():
    family = Product([(0, Poisson()), (1, Exponential())])
    features = family.features(family.prepare([[1, np.nan], [4, np.nan]]))
    assert features.tolist() == [[-1.0, 0.0], [1.0, 0.0]]


def test_a_part_that_accepts_gaps_keeps_rows_that_are_seen_in_part():
    family = Product([([0, 1], Gaussian()), (2, Poisson())])
    x = np.random.default_rng(0).normal(size=(50, 3))
    x[:, 2] = np.arange(50) % 4
    x[3, 0] = x[5, 0] = x[5, 1] = np.nan
    params = family.fit(family.prepare(x), np.ones((50, 1)))
    prepared = family.prepare(x)
    counts = Poisson().log_density(params.parts[1], Poisson().prepare(x[:, 2:]))[:, 0]
    pair = family.log_density(params, prepared)[:, 0] - counts
    mean, covariance = params.parts[0].means[0], params.parts[0].covariances[0]
    assert pair[3] == pytest.approx(stats.norm.logpdf(x[3, 1], mean[1], np.sqrt(covariance[1, 1])))
    assert pair[5] == pytest.approx(0.0, abs=1e-12)
    assert prepared.unseen[0].sum() == 1


def test_the_first_rows_of_a_sequence_miss_in_an_autoregressive_part_alone():
    family = Product([(0, Autoregressive(1)), (1, Poisson())])
    x = np.random.default_rng(0).normal(size=(20, 2))
    x[:, 1] = np.arange(20) % 4
    prepared = family.prepare(x, np.array([8, 12]))
    assert np.flatnonzero(prepared.unseen[0]).tolist() == [0, 8]
    assert not prepared.missing.any()
    check_family(family, np.tile(x, (10, 1)), lengths=np.full(10, 20))


def test_wrong_parts_and_wrong_cells_are_named():
    with pytest.raises(ValueError, match="column 1, which is taken"):
        Product([([0, 1], Poisson()), (1, Poisson())])
    with pytest.raises(ValueError, match="column -1, which is negative"):
        Product([(-1, Poisson())])
    with pytest.raises(TypeError, match="pair of columns and a Family"):
        Product([(0, "poisson")])
    with pytest.raises(ValueError, match="at least one part"):
        Product([])
    with pytest.raises(ValueError, match="name column 3, but the data have 2 columns"):
        Product([(3, Poisson())]).prepare([[1, 2]])
    with pytest.raises(ValueError, match=r"part of Poisson, whose columns are 1 of the data: Row 1, column 0 is -2"):
        Product([(1, Poisson())]).prepare([[1, 2], [1, -2]])


def test_notes_of_parts_say_whose_they_are():
    family = Product([(0, Poisson()), ([1, 2], LogisticRegression())])
    x = np.column_stack([np.ones(20), np.repeat([0.0, 1.0], 10), np.arange(20.0)])
    notes = family.notes(family.fit(family.prepare(x), np.ones((20, 1))))
    assert len(notes) == 1
    assert notes[0].startswith("Part of column 1, 2: Coefficients of component 0 run away")
