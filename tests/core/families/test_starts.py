"""Starts: partitions that depend on the weighted set of rows alone."""

import numpy as np
import pytest

from emkit.families import STARTS, kmeans_plusplus_responsibilities, kmeans_responsibilities, starts

every_start = pytest.mark.parametrize("start", STARTS.values(), ids=STARTS.keys())
partitions = pytest.mark.parametrize(
    "start",
    [start for name, start in STARTS.items() if name != "random"],
    ids=[n for n in STARTS if n != "random"],
)


def blobs(n_samples=300, n_features=2, separation=8.0, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=n_samples)
    x = separation * np.eye(3, n_features)[labels] + rng.normal(size=(n_samples, n_features))
    return x, labels


def cost(x, responsibilities, weights):
    total = 0.0
    for r in responsibilities.T * weights:
        if r.any():
            total += r @ ((x - np.average(x, axis=0, weights=r)) ** 2).sum(axis=1)
    return total


def test_random_shares_go_to_a_few_rows_so_that_the_components_differ():
    """With shares for all of 100 000 rows the means would differ by a hundredth of a standard deviation."""
    x = np.random.default_rng(0).normal(size=(100_000, 1))
    responsibilities = STARTS["random"](x, 2, np.random.default_rng(1))
    sums = responsibilities.sum(axis=1)
    assert set(np.round(np.unique(sums), 12)) == {0.0, 1.0}
    assert (sums > 0).sum() == starts.RANDOM_ROWS * 2 * 2
    gaps = []
    for seed in range(20):
        shares = STARTS["random"](x, 2, np.random.default_rng(seed))
        gaps.append(np.ptp(shares.T @ x[:, 0] / shares.sum(axis=0)))
    assert np.median(gaps) > 0.1


@partitions
def test_responsibilities_sum_to_one(start):
    x, _ = blobs()
    responsibilities = start(x, 4, np.random.default_rng(1))
    assert responsibilities.shape == (300, 4)
    assert (responsibilities >= 0).all()
    np.testing.assert_allclose(responsibilities.sum(axis=1), 1.0)
    assert (responsibilities.sum(axis=0) > 0).all()


@partitions
def test_a_partition_puts_each_row_into_one_component(start):
    x, _ = blobs()
    assert set(np.unique(start(x, 4, np.random.default_rng(1)))) == {0.0, 1.0}


@every_start
def test_the_same_generator_gives_the_same_start(start):
    x, _ = blobs()
    one, two, other = (start(x, 4, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


@pytest.mark.parametrize("seed", range(5))
@every_start
def test_an_integer_weight_is_a_repetition(start, seed):
    x, _ = blobs()
    weights = np.random.default_rng(seed).integers(0, 4, size=len(x))
    weighted = start(x, 4, np.random.default_rng(seed), weights.astype(float))
    repeated = start(np.repeat(x, weights, axis=0), 4, np.random.default_rng(seed))
    np.testing.assert_array_equal(np.repeat(weighted, weights, axis=0), repeated)


@pytest.mark.parametrize("seed", range(5))
@every_start
def test_the_order_of_the_rows_is_immaterial(start, seed):
    rng = np.random.default_rng(seed)
    x = np.round(blobs()[0], 1)  # with equal rows of different weight among them
    weights, order = rng.exponential(size=len(x)), rng.permutation(len(x))
    straight = start(x, 4, np.random.default_rng(seed), weights)
    permuted = start(x[order], 4, np.random.default_rng(seed), weights[order])
    np.testing.assert_array_equal(straight[order], permuted)


def test_the_weights_of_equal_rows_add_up_alike_in_any_order():
    rng = np.random.default_rng(7)
    x, weights = np.repeat([[1.0, 2.0], [0.0, 3.0]], 50, axis=0), rng.exponential(size=100)
    straight = starts._canonical_rows(x, weights, rng).weights
    for _ in range(20):
        order = rng.permutation(100)
        np.testing.assert_array_equal(starts._canonical_rows(x[order], weights[order], rng).weights, straight)


@every_start
def test_fewer_distinct_rows_than_components_leave_some_empty(start):
    x = np.repeat([[0.0, 1.0], [2.0, 3.0]], 10, axis=0)
    responsibilities = start(x, 5, np.random.default_rng(0))
    assert np.isfinite(responsibilities).all()
    np.testing.assert_allclose(responsibilities.sum(axis=1), 1.0)
    np.testing.assert_array_equal(responsibilities[0], responsibilities[9])
    assert (responsibilities[0] != responsibilities[10]).any()


@partitions
def test_as_many_distinct_rows_as_components_are_all_told_apart(start):
    x = np.repeat(np.random.default_rng(3).normal(size=(6, 2)), 4, axis=0)
    for seed in range(10):
        responsibilities = start(x, 6, np.random.default_rng(seed))
        np.testing.assert_array_equal(responsibilities.sum(axis=0), np.full(6, 4.0))


@every_start
def test_one_component_takes_everything(start):
    np.testing.assert_array_equal(start(blobs()[0], 1, np.random.default_rng(0)), 1.0)


@every_start
def test_weights_that_are_all_zero_give_an_answer(start):
    x, _ = blobs(20)
    assert np.isfinite(start(x, 3, np.random.default_rng(0), np.zeros(20))).all()


@pytest.mark.parametrize("start", [kmeans_responsibilities, kmeans_plusplus_responsibilities])
def test_clear_groups_are_found(start):
    x, labels = blobs(n_features=3, separation=30.0)
    for seed in range(10):
        agreement = start(x, 3, np.random.default_rng(seed)).T @ np.eye(3)[labels]
        assert (agreement.max(axis=1) == agreement.sum(axis=1)).all()


def test_k_means_ends_where_no_row_is_nearer_to_another_mean(monkeypatch):
    monkeypatch.setattr(starts, "LLOYD_TOLERANCE", 0.0)
    x, _ = blobs(separation=2.0)
    weights = np.random.default_rng(4).exponential(size=len(x))
    responsibilities = kmeans_responsibilities(x, 4, np.random.default_rng(4), weights)
    shares = responsibilities * weights[:, None]
    means = shares.T @ x / shares.sum(axis=0)[:, None]
    nearest = ((x[:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(nearest, responsibilities.argmax(axis=1))


def test_k_means_costs_no_more_than_its_seeding_and_rarely_more_than_scikit_learn():
    cluster = pytest.importorskip("sklearn.cluster")
    x, _ = blobs(n_features=3, separation=4.0)
    weights = np.random.default_rng(5).exponential(size=len(x))
    ours, theirs = [], []
    for seed in range(10):
        seeded = kmeans_plusplus_responsibilities(x, 5, np.random.default_rng(seed), weights)
        ours.append(cost(x, kmeans_responsibilities(x, 5, np.random.default_rng(seed), weights), weights))
        assert ours[-1] <= cost(x, seeded, weights) + 1e-9
        theirs.append(cluster.KMeans(5, n_init=1, random_state=seed).fit(x, sample_weight=weights).inertia_)
    assert np.median(ours) <= 1.05 * np.median(theirs)


def test_an_empty_cluster_takes_over_the_costliest_row():
    rows = starts._canonical_rows(np.array([[0.0], [1.0], [2.0], [50.0]]), None, np.random.default_rng(0))
    centres = starts._lloyd(rows, np.array([[1.0], [1.0], [1.0]]))
    assert 50.0 in centres
    assert len(np.unique(starts._nearest(rows.values, centres)[0])) == 3


@every_start
def test_above_the_bound_a_subsample_stands_for_the_rows(start, monkeypatch):
    monkeypatch.setattr(starts, "MAX_SEED_ROWS", 50)
    x, labels = blobs(n_features=3, separation=30.0)
    responsibilities = start(x, 3, np.random.default_rng(1))
    if start is not STARTS["random"]:
        np.testing.assert_allclose(responsibilities.sum(axis=1), 1.0)
    np.testing.assert_array_equal(responsibilities, start(x, 3, np.random.default_rng(1)))
    if start is kmeans_responsibilities:
        agreement = responsibilities.T @ np.eye(3)[labels]
        assert (agreement.max(axis=1) == agreement.sum(axis=1)).all()
