"""Starts, engines, checkpoints, files and the command line."""

from __future__ import annotations

import numpy as np
import pytest
from emkit_hmm import GaussianHMM, HiddenMarkovModel, PoissonHMM, Stationary

import emkit
from emkit import datasets
from emkit.__main__ import main
from emkit.families import Gaussian, Poisson

QUAKES = datasets.earthquakes().values


def _many_sequences():
    rng = np.random.default_rng(0)
    states = np.repeat(rng.integers(0, 2, 6000), 5)
    x = rng.normal(states * 3.0, 1 + states)[:, None]
    # More sequences than one leaf holds, of 1 to 29 steps.
    return np.split(x, np.cumsum(rng.integers(1, 30, 1900)))[:-1]


def test_several_starts_keep_the_best_and_report_all():
    one = PoissonHMM(4, random_state=3).fit(QUAKES)
    many = PoissonHMM(4, n_init=6, random_state=3).fit(QUAKES)
    starts = many.result_.starts
    assert len(starts) == 6
    assert many.result_.objective == max(start.objective for start in starts)
    assert many.score(QUAKES) >= one.score(QUAKES) - 1e-9
    assert len({round(start.objective, 3) for start in starts}) > 1
    again = PoissonHMM(4, n_init=6, random_state=3).fit(QUAKES)
    np.testing.assert_array_equal(many.lambdas_, again.lambdas_)


@pytest.mark.filterwarnings("ignore::emkit.errors.EmkitWarning")
def test_threads_give_the_same_bits():
    data = _many_sequences()
    model = HiddenMarkovModel(2, Gaussian("diag"))
    one, two = (emkit.fit(model, data, rng=0, engine=engine, max_iter=8, tol=0) for engine in (None, 2))
    assert one.log_likelihood == two.log_likelihood
    for name in ("means", "covariances"):
        np.testing.assert_array_equal(getattr(one.params.emission, name), getattr(two.params.emission, name))
    np.testing.assert_array_equal(one.params.chain.transmat, two.params.chain.transmat)


def test_one_sequence_is_never_cut():
    model = HiddenMarkovModel(2, Poisson())
    one, two = (emkit.fit(model, np.tile(QUAKES, (40, 1)), rng=0, engine=engine) for engine in (None, 2))
    assert one.log_likelihood == two.log_likelihood
    assert two.log_likelihood == pytest.approx(model.log_likelihood(two.params, np.tile(QUAKES, (40, 1))), rel=1e-12)


def test_a_resumed_fit_equals_one_that_was_never_interrupted(tmp_path):
    model, data = HiddenMarkovModel(3, Poisson()), [QUAKES[:60], QUAKES[60:]]
    path = tmp_path / "quakes.emkit"
    cut = emkit.fit(model, data, rng=0, max_iter=6, checkpoint=path)
    assert not cut.converged
    resumed = emkit.fit(model, data, rng=0, checkpoint=path)
    straight = emkit.fit(model, data, rng=0)
    assert resumed.log_likelihood == straight.log_likelihood
    np.testing.assert_array_equal(resumed.params.emission.rates, straight.params.emission.rates)


@pytest.mark.parametrize("given", [False, True], ids=["own start", "given start"])
def test_a_saved_fit_comes_back(tmp_path, given):
    hmm = PoissonHMM(2, init_params="" if given else "stl", random_state=0, n_init=2)
    if given:
        hmm.startprob_, hmm.transmat_, hmm.lambdas_ = [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], [[10.0], [30.0]]
    hmm.fit(QUAKES)
    hmm.result_.save(tmp_path / "quakes.emkit")
    back = emkit.load(tmp_path / "quakes.emkit")
    assert back.log_likelihood == hmm.result_.log_likelihood
    # States were put in order since, and sums of another order round otherwise.
    assert hmm.score(QUAKES) == pytest.approx(back.log_likelihood, rel=1e-14)
    assert back.model.log_likelihood(back.params, QUAKES) == pytest.approx(back.log_likelihood, rel=1e-14)
    assert back.n_parameters == hmm.result_.n_parameters == 5


def test_the_report_shows_what_was_chosen_and_no_defaults():
    short = {
        "HiddenMarkovModel(n_states=2, emission=Gaussian(covariance=Full()))": HiddenMarkovModel(2),
        "HiddenMarkovModel(n_states=2, emission=Poisson())": HiddenMarkovModel(2, Poisson()),
        "HiddenMarkovModel(n_states=2, emission=Poisson(), chain=Stationary())": HiddenMarkovModel(
            2, Poisson(), chain=Stationary()
        ),
        "HiddenMarkovModel(n_states=3, emission=Poisson(), ties=Ties(labels=(0, 1, 1)))": HiddenMarkovModel(
            3, Poisson(), ties=(0, 1, 1)
        ),
    }
    for text, model in short.items():
        report = str(emkit.fit(model, QUAKES, rng=0, max_iter=2))
        assert report.splitlines()[0].split(maxsplit=1) == ["model", text]


def test_verbose_shows_progress(capsys):
    PoissonHMM(2, random_state=0, verbose=True).fit(QUAKES)
    assert "objective" in capsys.readouterr().err


def test_the_model_names_its_face_and_is_registered():
    assert emkit.load_model("hidden-markov") is HiddenMarkovModel
    assert HiddenMarkovModel.face is GaussianHMM


def test_the_command_line_fits_saves_and_reports(tmp_path, capsys):
    x = np.concatenate([np.random.default_rng(0).normal(m, 1, (40, 2)) for m in (0.0, 6.0, 0.0)])
    table = tmp_path / "data.csv"
    table.write_text("a,b\n" + "\n".join(f"{a},{b}" for a, b in x))
    saved = tmp_path / "fit.emkit"
    assert main(["fit", "hidden-markov", str(table), "--n-states", "2", "--save", str(saved)]) == 0
    text = capsys.readouterr().out
    assert "HiddenMarkovModel(n_states=2" in text
    assert "Converged" in text
    result = emkit.load(saved)
    np.testing.assert_allclose(np.sort(result.params.emission.means[:, 0]), [0, 6], atol=0.5)


def test_the_command_line_tells_what_is_wrong_in_one_line(tmp_path, capsys):
    table = tmp_path / "data.csv"
    table.write_text("a\n1\n2\n3\n")
    assert main(["fit", "hidden-markov", str(table), "--n-states", "0"]) == 2
    assert capsys.readouterr().err == "emkit: n_states must be a whole number of at least 1, such as 2; it is 0.\n"


def test_a_fit_gives_standard_errors_in_the_shape_of_its_params():
    hmm = GaussianHMM(2, random_state=0).fit(datasets.old_faithful().values)
    errors = hmm.result_.standard_errors(datasets.old_faithful().values)
    assert errors.emission.means.shape == (2, 2)
    # The means are those of two groups far apart, so each has nearly the error of a group's mean.
    x, states = datasets.old_faithful().values, hmm.predict(datasets.old_faithful().values)
    plain = np.array([x[states == k].std(axis=0) / np.sqrt((states == k).sum()) for k in range(2)])
    np.testing.assert_allclose(errors.emission.means, plain, rtol=0.1)
