"""A result whose components have changed places."""

from __future__ import annotations

from typing import ClassVar

import attrs
import numpy as np
import pytest
from toys import DEATHS, PoissonMixture, PoissonMixtureParams

import emkit
from emkit import errors


class Exchangeable(PoissonMixture):
    """The toy, which says where its components lie and names each whose rate is small."""

    has_names: ClassVar[bool] = False

    def m_step(self, params, statistics):
        # A component without rows keeps its rate.
        counts = statistics["counts"]
        rates = np.where(counts > 0, statistics["sums"] / np.maximum(counts, 1e-300), params.rates)
        return PoissonMixtureParams(counts / counts.sum(), rates)

    def label_axes(self, params):
        return {} if self.has_names else {"weights": 0, "rates": 0}

    def notes(self, params):
        return [f"Component {k} is quiet." for k in np.flatnonzero(params.rates < 1.5)]


class Named(Exchangeable):
    has_names = True


@pytest.fixture(scope="module")
def result():
    return emkit.fit(Exchangeable(3), DEATHS, PoissonMixtureParams([0.2, 0.4, 0.4], [5.0, 1.2, 2.7]), max_iter=3)


def test_component_order_k_is_the_new_component_k(result):
    moved = result.reordered([1, 2, 0])
    np.testing.assert_array_equal(moved.params.rates, result.params.rates[[1, 2, 0]])
    np.testing.assert_array_equal(moved.params.weights, result.params.weights[[1, 2, 0]])
    assert moved.model.log_likelihood(moved.params, DEATHS) == pytest.approx(result.log_likelihood, rel=1e-14)
    back = moved.reordered([2, 0, 1])
    np.testing.assert_array_equal(back.params.rates, result.params.rates)
    assert back.notes == result.notes


def test_notes_of_the_model_are_made_again_and_those_of_the_climb_are_renamed(result):
    told = attrs.evolve(
        result, notes=("rates[0] = 5 and 1 more run away, weights[2] = 0.3 too; extra.rates[0].", *result.notes)
    )
    assert "Component 1 is quiet." in told.notes
    # Old component 0 is now 2, old 1 is 0, old 2 is 1; what only ends like a field of the params is none.
    assert told.reordered([1, 2, 0]).notes == (
        "rates[2] = 5 and 1 more run away, weights[1] = 0.3 too; extra.rates[0].",
        "Component 0 is quiet.",
    )


def test_an_estimate_on_a_bound_is_named_where_it_is_now():
    start = PoissonMixtureParams([0.0, 0.5, 0.5], [4.0, 1.0, 2.0])
    found = emkit.fit(Exchangeable(3), DEATHS, start, max_iter=1)
    assert found.notes[0].startswith("weights[0] lies on the bound")
    assert found.reordered([1, 0, 2]).notes[0].startswith("weights[1] lies on the bound")


@pytest.mark.parametrize("order", [[0, 1], [0, 0, 1], [1, 2, 3]])
def test_an_order_that_is_none_is_refused(result, order):
    with pytest.raises(ValueError, match=rf"numbers of the 3 components .* each once; it is \[{order[0]}, "):
        result.reordered(order)


def test_components_that_may_not_change_places_are_told():
    start = PoissonMixtureParams([0.5, 0.5], [1.0, 2.0])
    with pytest.raises(ValueError, match="the 0 components that may change places"):
        emkit.fit(Named(2), DEATHS, start, max_iter=1).reordered([1, 0])
    with pytest.raises(errors.MissingCapabilityError, match="has no `label_axes`"):
        emkit.fit(PoissonMixture(2), DEATHS, start, max_iter=1).reordered([1, 0])
