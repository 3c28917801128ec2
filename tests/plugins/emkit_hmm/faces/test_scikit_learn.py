"""The faces as scikit-learn estimators."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from emkit_hmm import GMMHMM, HMM, GaussianHMM, PoissonHMM
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator

from emkit import datasets, errors

FAITHFUL = datasets.old_faithful().values
QUAKES = datasets.earthquakes().values
#: In a sequence the order of the rows counts, and none stands alone.
NOT_FOR_SEQUENCES = {"check_methods_sample_order_invariance", "check_methods_subset_invariance"}


class _Unsupervised:
    """Makes scikit-learn's ``y``, which is ignored, the second argument of ``fit`` and ``score``."""

    def fit(self, X, y=None):
        return super().fit(X)

    def score(self, X, y=None):
        return super().score(X)


class _Gaussian(_Unsupervised, GaussianHMM):
    pass


class _Mixture(_Unsupervised, GMMHMM):
    pass


class _General(_Unsupervised, HMM):
    pass


def _all_checks():
    faces = [
        _Gaussian(),
        _Gaussian(2, "full", random_state=0),
        _Mixture(2, n_mix=2, random_state=0),
        _General(2, random_state=0),
    ]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEstimator`")
        pairs = [pair for face in faces for pair in estimator_checks_generator(face)]
    return [(face, check) for face, check in pairs if _name(check) not in NOT_FOR_SEQUENCES]


def _name(item):
    check = getattr(item, "func", item)
    return getattr(check, "__name__", repr(item))


# The checks fit tiny and degenerate data on purpose, and do not mind being told.
@pytest.mark.filterwarnings("ignore::emkit.errors.EmkitWarning", "ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(("estimator", "check"), _all_checks(), ids=_name)
def test_scikit_learns_estimator_checks(estimator, check):
    check(estimator)


def test_the_checks_left_out_are_two_that_no_sequence_model_can_pass():
    names = {_name(check) for _, check in estimator_checks_generator(StandardScaler())}
    assert names >= NOT_FOR_SEQUENCES
    hmm = PoissonHMM(2, random_state=0).fit(QUAKES)
    assert not np.allclose(hmm.predict_proba(QUAKES[::-1]), hmm.predict_proba(QUAKES)[::-1], atol=1e-3)


@pytest.mark.parametrize("face", [GaussianHMM, GMMHMM, PoissonHMM, HMM])
def test_tags_say_that_nan_is_taken(face):
    tags = get_tags(face())
    assert tags.input_tags.allow_nan
    assert not tags.target_tags.required


@pytest.mark.parametrize("library", [pd, pl])
def test_frames_are_taken_and_their_names_kept(library):
    frame = library.DataFrame({"eruptions": FAITHFUL[:, 0], "waiting": FAITHFUL[:, 1]})
    hmm = GaussianHMM(2, random_state=0).fit(frame)
    assert list(hmm.feature_names_in_) == ["eruptions", "waiting"]
    assert hmm.n_features_in_ == hmm.n_features == 2
    np.testing.assert_array_equal(hmm.predict(frame), GaussianHMM(2, random_state=0).fit(FAITHFUL).predict(FAITHFUL))
    with pytest.raises(ValueError, match="same order"):
        hmm.predict(frame[["waiting", "eruptions"]])


def test_a_frame_with_gaps_is_a_sequence_with_gaps():
    values = FAITHFUL.copy()
    values[[3, 4, 50], [0, 1, 0]] = np.nan
    frame = pd.DataFrame(values, columns=["a", "b"])
    hmm = GaussianHMM(2, random_state=0).fit(frame)
    np.testing.assert_array_equal(hmm.means_, GaussianHMM(2, random_state=0).fit(values).means_)


def test_the_wrong_number_of_columns_is_told_in_scikit_learns_words():
    hmm = GaussianHMM(2, random_state=0).fit(FAITHFUL)
    with pytest.raises(ValueError, match="X has 1 features, but GaussianHMM is expecting 2 features as input"):
        hmm.score(FAITHFUL[:, :1])


def test_it_works_at_the_end_of_a_pipeline():
    pipeline = make_pipeline(StandardScaler(), GaussianHMM(2, random_state=0)).fit(FAITHFUL)
    np.testing.assert_array_equal(
        pipeline.predict(FAITHFUL), GaussianHMM(2, random_state=0).fit(FAITHFUL).predict(FAITHFUL)
    )


def test_parameters_are_stored_untouched_and_set_by_name():
    hmm = GMMHMM(n_components=3, n_mix=2, covars_prior=None)
    assert clone(hmm).get_params() == hmm.get_params()
    assert hmm.set_params(n_mix=4, tol=1e-3).get_params()["n_mix"] == 4
    with pytest.raises(ValueError, match="Invalid parameter 'n_states'"):
        hmm.set_params(n_states=2)


def test_a_fit_that_fails_leaves_the_last_one():
    hmm = GaussianHMM(2, random_state=0).fit(FAITHFUL)
    before = hmm.predict_proba(FAITHFUL)
    with pytest.raises(errors.DegenerateError, match="Nothing was observed"):
        hmm.fit(np.full((5, 3), np.nan))
    np.testing.assert_array_equal(hmm.predict_proba(FAITHFUL), before)
