"""Short programs as users of hmmlearn write them, run with both libraries: what they get has the same look.

The looks were written down from hmmlearn 0.3.3, and are compared with it again where it is installed.
"""

from __future__ import annotations

import importlib
import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, KFold, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning", "ignore::DeprecationWarning")

RNG = np.random.default_rng(0)
X = np.concatenate([RNG.normal(size=(60, 2)), RNG.normal(size=(40, 2)) + 4])
LENGTHS = [60, 40]
COUNTS = RNG.poisson(np.repeat([[3.0], [20.0], [3.0]], 30, axis=0))


def fitting_and_asking(hmm):
    model = hmm.GaussianHMM(n_components=2, covariance_type="full", n_iter=50, random_state=1)
    model.fit(X, LENGTHS)
    log_prob, states = model.decode(X, LENGTHS, algorithm="map")
    monitor = model.monitor_
    return {
        "path": (log_prob, states),
        "posteriors": model.score_samples(X, lengths=np.array(LENGTHS)),
        "predict": model.predict(X.tolist(), LENGTHS),
        "predict_proba": model.predict_proba(X.astype(np.float32), LENGTHS),
        "sample": model.sample(5, random_state=3, currstate=states[-1]),
        "one": model.sample(),
        "criteria": (model.aic(X, LENGTHS), model.bic(X, LENGTHS), model.score(X, LENGTHS)),
        "monitor": (monitor.converged, monitor.iter, monitor.tol, monitor.n_iter, monitor.verbose),
        "gains": bool((np.diff(monitor.history) > -1e-6).all()) and len(list(monitor.history)) > 2,
        "last gain": monitor.history[-1] - monitor.history[-2],
        "attributes": (model.startprob_, model.transmat_, model.means_, model.covars_, model.n_features),
        "long run": model.get_stationary_distribution(),
    }


def going_on_from_another_fit(hmm):
    first = hmm.GaussianHMM(2, "diag", n_iter=3, random_state=0).fit(X, LENGTHS)
    second = hmm.GaussianHMM(2, "diag", n_iter=20, init_params="", params="tmc")
    second.startprob_, second.transmat_, second.means_ = first.startprob_, first.transmat_, first.means_
    second.covars_ = np.array([np.diag(matrix) for matrix in first.covars_])
    second.fit(X, LENGTHS)
    gain = second.score(X, LENGTHS) - first.score(X, LENGTHS)
    second.n_iter = 2
    second.fit(X[:50])
    return {"rises": bool(gain > 0), "kept": bool(np.allclose(second.startprob_, first.startprob_)), "gain": gain}


def a_casino(hmm):
    model = hmm.CategoricalHMM(n_components=2, random_state=99)
    model.startprob_ = np.array([1.0, 0.0])
    model.transmat_ = np.array([[0.95, 0.05], [0.1, 0.9]])
    model.emissionprob_ = np.array([[1 / 6] * 6, [0.1] * 5 + [0.5]])
    rolls, states = model.sample(2000)
    best_score, best = None, None
    for seed in range(3):
        tried = hmm.CategoricalHMM(n_components=2, random_state=seed, init_params="se", n_iter=40)
        tried.transmat_ = np.array([[0.9, 0.1], [0.2, 0.8]])
        tried.fit(rolls[:1000])
        score = tried.score(rolls[1000:])
        if best_score is None or score > best_score:
            best_score, best = score, tried
    return {
        "rolls": (rolls, states),
        "faces": np.array(list("123456"))[rolls[:5, 0]].shape,
        "score": best_score,
        "probabilities": best.emissionprob_,
        "decoded": best.decode([[0], [5], [5]]),
        # Half of all rolls of the loaded die are sixes.
        "loaded": bool(best.emissionprob_[:, 5].max() > 0.35),
    }


def choosing_a_number_of_states(hmm):
    chosen = []
    for _ in range(2):
        np.random.seed(7)  # noqa: NPY002 - as such programs do
        scores, states = [], None
        for n in (1, 2, 3):
            fits = [hmm.PoissonHMM(n_components=n, n_iter=50, tol=1e-6).fit(COUNTS) for _ in range(3)]
            best = max(fits, key=lambda model: model.score(COUNTS))
            scores.append((best.aic(COUNTS), best.bic(COUNTS)))
            states = best.predict(COUNTS) if n == 2 else states
        chosen.append((scores, states, best.sample(4)))
    (scores, states, sample), again = chosen
    return {
        "best by bic": int(np.argmin([bic for _, bic in scores])) + 1,
        # ``np.random.seed`` makes a program repeat itself.
        "repeats": bool(np.array_equal(states, again[1]) and np.array_equal(sample[0], again[2][0])),
        "sample": sample,
        "states": len(np.unique(states)),
    }


def inside_scikit_learn(hmm):
    pipeline = make_pipeline(StandardScaler(), PCA(2), hmm.GaussianHMM(2, random_state=0, n_iter=20)).fit(X)
    search = GridSearchCV(hmm.GaussianHMM(random_state=0, n_iter=20), {"n_components": [1, 2]}, cv=KFold(2)).fit(X)
    model = hmm.GaussianHMM(2, random_state=0, n_iter=20).fit(X)
    back = pickle.loads(pickle.dumps(model))
    parallel = joblib.Parallel(n_jobs=2, prefer="threads")(
        joblib.delayed(hmm.GaussianHMM(2, random_state=seed, n_iter=5).fit)(X, LENGTHS) for seed in range(3)
    )
    return {
        "pipeline": (pipeline.predict(X), pipeline.predict_proba(X), pipeline.score(X)),
        "search": (search.best_params_["n_components"], search.best_estimator_.predict(X), search.predict(X)),
        "validated": cross_val_score(hmm.GaussianHMM(2, random_state=0, n_iter=20), X, cv=TimeSeriesSplit(3)),
        "pickled": bool((back.predict(X) == model.predict(X)).all()),
        "cloned": (clone(model).n_components, hasattr(clone(model), "means_")),
        "parallel": [one.means_ for one in parallel],
    }


def mixtures_and_counts(hmm):
    mixture = hmm.GMMHMM(n_components=2, n_mix=2, covariance_type="diag", n_iter=20, random_state=0).fit(X, LENGTHS)
    topics = hmm.MultinomialHMM(n_components=2, n_trials=5, n_iter=50, init_params="")
    topics.n_features = 4
    topics.startprob_, topics.transmat_ = np.array([0.6, 0.4]), np.array([[0.8, 0.2], [0.2, 0.8]])
    topics.emissionprob_ = np.array([[0.25, 0.1, 0.4, 0.25], [0.2, 0.5, 0.1, 0.2]])
    counts, _ = topics.sample(50, random_state=1)
    return {
        "mixture": (mixture.weights_, mixture.means_, mixture.covars_, mixture.predict(X)),
        "counts": counts,
        "trials": sorted(set(counts.sum(axis=1).tolist())),
        "topics": topics.fit(counts).decode(counts),
    }


def rounded_numbers(hmm):
    # From a file of six decimals, or in single precision: rows that sum to one but for rounding.
    model = hmm.GaussianHMM(3)
    model.startprob_, model.transmat_ = [0.333333] * 3, np.full((3, 3), 1 / 3, dtype=np.float32)
    model.means_, model.covars_ = [[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]], np.ones((3, 2))
    refit = hmm.GaussianHMM(3, init_params="mc", n_iter=5, random_state=0)
    refit.startprob_, refit.transmat_ = model.startprob_, model.transmat_
    score = model.score(X)
    return {"predict": model.predict(X), "score": (score, round(score, 2) == -360.26), "refit": refit.fit(X).transmat_}


REAL, WHOLE = "real", "whole"
LOOKS = {
    fitting_and_asking: {
        "path": (REAL, (WHOLE, 100)),
        "posteriors": (REAL, (REAL, 100, 2)),
        "predict": (WHOLE, 100),
        "predict_proba": (REAL, 100, 2),
        "sample": ((REAL, 5, 2), (WHOLE, 5)),
        "one": ((REAL, 1, 2), (WHOLE, 1)),
        "criteria": (REAL, REAL, REAL),
        "monitor": (True, WHOLE, REAL, WHOLE, False),
        "gains": True,
        "last gain": REAL,
        "attributes": ((REAL, 2), (REAL, 2, 2), (REAL, 2, 2), (REAL, 2, 2, 2), WHOLE),
        "long run": (REAL, 2),
    },
    going_on_from_another_fit: {"rises": True, "kept": True, "gain": REAL},
    a_casino: {
        "rolls": ((WHOLE, 2000, 1), (WHOLE, 2000)),
        "faces": (WHOLE,),
        "score": REAL,
        "probabilities": (REAL, 2, 6),
        "decoded": (REAL, (WHOLE, 3)),
        "loaded": True,
    },
    choosing_a_number_of_states: {
        "best by bic": WHOLE,
        "repeats": True,
        "sample": ((WHOLE, 4, 1), (WHOLE, 4)),
        "states": WHOLE,
    },
    inside_scikit_learn: {
        "pipeline": ((WHOLE, 100), (REAL, 100, 2), REAL),
        "search": (WHOLE, (WHOLE, 100), (WHOLE, 100)),
        "validated": (REAL, 3),
        "pickled": True,
        "cloned": (WHOLE, False),
        "parallel": ((REAL, 2, 2), (REAL, 2, 2), (REAL, 2, 2)),
    },
    mixtures_and_counts: {
        "mixture": ((REAL, 2, 2), (REAL, 2, 2, 2), (REAL, 2, 2, 2), (WHOLE, 100)),
        "counts": (WHOLE, 50, 4),
        "trials": (WHOLE,),
        "topics": (REAL, (WHOLE, 50)),
    },
    rounded_numbers: {"predict": (WHOLE, 100), "score": (REAL, True), "refit": (REAL, 3, 3)},
}


def _look(value):
    """Return kind and shape of an array, the kind of a number, a truth value itself; the same of all parts."""
    if isinstance(value, dict):
        return {name: _look(part) for name, part in value.items()}
    if isinstance(value, np.ndarray):
        return ({"f": REAL, "i": WHOLE}[value.dtype.kind], *value.shape)
    if isinstance(value, list | tuple):
        return tuple(_look(part) for part in value)
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return {float: REAL, int: WHOLE, np.float64: REAL, np.int64: WHOLE}[type(value)]


@pytest.mark.parametrize("library", ["emkit_hmm", "hmmlearn.hmm"])
@pytest.mark.parametrize("program", LOOKS, ids=lambda program: program.__name__)
def test_a_program_gets_the_same_from_both(program, library):
    if library == "hmmlearn.hmm":
        pytest.importorskip("hmmlearn", minversion="0.3.3")
    assert _look(program(importlib.import_module(library))) == LOOKS[program]
