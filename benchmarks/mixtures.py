"""Gaussian mixtures against scikit-learn: speed and memory of an EM iteration.

Both start from the same params and make the same number of plain EM iterations. The time of an iteration is the
difference between a long and a short fit, so that setting up counts for neither.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable

import attrs
import numpy as np
from emkit_mixture import GaussianMixtureModel, GaussianMixtureParams
from measuring import Table, peak_share
from sklearn.mixture import GaussianMixture as PeerMixture

import emkit

SHORT, LONG = 2, 7


@attrs.frozen
class Case:
    """One shape of data and structure; ``wanted`` is the ratio below which a change has made things worse."""

    covariance: str
    n_samples: int
    n_features: int
    n_components: int
    wanted: float | None = None

    @property
    def name(self) -> str:
        """How the table calls it."""
        return f"{self.covariance}, n={self.n_samples:_}, d={self.n_features}, k={self.n_components}".replace("_", " ")


CASES = (
    Case("full", 200_000, 16, 10, 3.0),
    Case("full", 200_000, 4, 5, 2.5),
    Case("full", 100_000, 50, 20, 2.0),
    Case("tied", 200_000, 16, 10),
    Case("diag", 200_000, 16, 10),
    Case("spherical", 200_000, 16, 10),
)


@attrs.frozen(eq=False)
class Problem:
    """Data, and one start for both packages."""

    case: Case
    x: np.ndarray
    model: GaussianMixtureModel
    start: GaussianMixtureParams
    precisions: np.ndarray

    @classmethod
    def of(cls, case: Case) -> Problem:
        """Draw overlapping clusters, so that nothing converges within the iterations timed."""
        rng = np.random.default_rng(0)
        centres = rng.normal(0, 2, (case.n_components, case.n_features))
        x = centres[rng.integers(case.n_components, size=case.n_samples)] + rng.normal(
            size=(case.n_samples, case.n_features)
        )
        model = GaussianMixtureModel(case.n_components, case.covariance, start="random_from_data")
        start = model.initialize(x, rng)
        start = attrs.evolve(start, weights=np.full(case.n_components, 1 / case.n_components))
        covariances = start.covariances
        precisions = np.linalg.inv(covariances) if model.covariance.is_matrix else 1 / covariances
        return cls(case, x, model, start, precisions)

    def ours(self, n_iter: int) -> float:
        """Fit with emkit and return the log-likelihood per row."""
        # The E-step after the last M-step is what reports the log-likelihood of the last params.
        result = emkit.fit(self.model, self.x, self.start, accelerate=None, tol=0, max_iter=n_iter + 1)
        return result.log_likelihood / len(self.x)

    def peers(self, n_iter: int) -> float:
        """Fit with scikit-learn and return the log-likelihood per row."""
        peer = PeerMixture(
            self.case.n_components,
            covariance_type=self.case.covariance,
            tol=0,
            max_iter=n_iter,
            weights_init=self.start.weights,
            means_init=self.start.means,
            precisions_init=self.precisions,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            peer.fit(self.x)
        return float(peer.score(self.x[:1000]))


def seconds(function: Callable[[int], float]) -> float:
    """Return the time of one iteration: a long fit less a short one."""
    times = []
    for n_iter in (SHORT, LONG):
        began = time.perf_counter()
        function(n_iter)
        times.append(time.perf_counter() - began)
    return (times[1] - times[0]) / (LONG - SHORT)


def compare(case: Case, repeats: int) -> tuple[str, bool]:
    """Return a row of the table, and whether the ratio wanted was reached."""
    problem = Problem.of(case)
    ours, theirs = [], []
    for _ in range(repeats):
        ours.append(seconds(problem.ours))
        theirs.append(seconds(problem.peers))
    one, two = statistics.median(ours), statistics.median(theirs)
    memory = [
        peak_share(lambda function=function: function(SHORT), problem.x.nbytes)
        for function in (problem.ours, problem.peers)
    ]
    ratio = two / one
    wanted = f"{case.wanted:.1f}" if case.wanted else ""
    times, shares = (f"{two * 1e3:.1f} | {one * 1e3:.1f}", f"{memory[1]:.0%} | {memory[0]:.1%}")
    row = f"| {case.name} | {times} | **{ratio:.1f}** | {wanted} | {shares} |"
    return row, case.wanted is None or ratio >= case.wanted


def tables(repeats: int) -> list[Table]:
    """Return the table, with a row for each case."""
    heads = ("Gaussian mixture", "scikit-learn, ms an iteration", "emkit", "ratio", "wanted")
    table = Table((*heads, "memory: scikit-learn", "emkit"))
    for case in CASES:
        table.add(*compare(case, repeats))
    return [table]
