"""NormalImputer as a scikit-learn transformer, beside IterativeImputer, and what it has beyond one."""

import pickle
import warnings

import numpy as np
import pytest
from emkit_mvn import BlockDiagonal, InverseWishart, Known, MultivariateNormal, Ridge
from emkit_mvn.estimator import NormalImputer
from mvn_tables import AIRQUALITY, AIRQUALITY_FRAME, MURRAY, NHANES
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator

import emkit


def _all_checks():
    faces = [
        NormalImputer(),
        NormalImputer(add_indicator=True, keep_empty_features=True, min_value=-1, prior="ridge"),
        NormalImputer(missing_values=-999),
    ]
    with warnings.catch_warnings():
        # scikit-learn warns about estimators that do not inherit from its own base class; ours never import it.
        warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEstimator`")
        return [pair for face in faces for pair in estimator_checks_generator(face)]


def _name(item):
    check = getattr(item, "func", item)
    return getattr(check, "__name__", repr(item))


# The checks fit tiny and degenerate data on purpose, and do not mind being told.
@pytest.mark.filterwarnings("ignore::emkit.errors.EmkitWarning", "ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(("face", "check"), _all_checks(), ids=_name)
def test_scikit_learns_estimator_checks(face, check):
    check(face)


def test_the_airquality_table_is_filled_from_its_maximum_likelihood_fit():
    """The reference values are those of EM row by row in plain numpy, run until nothing moves any more."""
    imputer = NormalImputer(tol=0).fit(AIRQUALITY)
    filled = imputer.transform(AIRQUALITY)
    assert filled[4, 0] == pytest.approx(-11.808389, abs=1e-6)
    assert filled[26, 0] == pytest.approx(14.183844, abs=1e-6)
    np.testing.assert_allclose(imputer.mean_[:2], [42.522163421, 185.5344904793], rtol=1e-7)
    assert imputer.result_.log_likelihood == pytest.approx(-3123.9792854747, abs=1e-8)
    assert imputer.converged_
    assert imputer.n_iter_ == imputer.result_.n_iter
    assert imputer.n_features_with_missing_ == 2


def test_it_works_in_searches_column_transformers_clones_and_pickles():
    search = GridSearchCV(NormalImputer(), {"prior": [None, "ridge", Ridge(5), Ridge(500)]}, cv=5)
    assert search.fit(NHANES).best_params_["prior"] == Ridge(5)
    columns = ColumnTransformer([("fill", NormalImputer(), ["ozone", "wind", "temp"])], remainder="drop")
    columns.set_output(transform="pandas")
    assert list(columns.fit_transform(AIRQUALITY_FRAME).columns) == ["fill__ozone", "fill__wind", "fill__temp"]
    fitted = NormalImputer(min_value=np.zeros(6), add_indicator=True).fit(AIRQUALITY_FRAME)
    assert clone(fitted).get_params().keys() == fitted.get_params().keys()
    back = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(back.transform(AIRQUALITY_FRAME), fitted.transform(AIRQUALITY_FRAME))


def test_several_starts_find_the_maximum_beside_the_saddle():
    """Murray (1977): from no correlation EM stops at a saddle of -30.033; the two maxima are higher."""
    one = NormalImputer(random_state=0, n_init=5).fit(MURRAY)
    assert one.result_.log_likelihood == pytest.approx(-29.9742864105, abs=1e-6)
    assert abs(one.covariance_[0, 1]) == pytest.approx(4 / 3, rel=1e-3)
    assert len(one.result_.starts) == 5


@pytest.mark.parametrize("structure", ["full", "diag", "spherical", "exchangeable", BlockDiagonal((0, 0, 1, 1, 2, 2))])
def test_covariance_structures_are_those_of_the_model(structure):
    imputer = NormalImputer(covariance_type=structure).fit(AIRQUALITY)
    expected = emkit.fit(MultivariateNormal(structure), AIRQUALITY).params
    np.testing.assert_allclose(imputer.covariance_, expected.covariance, rtol=1e-9)


@pytest.mark.filterwarnings("ignore:.*without any observed values")
def test_structures_given_for_all_columns_lose_those_that_are_empty():
    x = np.insert(AIRQUALITY, 1, np.nan, axis=1)
    blocks = NormalImputer(covariance_type=BlockDiagonal(["a", "z", "a", "b", "b", "c", "c"])).fit(x)
    without = NormalImputer(covariance_type=BlockDiagonal(["a", "a", "b", "b", "c", "c"])).fit(AIRQUALITY)
    np.testing.assert_array_equal(np.delete(np.delete(blocks.covariance_, 1, 0), 1, 1), without.covariance_)
    known = NormalImputer(covariance_type=Known(np.diag(np.arange(1.0, 8)))).fit(x)
    np.testing.assert_array_equal(np.diag(known.covariance_), [1, np.nan, 3, 4, 5, 6, 7])


@pytest.mark.filterwarnings("ignore:.*without any observed values")
def test_what_is_given_for_another_number_of_columns_is_refused_though_some_are_empty():
    x = np.insert(AIRQUALITY, 1, np.nan, axis=1)
    for settings in (
        {"covariance_type": BlockDiagonal("aabbcc")},
        {"covariance_type": Known(np.eye(6))},
        {"prior": InverseWishart(9, np.eye(6))},
    ):
        with pytest.raises(ValueError, match=r"7 columns|n_features=7"):
            NormalImputer(**settings).fit(x)


@pytest.mark.filterwarnings("ignore:.*without any observed values")
def test_a_prior_given_for_all_columns_loses_those_that_are_empty():
    scale, mean = np.diag(np.arange(1.0, 8)), np.arange(7.0)
    x = np.insert(AIRQUALITY, 1, np.nan, axis=1)
    found = NormalImputer(prior=InverseWishart(20, scale, mean, 3)).fit(x)
    kept = [0, 2, 3, 4, 5, 6]
    block = InverseWishart(19, scale[np.ix_(kept, kept)], mean[kept], 3)
    expected = NormalImputer(prior=block).fit(AIRQUALITY)
    np.testing.assert_array_equal(found.mean_[kept], expected.mean_)
    np.testing.assert_array_equal(found.covariance_[np.ix_(kept, kept)], expected.covariance_)


def test_the_model_names_its_face():
    assert MultivariateNormal.face is NormalImputer


def test_the_answer_is_likelier_than_that_of_chained_regressions():
    """The fixed point of IterativeImputer is no maximum: a fit to its completed table is less likely to be seen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = IterativeImputer(max_iter=100).fit_transform(AIRQUALITY)
    ours = NormalImputer().fit(AIRQUALITY)
    assert np.abs(ours.transform(AIRQUALITY) - theirs).max() > 20
    assert NormalImputer().fit(theirs).score(AIRQUALITY) < ours.score(AIRQUALITY)
