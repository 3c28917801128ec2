"""The multivariate normal with gaps against scikit-learn's IterativeImputer, and against the Fortran of R's norm.

R is not asked for here. What its package norm takes was measured on another machine, in the same run as the time that
IterativeImputer took there for the table on air quality: that ratio carries its times over to this machine.
"""

from __future__ import annotations

import warnings

import attrs
import numpy as np
from emkit_mvn import MultivariateNormal, NormalImputer
from measuring import Table, medians_in_turns, peak_share
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer

import emkit
from emkit import datasets

#: Milliseconds that IterativeImputer took for the table on air quality where norm was measured.
PEER_THERE = 68.0
SHORT, LONG = 3, 13


@attrs.frozen
class Case:
    """Rows, columns and the share of cells missing at random; ``norm`` is its milliseconds for an iteration."""

    n_samples: int
    n_features: int
    share: float
    norm: float | None = None
    n_patterns: int | None = None
    n_factors: int = 3

    def table(self) -> np.ndarray:
        """Return columns that a few factors and noise of the same size make, with gaps: in any pattern, or in a few."""
        rng = np.random.default_rng(0)
        factors = rng.normal(size=(self.n_samples, self.n_factors))
        x = factors @ rng.normal(size=(self.n_factors, self.n_features)) / np.sqrt(self.n_factors)
        x += rng.normal(size=x.shape)
        if self.n_patterns is None:
            x[rng.random(x.shape) < self.share] = np.nan
        else:
            patterns = rng.random((self.n_patterns, self.n_features)) < self.share
            x[patterns[rng.integers(self.n_patterns, size=self.n_samples)]] = np.nan
        return x


#: The first three as measured with norm; its pattern code is too short for more than 30 columns.
CASES = (
    Case(5_000, 20, 0.2, norm=4.2),
    Case(20_000, 20, 0.2, norm=17.4),
    Case(2_000, 50, 0.1),
    Case(10_000, 20, 0.1, n_patterns=8),
    Case(1_000_000, 10, 0.35, n_patterns=240),
)


def imputed_by_peer(x: np.ndarray) -> np.ndarray:
    """Return what IterativeImputer makes of a table by default."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return IterativeImputer(random_state=0).fit_transform(x)


def iterations(model: MultivariateNormal, data: object, start: object, n: int) -> None:
    """Make ``n`` plain EM steps."""
    emkit.fit(model, data, start, accelerate=None, tol=0, max_iter=n)


def an_iteration(case: Case, scaling: float, repeats: int) -> tuple[str, bool]:
    """Return a row: milliseconds of setting up and of an iteration, and norm's."""
    x, model = case.table(), MultivariateNormal()
    start = model.initialize(x, np.random.default_rng(0))
    prepared = model.prepare(x)
    n_patterns = len(np.unique(np.packbits(np.isnan(x), axis=1), axis=0))
    setup, few, many = medians_in_turns(
        [
            lambda: model.prepare(x),
            lambda: iterations(model, prepared, start, SHORT),
            lambda: iterations(model, prepared, start, LONG),
        ],
        repeats,
    )
    each = (many - few) / (LONG - SHORT)
    memory = peak_share(lambda: iterations(model, x, start, SHORT), x.nbytes)
    theirs = case.norm * scaling if case.norm else None
    ratio = f"**{theirs / each / 1e3:.1f}**" if theirs else ""
    times = f"{each * 1e3:.2f} | {f'{theirs:.1f}' if theirs else ''} | {ratio}"
    name = f"{case.n_samples:_} x {case.n_features}".replace("_", " ")
    row = f"| {name}, {n_patterns} patterns | {times} | {setup * 1e3:.1f} ({setup / each:.1f}) | {memory:.1f} |"
    return row, theirs is None or theirs / each / 1e3 >= 1


def a_fit(name: str, x: np.ndarray, repeats: int) -> tuple[tuple[str, bool], float]:
    """Return a row on fitting and filling a table, and the milliseconds of IterativeImputer."""
    ours, theirs = medians_in_turns([lambda: NormalImputer().fit_transform(x), lambda: imputed_by_peer(x)], repeats)
    row = f"| {name} | {theirs * 1e3:.1f} | {ours * 1e3:.1f} | **{theirs / ours:.0f}** | 10 |"
    return (row, theirs / ours >= 10), theirs * 1e3


def tables(repeats: int) -> list[Table]:
    """Return a table on whole fits and one on single iterations."""
    fits = Table(("Fit and fill", "IterativeImputer, ms", "NormalImputer", "ratio", "wanted"))
    row, there = a_fit("air quality, 153 x 6", datasets.air_quality().values, repeats)
    fits.add(*row)
    for n_factors in (3, 30):
        table = attrs.evolve(CASES[0], n_factors=n_factors).table()
        row, _ = a_fit(f"5 000 x 20, 20 % missing, {n_factors} factors", table, min(repeats, 3))
        fits.add(*row)
    heads = (
        "One EM iteration",
        "emkit, ms",
        "R norm, ms, carried over",
        "ratio",
        "setting up, ms (iterations)",
        "memory",
    )
    steps = Table(heads)
    for case in CASES:
        steps.add(*an_iteration(case, there / PEER_THERE, repeats))
    return [fits, steps]
