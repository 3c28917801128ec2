"""Every setting that makes no sense is refused in one sentence that begins with the name the user typed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from emkit_mixture import GaussianMixture, GaussianMixtureModel, StartingValues

import emkit
from emkit import datasets

FAITHFUL = datasets.old_faithful().values
NAN = float("nan")
NO_COUNT = [None, NAN, [2], float("inf"), 2j, True, 2.0, "3", 0, -1, np.float64(2)]
NO_SHARE = ["x", None, [1], 1j, NAN, True, -1e-9, 1.0, float("inf")]
NO_RULE = [[], {}, None, 3, "hierarchical"]
EYE = np.eye(2)


def refused(name, run):
    """Raise unless ``run`` gives an error, and no warning, that names a setting."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ValueError, TypeError), match=rf"^(Complex data not supported\. )?{name}\b"):
            run()


@pytest.mark.parametrize("value", NO_COUNT, ids=repr)
def test_a_number_of_components_is_a_whole_number(value):
    refused("n_components", lambda: GaussianMixtureModel(value))
    refused("n_components", lambda: GaussianMixture(value).fit(FAITHFUL))


@pytest.mark.parametrize("value", NO_COUNT, ids=repr)
def test_so_is_a_number_of_starts_and_of_samples(value):
    fitted = GaussianMixture().fit(FAITHFUL)
    refused("n_init", lambda: GaussianMixture(n_init=value).fit(FAITHFUL))
    refused("n_samples", lambda: fitted.sample(value))
    refused("n", lambda: fitted.model_.sample(fitted.result_.params, value, np.random.default_rng(0)))


@pytest.mark.parametrize("value", NO_SHARE, ids=repr)
def test_a_floor_is_a_share(value):
    refused("floor", lambda: GaussianMixtureModel(floor=value))
    refused("reg_covar", lambda: GaussianMixture(reg_covar=value).fit(FAITHFUL))


@pytest.mark.parametrize("value", NO_RULE, ids=repr)
def test_a_rule_is_one_of_those_there_are(value):
    refused("init_params", lambda: GaussianMixture(init_params=value).fit(FAITHFUL))
    refused("start", lambda: GaussianMixtureModel(start=value))
    refused("kind", lambda: StartingValues(value))


@pytest.mark.parametrize("value", [np.int64(2), np.uint8(2)], ids=repr)
def test_whole_numbers_of_numpy_are_whole_numbers(value):
    assert GaussianMixtureModel(value) == GaussianMixtureModel(2)


JUNK = [
    "x",
    ["a", "b"],
    [[1.0], [1.0, 2.0]],
    [0.5j, 0.5],
    {},
    {"a": 1},
    [NAN, 0.5],
    [np.inf, 0.0],
    np.ones((3, 3, 3, 3)),
]
WRONG = {
    "weights_init": [*JUNK, [-0.5, 1.5], [0.5, 0.6], [0.2, 0.3, 0.5], 1.0],
    "means_init": [*JUNK, np.zeros((3, 2)), np.zeros((2, 3)), np.zeros(2), 0.0],
    "precisions_init": [
        *JUNK,
        EYE,
        np.ones((2, 3, 3)),
        np.stack([EYE, [[1.0, 0.5], [0.0, 1.0]]]),
        np.stack([EYE, np.ones((2, 2))]),
        np.stack([EYE, -EYE]),
        np.zeros((2, 2, 2)),
        np.stack([EYE, [[1.0, 2.0], [2.0, 1.0]]]),
        np.stack([EYE, EYE * 1e-310]),
    ],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_starting_values_are_refused_by_name(name, value):
    refused(name, lambda: GaussianMixture(2, **{name: value}).fit(FAITHFUL))


@pytest.mark.parametrize("covariance_type", ["diag", "spherical", "tied"])
@pytest.mark.parametrize("entry", [0.0, -1.0, 1e-310, NAN])
def test_precisions_of_every_structure_must_be_positive_and_have_an_inverse(covariance_type, entry):
    good = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(FAITHFUL).precisions_
    bad = good.copy()
    bad[(-1,) * bad.ndim] = entry
    refused(
        "precisions_init",
        lambda: GaussianMixture(2, covariance_type=covariance_type, precisions_init=bad).fit(FAITHFUL),
    )


def test_the_wrong_precision_is_named():
    matrices = np.stack([EYE, [[1.0, 0.5], [0.0, 1.0]]])
    with pytest.raises(
        ValueError, match=r"precisions_init\[1\] must be symmetric; found \[\[1.0, 0.5\], \[0.0, 1.0\]\]"
    ):
        GaussianMixture(2, precisions_init=matrices).fit(FAITHFUL)


def test_precisions_in_very_different_units_are_inverted():
    mixture = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    unit = np.array([1e-100, 1e100])
    again = GaussianMixture(2, precisions_init=mixture.precisions_ / np.outer(unit, unit), random_state=0)
    assert again.fit(FAITHFUL * unit).converged_


def test_precisions_too_large_for_the_floor_are_refused_by_the_name_the_user_knows():
    with pytest.raises(ValueError, match=r"covariances \(from precisions_init\).*1e-06"):
        GaussianMixture(2, precisions_init=np.stack([EYE, EYE * 1e30])).fit(FAITHFUL)
    start = StartingValues(covariances=np.stack([EYE, EYE * 1e-30]))
    with pytest.raises(ValueError, match=r"covariances\b.*1e-06"):
        emkit.fit(GaussianMixtureModel(2, start=start), FAITHFUL, rng=0)


@pytest.mark.parametrize(
    ("field", "value"),
    [("weights", [0.5, 0.6]), ("means", [[NAN, 1.0]]), ("covariances", "x")],
)
def test_the_model_calls_starting_values_by_its_own_names(field, value):
    refused(field, lambda: StartingValues(**{field: value}))


@pytest.mark.parametrize("field", ["weights", "means", "covariances"])
def test_the_model_refuses_starting_values_of_another_shape(field):
    value = {"weights": np.full(3, 1 / 3), "means": np.ones((3, 2)), "covariances": np.stack([EYE] * 3)}[field]
    model = GaussianMixtureModel(2, start=StartingValues(**{field: value}))
    refused(field, lambda: emkit.fit(model, FAITHFUL, rng=0))


def test_models_are_equal_if_their_starting_values_are():
    start = {"weights": [0.5, 0.5], "means": np.arange(4.0).reshape(2, 2)}
    assert GaussianMixtureModel(2) == GaussianMixtureModel(2)
    assert GaussianMixtureModel(2, start="random") != GaussianMixtureModel(2)
    assert StartingValues(**start) == StartingValues(**start)
    assert StartingValues(**start) != StartingValues(weights=start["weights"])
    assert StartingValues(**start) != StartingValues(weights=[0.4, 0.6], means=start["means"])
    assert len({GaussianMixtureModel(2), GaussianMixtureModel(2), GaussianMixtureModel(3)}) == 2
    assert hash(StartingValues(**start)) == hash(StartingValues(**start))


def test_starting_values_keep_what_they_were_made_of():
    weights = np.array([0.5, 0.5])
    start = StartingValues(weights=weights)
    weights[0] = 9.0
    assert start.weights.tolist() == [0.5, 0.5]


def test_weights_rounded_by_hand_are_taken_as_proportions():
    mixture = GaussianMixture(3, weights_init=[0.333333, 0.333333, 0.333334 + 4e-7], random_state=0).fit(FAITHFUL)
    assert mixture.weights_.sum() == pytest.approx(1.0, abs=1e-14)
