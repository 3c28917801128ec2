"""A state that no row is left to: what is known of it, nothing, and of the others, all that a smaller model knows."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from emkit_hmm import HiddenMarkovModel, HiddenMarkovParams, MarkovParams

from emkit import fit
from emkit.errors import DegenerateWarning
from emkit.families import Gaussian, Poisson

STATES = np.repeat([0, 1, 0, 1], 30)
ROWS = np.random.default_rng(0).normal(4.0 * STATES[:, None], 1.0, (120, 2))
COUNTS = np.random.default_rng(1).poisson(3 + 8 * STATES)[:, None].astype(float)
FAMILIES = {"gaussian": (Gaussian("diag"), ROWS), "poisson": (Poisson(), COUNTS)}


def smaller_and_larger(family, x):
    """Return fits of two states, and of the same two with a third one that no path can visit."""
    small = fit(HiddenMarkovModel(2, family), x, rng=0, tol=1e-10)
    model = HiddenMarkovModel(3, family)
    start = model.initialize(x, np.random.default_rng(0)).emission
    emission = small.params.emission
    for field in attrs.fields(type(start)):
        ours, own = getattr(emission, field.name), getattr(start, field.name)
        if own.shape != ours.shape:
            emission = attrs.evolve(emission, **{field.name: np.concatenate([ours, own[:1]])})
    transmat = np.zeros((3, 3))
    transmat[:2, :2], transmat[2] = small.params.chain.transmat, [0.2, 0.3, 0.5]
    params = HiddenMarkovParams(MarkovParams(np.append(small.params.chain.startprob, 0.0), transmat), emission)
    return small, fit(model, x, params, tol=1e-10)


@pytest.mark.parametrize(
    ("family", "method"), [("gaussian", "score"), ("gaussian", "likelihood"), ("poisson", "score"), ("poisson", "sem")]
)
def test_errors_of_visited_states_are_those_without_the_other(family, method):
    emission, x = FAMILIES[family]
    small, large = smaller_and_larger(emission, x)
    assert any("State 2 is never visited" in note for note in large.notes)
    with pytest.warns(DegenerateWarning, match=r"say nothing of chain.transmat\[2, 0\] and 2 more, emission"):
        errors = large.standard_errors(x, method)
    expected = small.standard_errors(x, method)
    np.testing.assert_allclose(errors.chain.transmat[:2, :2], expected.chain.transmat, rtol=1e-3)
    assert np.isnan(errors.chain.transmat[2]).all()
    for field in attrs.fields(type(errors.emission)):
        own, ours = getattr(errors.emission, field.name), getattr(expected.emission, field.name)
        np.testing.assert_allclose(own[: len(ours)], ours, rtol=1e-3)
        assert len(own) == len(ours) or np.isnan(own[2]).all()


def test_verification_calls_it_not_determined_and_names_it():
    _, large = smaller_and_larger(*FAMILIES["poisson"])
    found = large.verify(COUNTS)
    assert found.kind == "not determined"
    assert "emission.rates[2, 0]" in str(found)
