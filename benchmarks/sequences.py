"""Hidden Markov models against hmmlearn, whole EM iterations: log-densities, recursions and M-steps.

Both run the same number of E-steps and of M-steps from the same start on the same data, checks and preparations
included.
"""

from __future__ import annotations

import logging
import warnings

import attrs
import numpy as np
from emkit_hmm import HiddenMarkovModel, Sequences
from measuring import Table, medians_in_turns, peak_share

import emkit
from emkit.families import Gaussian

try:
    from hmmlearn.hmm import GaussianHMM
except ImportError:
    GaussianHMM = None


@attrs.frozen
class Case:
    """Sequences of a Gaussian with ``n_states`` states; the ratios wanted are over hmmlearn's two implementations."""

    name: str
    n_states: int
    lengths: tuple[int, ...]
    n_iter: int
    over_scaling: float
    over_default: float | None = None

    def rows(self) -> np.ndarray:
        """Return one column: states last ten steps and are one and a half standard deviations apart."""
        rng = np.random.default_rng(0)
        n_rows = sum(self.lengths)
        states = np.repeat(rng.integers(self.n_states, size=n_rows // 10 + 1), 10)[:n_rows]
        return rng.normal(states * 1.5, 1.0)[:, None]


def ragged() -> tuple[int, ...]:
    """Return the lengths of 10 000 short sequences."""
    return tuple(np.random.default_rng(0).integers(5, 51, size=10_000).tolist())


CASES = (
    *(Case("50 x 100", k, (100,) * 50, 5, 1.5, 5.0) for k in (2, 4, 6, 8, 10)),
    *(Case("1 x 50 000", k, (50_000,), 3, 1 / 1.3, 3.0) for k in (2, 4, 8, 16)),
    Case("1 x 20 000", 64, (20_000,), 2, 1 / 1.2),
    Case("10 000 x 5 to 50", 4, ragged(), 2, 10.0),
)


def peer(case: Case, x: np.ndarray, start: object, implementation: str) -> None:
    """Run hmmlearn's iterations, its priors and its floor off."""
    theirs = GaussianHMM(
        case.n_states,
        covariance_type="diag",
        n_iter=case.n_iter,
        tol=-np.inf,
        init_params="",
        implementation=implementation,
        covars_prior=0,
        min_covar=0,
    )
    theirs.startprob_, theirs.transmat_ = start.chain.startprob, start.chain.transmat
    theirs.means_, theirs.covars_ = start.emission.means, start.emission.covariances
    theirs.fit(x, list(case.lengths))


def a_case(case: Case, repeats: int) -> tuple[str, bool]:
    """Return a row: milliseconds of one iteration, ours and theirs, and memory."""
    x, model = case.rows(), HiddenMarkovModel(case.n_states, Gaussian("diag"))
    data = Sequences(x, np.array(case.lengths))
    start = model.initialize(data, np.random.default_rng(0))

    def ours() -> None:
        # The last M-step is done, but its params are not returned: a result has params whose log-likelihood is known.
        emkit.fit(model, data, start, accelerate=None, tol=0, max_iter=case.n_iter)

    runs = [ours, lambda: peer(case, x, start, "scaling")]
    if case.over_default is not None:
        runs.append(lambda: peer(case, x, start, "log"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine, scaling, *default = (1e3 * seconds / case.n_iter for seconds in medians_in_turns(runs, repeats))
    ratios = [scaling / mine, *(each / mine for each in default)]
    wanted = [case.over_scaling, *([] if case.over_default is None else [case.over_default])]
    memory = peak_share(ours, x.nbytes * case.n_states)
    other = f"{default[0]:.1f} | **{ratios[1]:.1f}** | {wanted[1]:.0f}" if default else " | | "
    row = f"| {case.name}, {case.n_states} states | {mine:.2f} | {scaling:.2f} | **{ratios[0]:.2f}** | "
    row += f"{wanted[0]:.2f} | {other} | {memory:.1f} |"
    return row, all(ratio >= least for ratio, least in zip(ratios, wanted, strict=True))


def tables(repeats: int) -> list[Table]:
    """Return a table on EM iterations; none without hmmlearn."""
    if GaussianHMM is None:
        return []
    logging.getLogger("hmmlearn").setLevel(logging.CRITICAL)
    heads = (
        "One EM iteration",
        "emkit, ms",
        "hmmlearn scaling",
        "ratio",
        "wanted",
        "hmmlearn default",
        "ratio",
        "wanted",
        "memory, T x K arrays",
    )
    table = Table(heads)
    for case in CASES:
        table.add(*a_case(case, repeats))
    return [table]
