"""Fits that are killed at one E-step after another, each time resumed and compared with one that nobody disturbed."""

from __future__ import annotations

import itertools
import shutil
import warnings

import attrs
import numpy as np
from toys import Watched

import emkit
from emkit import tree
from emkit.checkpoint import Checkpoint
from emkit.errors import LikelihoodDecreasedWarning

#: Attributes of a result that have nothing to do with the clock.
TIMELESS = (
    *("log_likelihood", "objective", "status", "message", "notes", "n_iter", "n_e_steps", "n_rejected", "rate", "gap"),
    *("n_observations", "n_parameters", "starts"),
)


def differences(one, other):
    """Return the names of all that differs between two results, to the last bit."""
    pairs = {name: (getattr(one, name), getattr(other, name)) for name in TIMELESS}
    for field in attrs.fields(type(one.history)):
        pairs[f"history.{field.name}"] = (getattr(one.history, field.name), getattr(other.history, field.name))
    pairs |= {str(path): (leaf, dict(tree.leaves(other.params))[path]) for path, leaf in tree.leaves(one.params)}
    del pairs["history.seconds"]
    return [name for name, (left, right) in pairs.items() if not _is_same(left, right)]


def _is_same(left, right):
    if isinstance(left, np.ndarray | float):
        return np.array_equal(left, right, equal_nan=True)
    return left == right


def quiet_fit(*arguments, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LikelihoodDecreasedWarning)
        return emkit.fit(*arguments, **settings)


def folders_at_crashes(tmp_path, model, arguments, *, every, known, settings):
    """Yield the folder of checkpoints as a kill at every E-step, or every few, would have left it."""
    calls = itertools.count(1)
    (tmp_path / "running").mkdir()

    def copy(_, __, answer):
        number = next(calls)
        if number % every == 0:
            shutil.copytree(tmp_path / "running", tmp_path / str(number))
        return answer

    checkpoint = Checkpoint(tmp_path / "running", seconds=0, known=known)
    quiet_fit(Watched(model, copy), *arguments, checkpoint=checkpoint, **settings)
    return [tmp_path / str(number) for number in range(every, next(calls), every)]


def assert_survives(tmp_path, model, data, params=None, *, every=1, known=(), **settings):
    """Assert that a fit killed anywhere and resumed is the fit that nobody disturbed; return the latter."""
    known = (type(model), *known)
    settings = {"rng": 0, "on_decrease": "warn"} | settings
    undisturbed = quiet_fit(model, data, params, **settings)
    folders = folders_at_crashes(tmp_path, model, (data, params), every=every, known=known, settings=settings)
    assert len(folders) > 2
    for folder in folders:
        resumed = quiet_fit(Watched(model), data, params, checkpoint=Checkpoint(folder, known=known), **settings)
        assert differences(undisturbed, resumed) == [], folder.name
    return undisturbed
