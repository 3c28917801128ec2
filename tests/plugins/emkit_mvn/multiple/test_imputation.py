"""Multiple imputation against published results and its own promises."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from emkit_mvn import InverseWishart, Ridge
from emkit_mvn.multiple.imputation import multiple_imputation
from mvn_tables import AIRQUALITY, CHOLESTEROL, EMPLOYEE, MARIJUANA, SLEEP
from scipy import stats

import emkit
from emkit.errors import DegenerateError, DegenerateWarning, FitFailedError


@pytest.mark.parametrize("method", ["augmentation", "bootstrap"])
def test_params_vary_by_their_standard_errors(method):
    imputations = multiple_imputation(AIRQUALITY, 200, method=method, random_state=2)
    errors = imputations.result.standard_errors(AIRQUALITY).mean
    means = np.array([params.mean for params in imputations.params])
    np.testing.assert_allclose(means.std(axis=0), errors, rtol=0.2)
    assert (np.abs(means.mean(axis=0) - imputations.result.params.mean) < 0.3 * errors).all()


def differences(table):
    """Means of the paired differences, with their squared standard errors."""
    y1, y2, y3 = table.T
    each = np.column_stack([y2 - y1, y3 - y1, y3 - y2])
    return each.mean(axis=0), each.var(axis=0, ddof=1) / len(each)


@pytest.mark.parametrize("method", ["augmentation", "bootstrap"])
def test_differences_of_cholesterol_levels(method):
    """Against maximum likelihood, and 25 imputations by R package norm2 2.0 (its tests): -23.2860 (7.2340, 25.2 df),
    -28.8020 (10.8650) and -5.5163 (7.5641). Its last two estimates come from few draws: they are 3 Monte Carlo
    standard errors from their limit for many, so only their errors are compared.
    """
    imputations = multiple_imputation(CHOLESTEROL, 200, method=method, random_state=1)
    pooled = imputations.pool(differences, df_complete=27)
    assert pooled.estimate[0] == pytest.approx(-23.2860, abs=5e-4)
    assert pooled.standard_error[0] == pytest.approx(7.2340, abs=5e-5)
    assert pooled.df[0] == pytest.approx(25.2, abs=0.05)
    np.testing.assert_allclose(pooled.standard_error[1:], [10.8650, 7.5641], rtol=0.1)
    # The mean of EM, 222.2371702221, less those of the complete columns.
    noise = np.sqrt(pooled.between[1:] / 200)
    assert (np.abs(pooled.estimate[1:] - [-31.6914012, -8.4056869]) < 4 * noise).all()


def test_intervals_cover_the_truth_as_often_as_they_say():
    """The mean of a column seen in half of the rows, the larger the rarer; without its gaps the mean is biased."""
    hits = naive = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((50, 2)) @ [[1.0, 0.8], [0.0, 0.6]]
        x[rng.random(50) < stats.norm.cdf(1.5 * x[:, 0]), 1] = np.nan
        imputations = multiple_imputation(x, 10, random_state=seed)
        pooled = imputations.pool(lambda y: (y[:, 1].mean(), y[:, 1].var(ddof=1) / 50), df_complete=49)
        low, high = pooled.intervals(0.9)
        hits += low < 0 < high
        seen = x[~np.isnan(x[:, 1]), 1]
        naive += abs(seen.mean()) < 1.7 * seen.std() / np.sqrt(len(seen))
    assert 0.82 < hits / 100 < 0.97
    assert naive / 100 < 0.5


def test_pooling_asks_for_pairs_and_runs_where_it_is_told():
    imputations = multiple_imputation(CHOLESTEROL, 5, random_state=0)
    serial = imputations.pool(differences)
    with ThreadPoolExecutor(2) as pool:
        for engine in (2, pool, emkit.ThreadEngine(2)):
            np.testing.assert_array_equal(imputations.pool(differences, engine=engine).total, serial.total)
    with pytest.raises(ValueError, match=r"pair \(estimate, variance\)"):
        imputations.pool(lambda table: table.mean())
    with pytest.raises(TypeError, match="engine must be"):
        imputations.pool(differences, engine="threads")


@pytest.mark.parametrize("method", ["augmentation", "bootstrap"])
def test_the_same_integer_gives_the_same_imputations_on_any_engine(method):
    first = list(multiple_imputation(EMPLOYEE, 3, method=method, random_state=4))
    for engine in (None, 2):
        again = multiple_imputation(EMPLOYEE, 3, method=method, random_state=4, engine=engine)
        np.testing.assert_array_equal(first, list(again))
    gaps = np.isnan(EMPLOYEE)
    other = multiple_imputation(EMPLOYEE, 3, method=method, random_state=5)
    drawn = np.array([table[gaps] for table in [*first, *other]])
    assert len(np.unique(drawn, axis=0)) == 6


def test_sources_of_randomness_go_on_or_stay_as_they_are():
    source = np.random.default_rng(0)
    a, b = (multiple_imputation(EMPLOYEE, 1, random_state=source)[0] for _ in range(2))
    assert (a != b).any()
    sequence = np.random.SeedSequence(5)
    a, b = (multiple_imputation(EMPLOYEE, 1, random_state=sequence)[0] for _ in range(2))
    np.testing.assert_array_equal(a, b)
    assert sequence.n_children_spawned == 0


def test_the_bootstrap_has_no_steps():
    imputations = multiple_imputation(EMPLOYEE, 2, method="bootstrap", random_state=0)
    assert (imputations.burn_in, imputations.spacing, len(imputations.trace)) == (0, 0, 0)
    assert "burn_in" not in repr(imputations)
    with pytest.raises(ValueError, match="burn_in counts steps of method='augmentation'"):
        multiple_imputation(EMPLOYEE, 2, method="bootstrap", burn_in=10)


@pytest.mark.parametrize("method", ["augmentation", "bootstrap"])
def test_too_few_rows_ask_for_a_prior_that_suffices(method):
    with pytest.raises(ValueError, match=r"5 rows do not determine .* 6 columns.*prior=Ridge\(df\) with df above 1"):
        multiple_imputation(MARIJUANA[:5], 2, method=method)
    with pytest.raises(ValueError, match=r"6 rows do not determine .*: give prior='ridge'"):
        multiple_imputation(MARIJUANA[:6], 2, method=method)
    for rows, prior in ((5, Ridge(1.5)), (6, "ridge")):
        tables = multiple_imputation(MARIJUANA[:rows], 2, method=method, prior=prior, random_state=0)
        assert np.isfinite(list(tables)).all()


def test_a_column_seen_in_too_few_rows_is_named():
    x = AIRQUALITY[:30].copy()
    x[4:, 1] = np.nan
    with pytest.raises(ValueError, match="Column 1 is seen in 4 rows"):
        multiple_imputation(x, 2)
    assert np.isfinite(multiple_imputation(x, 2, prior="ridge", random_state=0)[0]).all()


def test_whole_weights_are_needed_where_rows_are_augmented():
    weights = np.ones(20)
    weights[3] = 1.5
    with pytest.raises(ValueError, match=r"sample_weight\[3\] is 1.5.*method='bootstrap'"):
        multiple_imputation(EMPLOYEE, 2, sample_weight=weights)
    tables = multiple_imputation(EMPLOYEE, 2, sample_weight=weights, method="bootstrap", random_state=0)
    assert np.isfinite(list(tables)).all()


@pytest.mark.parametrize("method", ["augmentation", "bootstrap"])
def test_weights_narrow_the_draws_of_the_params(method):
    spreads = []
    for weight in (1, 25):
        imputations = multiple_imputation(
            CHOLESTEROL, 150, method=method, sample_weight=np.full(28, weight), random_state=0
        )
        spreads.append(np.std([params.mean for params in imputations.params], axis=0))
    np.testing.assert_allclose(spreads[0] / spreads[1], 5, rtol=0.3)


# On the floor differences of the EM map are rounding, and may or may not show a rate of one.
@pytest.mark.filterwarnings("ignore:multiple_imputation. the gaps hide:emkit.errors.ConvergenceWarning")
def test_collinear_columns_are_imputed_with_a_warning():
    with pytest.warns(DegenerateWarning, match="eigenvalue floor"):
        imputations = multiple_imputation(SLEEP, 2, random_state=0)
    table = imputations[0]
    # Total sleep is the sum of its two kinds; the two have gaps in other rows than the total.
    assert np.isfinite(table).all()
    assert np.abs(table[:, 2] + table[:, 3] - table[:, 4]).max() < 0.1


def test_a_prior_is_part_of_the_posterior():
    prior = InverseWishart(500, 500 * np.eye(3), mean=np.zeros(3), strength=1e5)
    imputations = multiple_imputation(EMPLOYEE, 20, prior=prior, random_state=0)
    means = np.array([params.mean for params in imputations.params])
    assert np.abs(means).max() < 1


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"n_imputations": 0}, "n_imputations must be a whole number"),
        ({"method": "mice"}, "method must be one of 'augmentation', 'bootstrap'"),
        ({"spacing": 0}, "spacing must be a whole number"),
        ({"prior": "flat"}, "prior must be None"),
        ({"min_value": 3.0, "max_value": 2.0}, "min_value >= max_value"),
        ({"random_state": -1}, "must not be negative"),
        ({"sample_weight": np.zeros(20)}, "All entries of sample_weight are zero"),
    ],
)
def test_bad_arguments_are_named(settings, match):
    with pytest.raises(ValueError, match=match):
        multiple_imputation(EMPLOYEE, **settings)


def test_columns_without_a_seen_cell_are_named():
    with pytest.raises(ValueError, match="Column 3 has no seen cell"):
        multiple_imputation(np.column_stack([EMPLOYEE, np.full(20, np.nan)]), 2)


@pytest.mark.parametrize("method", ["augmentation", "bootstrap"])
@pytest.mark.parametrize("names", [["iq", "mood", "work", "x"], [7, 8, 9, 1]])
def test_messages_name_columns_as_the_frame_does(method, names):
    label = repr(names[3])
    frame = pd.DataFrame(np.column_stack([EMPLOYEE, np.full(20, np.nan)]), columns=names)
    with pytest.raises(ValueError, match=f"Column {label} has no seen cell"):
        multiple_imputation(frame, 2, method=method)
    frame.loc[[0, 1], names[3]] = [1.0, 2.0]
    with pytest.raises(ValueError, match=f"Column {label} is seen in 2 rows"):
        multiple_imputation(frame, 2, method=method)
    frame[names[3]] = 1e300 * frame[names[0]]
    with pytest.raises(ValueError, match=f"Column {label} has a standard deviation"):
        multiple_imputation(frame, 2, method=method)


def test_notes_name_columns_as_the_frame_does():
    apart = np.where((np.arange(60) < 30)[:, None] == [True, False, False], np.nan, AIRQUALITY[:60, 2:5])
    with pytest.warns(DegenerateWarning, match="No row sees columns 'a' and 'b', 'a' and 'c' together"):
        multiple_imputation(pd.DataFrame(apart, columns=["a", "b", "c"]), 1, prior="ridge", random_state=0)


def test_a_column_that_a_bootstrap_always_loses_is_named():
    """Seen in more rows than another column, but in rows that hardly count."""
    frame = pd.DataFrame(np.column_stack([AIRQUALITY[:, 2:4], np.full(153, np.nan)]), columns=["a", "b", "rare"])
    frame.loc[:19, "rare"] = np.arange(20.0)
    frame.loc[(frame.index < 15) | (frame.index > 32), "b"] = np.nan
    weights = np.r_[np.full(20, 1e-9), np.ones(133)]
    with pytest.raises(FitFailedError, match="left column 'rare' without a seen cell"):
        multiple_imputation(frame, 2, method="bootstrap", prior="ridge", sample_weight=weights, random_state=0)


@pytest.mark.parametrize("method", ["augmentation", "bootstrap"])
def test_more_rows_than_can_be_counted_are_refused(method):
    with pytest.raises(ValueError, match=r"adds up to 2e\+21 rows.*Divide the weights"):
        multiple_imputation(EMPLOYEE, 2, method=method, sample_weight=np.full(20, 1e20))


def test_a_chain_that_cannot_go_on_asks_for_what_can_be_given():
    """There is no floor to enlarge in a chain."""
    x = np.vstack([AIRQUALITY[:, 2:], np.full((1, 4), 1e10)])
    x[0, 0] = np.nan
    with (
        pytest.warns(DegenerateWarning),
        pytest.raises(DegenerateError, match=r"leave out such columns, or give a prior"),
    ):
        multiple_imputation(x, 2, random_state=0)
