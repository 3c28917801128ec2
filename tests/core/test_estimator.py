"""A face is a citizen of scikit-learn although nothing of scikit-learn is imported."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
import warnings
from typing import Any

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.exceptions
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks, estimator_html_repr, get_tags

from emkit.arrays import as_sample_weight
from emkit.errors import (
    ConvergenceWarning,
    DegenerateWarning,
    EmkitWarning,
    LikelihoodDecreasedWarning,
    NotFittedError,
)
from emkit.estimator import Estimator, TransformerFace, fit_with_warnings, rng_of, warn_about
from emkit.result import Status

NAN = float("nan")


@attrs.define(slots=False, eq=False, repr=False)
class Normal(Estimator):
    """Independent normal columns."""

    floor: float = 1e-3
    tags: Any = attrs.field(default=None, kw_only=True)
    random_state: Any = attrs.field(default=None, kw_only=True)

    _estimator_type = "density_estimator"
    _nan_hint = "the NormalImputer of emkit_mvn accepts NaN"

    def fit(self, X, y=None, sample_weight=None):
        x = self._check_fit_input(X, min_samples=2)
        weights = as_sample_weight(sample_weight, len(x))
        mean = np.average(x, axis=0, weights=weights)
        self.variance_ = np.average((x - mean) ** 2, axis=0, weights=weights) + self.floor
        self.mean_ = mean
        return self

    def score_samples(self, X):
        x = self._check_input(X)
        return -0.5 * ((x - self.mean_) ** 2 / self.variance_ + np.log(2 * np.pi * self.variance_)).sum(axis=1)

    def score(self, X, y=None):
        return float(self.score_samples(X).mean())


@attrs.define(slots=False, eq=False, repr=False)
class MeanImputer(TransformerFace):
    """Missing entries become the mean of their column."""

    shift: float = 0.0

    _allow_nan = True

    def fit(self, X, y=None):
        x = self._check_fit_input(X)
        counts = np.maximum((~np.isnan(x)).sum(axis=0), 1)
        self.mean_ = np.nansum(x, axis=0) / counts
        return self

    def _transform(self, x):
        return np.where(np.isnan(x), self.mean_ + self.shift, x)


@attrs.define(slots=False, eq=False, repr=False)
class RowSum(TransformerFace):
    """Each row becomes its sum: a transformer whose columns are its own."""

    def fit(self, X, y=None):
        self.n_seen_ = len(self._check_fit_input(X))
        return self

    def _transform(self, x):
        return x.sum(axis=1, keepdims=True)

    def get_feature_names_out(self, input_features=None):
        self._input_names(input_features)
        return np.array(["sum"], dtype=object)


FACES = [Normal(), MeanImputer(), RowSum()]
TRANSFORMERS = [MeanImputer(), RowSum()]


def _checks():
    with warnings.catch_warnings():
        # scikit-learn says this of every class that keeps its conventions without inheriting from its base.
        warnings.filterwarnings("ignore", message=".*does not inherit from `sklearn.base.BaseEstimator`")
        return [pair for face in FACES for pair in estimator_checks.estimator_checks_generator(face)]


def _name(check):
    return _name(check.func) if isinstance(check, functools.partial) else check.__name__


CHECKS = [
    pytest.param(face, check, id=f"{type(face).__name__}-{i}-{_name(check)}")
    for i, (face, check) in enumerate(_checks())
]


@pytest.mark.parametrize(("face", "check"), CHECKS)
def test_a_face_passes_the_estimator_checks(face, check):
    check(face)


PRIVATE_CHECKS = [
    "check_set_output_transform",
    "check_set_output_transform_pandas",
    "check_set_output_transform_polars",
    "check_global_output_transform_pandas",
    "check_global_set_output_transform_polars",
    "check_transformer_get_feature_names_out",
    "check_transformer_get_feature_names_out_pandas",
    "check_inplace_ensure_writeable",
    "check_dataframe_column_names_consistency",
]


@pytest.mark.parametrize("face", TRANSFORMERS, ids=lambda face: type(face).__name__)
@pytest.mark.parametrize("name", PRIVATE_CHECKS)
# These checks fit to arrays and transform data frames, and the other way round, on purpose.
@pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")
def test_a_transformer_passes_the_checks_that_scikit_learn_runs_on_its_own(name, face):
    getattr(estimator_checks, name)(type(face).__name__, face)


def test_a_density_passes_the_check_of_column_names():
    estimator_checks.check_dataframe_column_names_consistency("Normal", Normal())


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(30, 2)) * [1.0, 3.0] + [0.0, 5.0]


def test_tags_say_what_a_face_is():
    density, imputer = get_tags(Normal()), get_tags(MeanImputer())
    assert (density.estimator_type, density.input_tags.allow_nan, density.transformer_tags) == (
        "density_estimator",
        False,
        None,
    )
    assert imputer.estimator_type is None
    assert imputer.input_tags.allow_nan
    assert imputer.transformer_tags is not None
    assert not density.target_tags.required


def test_params_are_the_arguments_of_the_constructor_in_their_order():
    assert list(Normal(floor=0.5).get_params().items()) == [("floor", 0.5), ("tags", None), ("random_state", None)]


def test_params_reach_into_nested_estimators():
    outer = Normal(tags=MeanImputer(shift=2.0))
    assert outer.get_params()["tags__shift"] == 2.0
    assert "tags__shift" not in outer.get_params(deep=False)
    assert outer.set_params(tags__shift=3.0) is outer
    assert outer.tags.shift == 3.0


def test_a_nested_parameter_goes_to_the_estimator_set_in_the_same_call():
    outer = Normal(tags=MeanImputer()).set_params(tags__shift=1.0, tags=MeanImputer(shift=9.0))
    assert outer.tags.shift == 1.0


def test_an_unknown_parameter_is_refused_and_none_is_set():
    face = Normal()
    with pytest.raises(ValueError, match=r"Invalid parameter 'flor' for estimator Normal\(\).*'floor'"):
        face.set_params(floor=9.0, flor=1.0)
    assert face.floor == 1e-3


def test_a_nested_parameter_of_something_without_parameters_is_refused():
    with pytest.raises(ValueError, match=r"Invalid parameter 'floor__x': floor is 0\.001"):
        Normal().set_params(floor__x=1)


@pytest.mark.parametrize(
    ("face", "text"),
    [
        (Normal(), "Normal()"),
        (Normal(0.5, random_state=0), "Normal(floor=0.5, random_state=0)"),
        (Normal(tags=np.eye(2)), "Normal(tags=array([[1., 0.], [0., 1.]]))"),
        (Normal(tags=MeanImputer(shift=1.0)), "Normal(tags=MeanImputer(shift=1.0))"),
    ],
)
def test_a_face_prints_what_differs_from_the_defaults(face, text):
    assert repr(face) == text


def test_notebooks_can_show_a_face_alone_and_in_a_pipeline(x):
    assert "Normal" in estimator_html_repr(Normal().fit(x))
    assert "MeanImputer" in estimator_html_repr(make_pipeline(MeanImputer(), Normal()))


def test_a_clone_has_the_params_and_the_chosen_output_but_not_the_fit(x):
    face = MeanImputer(shift=2.0).set_output(transform="pandas").fit(x)
    copy = clone(face)
    assert copy.shift == 2.0
    assert not hasattr(copy, "mean_")
    assert isinstance(copy.fit_transform(x), pd.DataFrame)


def test_faces_work_in_a_pipeline_with_weights(x):
    x[0, 0] = NAN
    weights = np.arange(30.0)
    pipeline = make_pipeline(MeanImputer(), Normal()).fit(x, normal__sample_weight=weights)
    filled = MeanImputer().fit_transform(x)
    np.testing.assert_allclose(pipeline[-1].mean_, weights @ filled / weights.sum())


def test_a_grid_search_finds_the_floor_of_highest_held_out_density(x):
    search = GridSearchCV(Normal(), {"floor": [1e-3, 100.0]}, cv=3).fit(x)
    assert search.best_params_ == {"floor": 1e-3}
    assert cross_val_score(Normal(), x, cv=3).shape == (3,)


def test_a_pickled_face_gives_the_same_answer(x):
    face = Normal().fit(pd.DataFrame(x, columns=["a", "b"]))
    back = pickle.loads(pickle.dumps(face))
    frame = pd.DataFrame(x, columns=["a", "b"])
    np.testing.assert_array_equal(back.score_samples(frame), face.score_samples(frame))


def test_a_method_called_before_fit_says_so(x):
    with pytest.raises(sklearn.exceptions.NotFittedError, match="This Normal instance is not fitted yet") as caught:
        Normal().score_samples(x)
    assert isinstance(caught.value, NotFittedError)


def test_the_error_before_fit_survives_pickling(x):
    with pytest.raises(NotFittedError) as caught:
        Normal().score_samples(x)
    back = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(back, sklearn.exceptions.NotFittedError)
    assert str(back) == str(caught.value)


def test_a_face_whose_first_fit_failed_counts_as_not_fitted(x):
    face = Normal()
    with pytest.raises(ValueError, match="sample_weight"):
        face.fit(x, sample_weight=[-1.0])
    assert face.n_features_in_ == 2
    with pytest.raises(NotFittedError):
        face.score_samples(x)


def test_without_scikit_learn_everything_works_and_nothing_optional_is_imported():
    code = """
import sys, pickle, attrs
from emkit.errors import NotFittedError
from emkit.estimator import TransformerFace

@attrs.define(slots=False, eq=False, repr=False)
class Identity(TransformerFace):
    def fit(self, X, y=None):
        self.n_seen_ = len(self._check_fit_input(X))
        return self
    def _transform(self, x):
        return x

try:
    Identity().transform([[1.0]])
except NotFittedError as error:
    print(type(pickle.loads(pickle.dumps(error))).__mro__[1].__name__)
print(Identity().fit_transform([[1.0]])[0, 0], Identity())
print(sorted({name.split(".")[0] for name in sys.modules} & {"sklearn", "pandas", "polars", "pyarrow"}))
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:3] == ["EmkitError", "1.0 Identity()", "[]"]


def test_a_message_about_missing_entries_names_the_estimator_and_the_remedy(x):
    x[3, 1] = NAN
    with pytest.raises(ValueError, match=r"row 3 of column 1\. .* by Normal; the NormalImputer of emkit_mvn"):
        Normal().fit(x)


@pytest.mark.parametrize("library", [pd.DataFrame, pl.DataFrame])
def test_names_of_columns_are_kept_and_compared(library, x):
    face = Normal().fit(library({"a": x[:, 0], "b": x[:, 1]}))
    assert face.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="must be in the same order as they were in fit"):
        face.score_samples(library({"b": x[:, 1], "a": x[:, 0]}))
    with pytest.raises(
        ValueError, match="unseen at fit time:\n- c\nFeature names seen at fit time, yet now missing:\n- b"
    ):
        face.score_samples(library({"a": x[:, 0], "c": x[:, 1]}))


def test_names_of_an_earlier_fit_are_forgotten(x):
    face = Normal().fit(pd.DataFrame(x, columns=["a", "b"])).fit(x[:, :1])
    assert not hasattr(face, "feature_names_in_")
    assert face.n_features_in_ == 1


def test_data_that_fail_to_be_read_leave_the_number_of_columns_alone(x):
    face = Normal().fit(x)
    with pytest.raises(ValueError, match="NaN"):
        face.fit([[NAN], [1.0]])
    assert face.n_features_in_ == 2


def test_names_on_one_side_only_are_warned_about_where_the_face_is_called(x):
    frame = pd.DataFrame(x, columns=["a", "b"])
    with pytest.warns(EmkitWarning, match="X has feature names, but MeanImputer was fitted without") as caught:
        MeanImputer().fit(x).transform(frame)
    assert caught[0].filename == __file__
    with pytest.warns(EmkitWarning, match="X does not have valid feature names, but MeanImputer was") as caught:
        MeanImputer().fit(frame).transform(x)
    assert caught[0].filename == __file__


def test_repeated_names_are_warned_about(x):
    with pytest.warns(EmkitWarning, match="several columns named 'a'"):
        Normal().fit(pd.DataFrame(x, columns=["a", "a"]))


def test_another_number_of_columns_is_refused(x):
    with pytest.raises(ValueError, match="X has 1 features, but Normal is expecting 2 features as input"):
        Normal().fit(x).score_samples(x[:, :1])


def test_a_transformer_gives_arrays_unless_told_otherwise(x):
    frame = pd.DataFrame(x, columns=["a", "b"])
    face = MeanImputer()
    assert type(face.fit_transform(frame)) is np.ndarray
    assert isinstance(face.set_output(transform="polars").fit_transform(frame), pl.DataFrame)
    assert isinstance(face.set_output(transform=None).fit_transform(frame), pl.DataFrame)
    assert type(face.set_output(transform="default").fit_transform(frame)) is np.ndarray


def test_a_pandas_frame_keeps_its_index_and_its_names():
    frame = pd.DataFrame({"a": [1.0, NAN, 3.0], "b": [0.0, 1.0, NAN]}, index=["x", "y", "z"])
    filled = MeanImputer().set_output(transform="pandas").fit_transform(frame)
    expected = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [0.0, 1.0, 0.5]}, index=["x", "y", "z"])
    pd.testing.assert_frame_equal(filled, expected)


def test_the_global_choice_of_scikit_learn_is_followed_and_a_local_one_goes_first(x):
    local = MeanImputer().set_output(transform="default")
    with sklearn.config_context(transform_output="polars"):
        assert isinstance(MeanImputer().fit_transform(x), pl.DataFrame)
        assert type(local.fit_transform(x)) is np.ndarray


def test_a_transformer_with_columns_of_its_own_names_them(x):
    summed = RowSum().set_output(transform="polars").fit_transform(x)
    assert summed.columns == ["sum"]


def test_columns_without_names_are_numbered(x):
    assert MeanImputer().fit(x).get_feature_names_out().tolist() == ["x0", "x1"]
    assert MeanImputer().fit(x).get_feature_names_out(["a", "b"]).tolist() == ["a", "b"]


def test_names_are_not_known_before_fit():
    with pytest.raises(NotFittedError):
        MeanImputer().get_feature_names_out()


def test_an_unknown_output_is_refused_at_once():
    with pytest.raises(ValueError, match="one of default, pandas, polars; 'arrow'"):
        MeanImputer().set_output(transform="arrow")


def test_output_in_a_library_that_is_not_installed_says_what_to_do(monkeypatch, x):
    face = MeanImputer().set_output(transform="polars").fit(x)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match=r"needs polars: install it, or set_output\(transform='default'\)"):
        face.transform(x)


@pytest.mark.parametrize("base", [Estimator, TransformerFace])
def test_a_face_without_fit_cannot_be_made(base):
    class Unfinished(base):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Unfinished()


@pytest.mark.parametrize(("random_state", "expected"), [(None, None), (3, 3), (np.int64(3), 3)])
def test_an_int_and_none_pass_as_a_source_of_randomness(random_state, expected):
    assert rng_of(random_state) == expected
    assert type(rng_of(random_state)) is type(expected)


def test_a_generator_passes_as_it_is():
    generator = np.random.default_rng(0)
    assert rng_of(generator) is generator


def test_a_random_state_gives_another_int_every_time_and_the_same_ones_again():
    first, again = np.random.RandomState(0), np.random.RandomState(0)
    drawn = [rng_of(first), rng_of(first)]
    assert drawn[0] != drawn[1]
    assert drawn == [rng_of(again), rng_of(again)]


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="must not be negative; it is -1"):
        rng_of(-1)


@pytest.mark.parametrize("random_state", ["0", 1.0, True])
def test_what_is_no_source_of_randomness_is_refused(random_state):
    with pytest.raises(TypeError, match="random_state must be None, an int"):
        rng_of(random_state)


@attrs.frozen
class Outcome:
    status: Status
    message: str = ""
    notes: tuple[str, ...] = ()

    @property
    def converged(self):
        return self.status is Status.CONVERGED


def _warnings_of(outcome):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_about(outcome, "Toy", stacklevel=2)
    return caught


@pytest.mark.parametrize(
    ("status", "category"),
    [
        (Status.MAX_ITER, ConvergenceWarning),
        (Status.MAX_TIME, ConvergenceWarning),
        (Status.STALLED, ConvergenceWarning),
        (Status.NONFINITE, ConvergenceWarning),
        (Status.INTERRUPTED, ConvergenceWarning),
        (Status.DECREASED, LikelihoodDecreasedWarning),
        (Status.DEGENERATE, DegenerateWarning),
    ],
)
def test_a_fit_that_did_not_converge_is_warned_about_once(status, category):
    (warning,) = _warnings_of(Outcome(status, "after 7 steps"))
    assert warning.category is category
    assert str(warning.message) == "Toy: after 7 steps"


def test_without_a_message_the_warning_is_the_sentence_of_the_status():
    (warning,) = _warnings_of(Outcome(Status.MAX_ITER))
    assert str(warning.message) == f"Toy: {Status.MAX_ITER.value}"


def test_every_ending_but_two_is_warned_about():
    silent = {status.name for status in Status if not _warnings_of(Outcome(status))}
    assert silent == {"CONVERGED", "STOPPED_BY_CALLBACK"}


def test_all_notes_are_one_warning():
    (warning,) = _warnings_of(Outcome(Status.CONVERGED, "", ("Component 1 is empty.", "The floor is active.")))
    assert warning.category is DegenerateWarning
    assert str(warning.message) == "Toy: Component 1 is empty. The floor is active."


class Falling:
    """Its second step is a fall."""

    def e_step(self, params, data):
        return params, {0: 0.0, 1: 1.0}.get(params, -5.0)

    def m_step(self, params, statistics):
        return statistics + 1


def test_a_fit_that_fails_leaves_the_face_as_it_was():
    @attrs.define(slots=False, eq=False, repr=False)
    class Fragile(Estimator):
        def fit(self, X, y=None):
            with self._all_or_nothing():
                x = self._check_fit_input(X)
                self.mean_ = x.mean(axis=0)
                if len(x) > 2:
                    raise ArithmeticError
            return self

    face = Fragile().fit(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}))
    before = dict(vars(face))
    with pytest.raises(ArithmeticError):
        face.fit(np.ones((3, 4)))
    assert vars(face) == before
    with pytest.raises(ArithmeticError):
        Fragile().fit(np.ones((3, 4)))


def test_a_fall_is_one_warning_and_keeps_the_best_point():
    with pytest.warns(LikelihoodDecreasedWarning, match=r"^Toy: .*from 1 to -5") as caught:
        result = fit_with_warnings("Toy", Falling(), None, 0.0, accelerate=None)
    assert len(caught) == 1
    assert result.params == 1.0
    assert result.log_likelihood == 1.0


def test_the_warning_points_at_the_line_that_called_fit():
    class Face:
        def fit(self):
            fit_with_warnings("Face", Falling(), None, 0.0, max_iter=1)

    with pytest.warns(ConvergenceWarning) as caught:
        Face().fit()
    assert caught[0].filename == __file__
    assert caught[0].lineno == sys._getframe().f_lineno - 2
