"""A saved result comes back whole, or with one clear error."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from toys import DEATHS, PoissonMixture, PoissonMixtureParams

import emkit
from emkit import Status, loading, storage
from emkit.errors import FormatError
from emkit.history import History


@pytest.fixture(scope="module")
def result():
    return emkit.fit(PoissonMixture(), DEATHS, rng=0, n_starts=2)


def _saved(path, result, **changes):
    fields = {field.name: getattr(result, field.name) for field in attrs.fields(type(result))}
    storage.write(path, {**fields, "model_name": None, **changes})
    return path


def test_every_field_comes_back(tmp_path, result):
    back = emkit.load(_saved(tmp_path / "fit", result), PoissonMixture)
    for field in attrs.fields(type(result)):
        one, two = getattr(result, field.name), getattr(back, field.name)
        if field.name == "params":
            np.testing.assert_array_equal(one.rates, two.rates)
        elif field.name == "history":
            np.testing.assert_equal(attrs.asdict(two), attrs.asdict(one))
        else:
            np.testing.assert_equal(two, one)
    assert str(back) == str(result)


def test_the_kinds_checked_are_those_of_the_fields():
    unchecked = {"model", "params"}
    assert set(loading._KINDS) | unchecked == {field.name for field in attrs.fields(emkit.EMResult)}


@pytest.mark.parametrize(
    "changes",
    [
        {"log_likelihood": "x"},
        {"log_likelihood": None},
        {"status": "CONVERGED"},
        {"status": True},
        {"n_iter": 1.5},
        {"n_parameters": True},
        {"notes": (1,)},
        {"starts": (Status.CONVERGED,)},
        {"history": None},
        {"history": History(*[np.zeros(3)] * 6)},
        {"model": None},
        {"model": Status.CONVERGED},
        {"params": None},
        {"params": PoissonMixtureParams([0.5, 0.6], [1.0, 2.0])},
        {"params": PoissonMixtureParams([0.5, 0.5], [np.nan, 2.0])},
        {"params": PoissonMixtureParams([0.5, 0.5], [-1.0, 2.0])},
        {"surprise": 1},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_field_of_the_wrong_kind_or_value_is_refused(tmp_path, result, changes):
    with pytest.raises(FormatError, match="does not hold a sound fit result"):
        emkit.load(_saved(tmp_path / "fit", result, **changes), PoissonMixture)


def test_another_models_file_is_refused(tmp_path, result):
    @attrs.frozen
    class Another(PoissonMixture):
        pass

    with pytest.raises(FormatError, match="not a Another"):
        emkit.load(_saved(tmp_path / "fit", result), Another, known=[PoissonMixture, PoissonMixtureParams])


@pytest.mark.parametrize("tree", [[1.0, 2.0], 3.0, {"x": np.zeros(2)}])
def test_a_file_of_something_else_is_refused(tmp_path, tree):
    storage.write(tmp_path / "other", tree)
    with pytest.raises(FormatError):
        emkit.load(tmp_path / "other", PoissonMixture)


def test_a_model_without_a_registered_name_needs_its_class(tmp_path, result):
    with pytest.raises(FormatError, match=r"emkit.load\(path, model=...\)"):
        emkit.load(_saved(tmp_path / "fit", result))


@pytest.mark.parametrize("model", ["x", PoissonMixture()])
def test_what_is_no_class_of_models_is_refused(tmp_path, result, model):
    with pytest.raises(TypeError, match="model must be a class"):
        emkit.load(_saved(tmp_path / "fit", result), model)
