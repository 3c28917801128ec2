"""Symbols: shares of counts, several columns, symbols nobody has seen."""

import numpy as np
import pytest
from scipy import stats

from emkit.families import Categorical, CategoricalParams, DirichletPrior
from emkit.families.discrete.categorical import MAX_GUESSED
from emkit.space import spaces_of
from emkit.testing import check_family


def symbols(n_samples=200, sizes=(4,), seed=0):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.integers(size, size=n_samples) for size in sizes]).astype(float)


def shares(n_samples, n_components=2, seed=1):
    return np.random.default_rng(seed).dirichlet(np.ones(n_components), n_samples)


@pytest.mark.parametrize(
    ("family", "sizes"),
    [
        (Categorical(), (4,)),
        (Categorical(6, DirichletPrior(1.5)), (4,)),
        (Categorical(), (2, 5)),
        (Categorical([3, 5], DirichletPrior([2, 1, 1.5, 1.5, 1])), (3, 4)),
    ],
)
def test_symbols_keep_the_laws_of_families(family, sizes):
    check_family(family, symbols(sizes=sizes))


def test_densities_are_logarithms_of_the_table():
    x = symbols(sizes=(3, 2))
    cube = np.array([[[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]], [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]]])
    family = Categorical([3, 2])
    density = family.log_density(CategoricalParams(cube, [3, 2]), family.prepare(x))
    rows = x.astype(int)
    for k in range(2):
        with np.errstate(divide="ignore"):
            expected = [stats.rv_discrete(values=(range(len(p)), p)).logpmf(rows[:, j]) for j, p in enumerate(cube[k])]
        assert np.array_equal(np.isneginf(density[:, k]), np.isneginf(sum(expected)))
        seen = np.isfinite(density[:, k])
        assert np.allclose(density[seen, k], sum(expected)[seen], rtol=1e-12)


def test_estimates_are_weighted_shares_of_every_column():
    x, responsibilities = symbols(sizes=(3, 5)), shares(200)
    family = Categorical()
    fitted = family.fit(family.prepare(x), responsibilities)
    assert fitted.n_symbols.tolist() == [3, 5]
    for j in range(2):
        for s in range(5):
            expected = responsibilities[x[:, j] == s].sum(axis=0) / responsibilities.sum(axis=0)
            assert np.allclose(fitted.probabilities[:, j, s], expected, rtol=1e-12)


def test_one_column_has_a_matrix_of_probabilities_and_a_prior_adds_observations():
    family = Categorical(3, DirichletPrior([2, 1, 1]))
    fitted = family.fit(family.prepare([[0], [1], [1]]), np.ones((3, 1)))
    assert fitted.probabilities.tolist() == [[0.5, 0.5, 0.0]]


def test_a_prior_gives_nothing_to_symbols_that_a_column_lacks():
    family = Categorical([2, 3], DirichletPrior(2.0))
    params = family.fit(family.prepare([[0, 2], [0, 2]]), np.ones((2, 1)))
    assert params.probabilities[0].tolist() == [[0.75, 0.25, 0.0], [0.2, 0.2, 0.6]]


def test_an_undeclared_symbol_is_named():
    with pytest.raises(ValueError, match=r"Row 2, column 0 is 3.*symbols 0 to 2"):
        Categorical(3).prepare([[0], [1], [3]])
    with pytest.raises(ValueError, match="Row 1, column 0 is -1"):
        Categorical().prepare([[0], [-1]])
    with pytest.raises(ValueError, match=r"Row 0, column 0 is 0\.5"):
        Categorical().prepare([[0.5]])
    with pytest.raises(ValueError, match="n_symbols says otherwise"):
        Categorical().prepare([[MAX_GUESSED]])


def test_a_symbol_that_the_fit_has_not_seen_is_named():
    family = Categorical()
    fitted = family.fit(family.prepare([[0], [1]]), np.ones((2, 1)))
    later = family.prepare([[0], [0], [2]])
    for ask in (family.log_density, lambda params, x: family.statistics(params, x, np.ones((3, 1)))):
        with pytest.raises(ValueError, match=r"Row 2, column 0 is symbol 2.*0 to 1 only"):
            ask(fitted, later)


def test_rows_of_a_part_with_fewer_symbols_count_in_the_whole_table():
    family = Categorical()
    whole = family.prepare([[0], [2], [1], [0]])
    params = family.fit(whole, np.ones((4, 1)))
    part = family.statistics(params, family.prepare([[0], [0]]), np.ones((2, 1)))
    assert part.symbols.tolist() == [[[2.0, 0.0, 0.0]]]


def test_symbols_that_a_column_lacks_are_no_parameters():
    family = Categorical([2, 3])
    params = family.fit(family.prepare([[0, 2], [1, 1]]), np.ones((2, 1)))
    spaces = spaces_of(family, params)
    assert sum(spaces[path].n_free(getattr(params, path[0])) for path in spaces) == 1 + 2


def test_columns_and_their_numbers_of_symbols_must_agree():
    with pytest.raises(ValueError, match="names 2 columns, but the data have 1"):
        Categorical([2, 3]).prepare([[0], [1]])
    with pytest.raises(ValueError, match=r"n_symbols\[1\]"):
        Categorical([2, 0])


def test_samples_have_the_shares_of_the_params():
    params = CategoricalParams([[0.2, 0.0, 0.8], [0.5, 0.5, 0.0]], [3])
    components = np.repeat([0, 1], 20_000)
    drawn = Categorical(3).sample(params, components, np.random.default_rng(0)).ravel()
    for k in range(2):
        counts = np.bincount(drawn[components == k].astype(int), minlength=3)
        assert np.allclose(counts / 20_000, params.probabilities[k], atol=0.015)
        assert (counts[params.probabilities[k] == 0] == 0).all()
