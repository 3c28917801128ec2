"""E-steps of every accelerator: on the thirteen classical problems of the tests, and on random mixtures.

    python benchmarks/accelerators.py

On the classical problems all methods stop by the rule of the published count (an EM step of 1e-8 or 1e-7), and once
more by the default tolerance. On the random mixtures they stop by the default, from one start for all, so methods may
end on different hills; that is no failure, and how often it happens is told. Ratios are E-steps of plain EM divided by
those of the method: larger is faster. The tables go to `benchmarks/accelerators.md`.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from emkit_mixture import GaussianMixtureModel

import emkit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from problems import PROBLEMS
from toys import PoissonMixture

METHODS = (None, "squarem", "anderson", "quasi_newton", "auto")
RESULTS = Path(__file__).with_name("accelerators.md")
#: What plain EM may take on a random mixture.
LONGEST = 15_000
#: A method is slower than plain EM if it takes more than this many times its E-steps.
SLOWER = 1.05
#: Ends further apart than this, in nats, lie on different hills.
APART = 1e-3


@attrs.frozen(eq=False)
class Case:
    """A model, its data and a start for all methods."""

    model: Any
    data: Any
    start: Any


def gaussian_mixtures(n: int) -> Iterator[Case]:
    """Clusters that are hardly, somewhat or well separated, fitted with every structure of the covariances."""
    for seed in range(n):
        rng = np.random.default_rng(seed)
        k, d, n_samples = int(rng.integers(2, 5)), int(rng.integers(1, 4)), int(rng.integers(60, 600))
        spread = rng.uniform(0.5, 2, size=(1, d))
        centres = rng.normal(size=(k, d))[rng.integers(0, k, n_samples)] * rng.choice([1.0, 2.0, 4.0])
        x = rng.normal(size=(n_samples, d)) * spread + centres
        model = GaussianMixtureModel(k, covariance=("full", "diag", "tied", "spherical")[seed % 4])
        yield Case(model, x, model.initialize(x, np.random.default_rng(seed)))


def poisson_mixtures(n: int) -> Iterator[Case]:
    """Two or three components with rates between 0.5 and 8, on 100 to 5000 numbers."""
    for seed in range(n):
        rng = np.random.default_rng(1000 + seed)
        k, n_samples = int(rng.integers(2, 4)), int(rng.integers(100, 5000))
        y = rng.poisson(rng.uniform(0.5, 8, k)[rng.integers(0, k, n_samples)])
        values, counts = np.unique(y, return_counts=True)
        model, data = PoissonMixture(k), (values.astype(float), counts.astype(float))
        yield Case(model, data, model.initialize(data, rng))


BATTERIES: dict[str, Callable[[int], Iterator[Case]]] = {
    "Gaussian mixtures (emkit_mixture)": gaussian_mixtures,
    "Poisson mixtures": poisson_mixtures,
}


def geometric_mean(values: np.ndarray) -> float:
    return float(np.exp(np.log(values).mean()))


def name_of(method: str | None) -> str:
    return f"`{method!r}`" if method else "plain EM"


def table(rows: list[list[str]]) -> list[str]:
    """Return rows as a table; the first is its head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:], ""]


def classical(by_published_rule: bool) -> list[str]:
    """Return the table of the thirteen problems: E-steps, and how many of them were proposals not accepted."""
    rows = [["problem", *map(name_of, METHODS)]]
    counts = []
    for problem in PROBLEMS:
        tol = problem.tol if by_published_rule else emkit.GainTolerance()
        cells, found = [], []
        for method in METHODS:
            result = emkit.fit(problem.model, problem.data, problem.start, accelerate=method, tol=tol, max_iter=LONGEST)
            short = problem.optimum - result.log_likelihood
            remark = f" ({result.n_rejected})" if result.n_rejected else ""
            # No published number was missed so far; if one is, the table says by how much.
            remark += "" if short <= 1e-5 else f" **{short:.1e} short**"
            remark += "" if result.converged else " **not converged**"
            cells.append(f"{result.n_e_steps}{remark}")
            found.append(result.n_e_steps)
        rows.append([problem.name, *cells])
        counts.append(found)
    speed = np.array(counts, float)[:, :1] / np.array(counts, float)
    rows.append(["**ratio, geometric mean**", *(f"**{geometric_mean(column):.1f}**" for column in speed.T)])
    rows.append(["**ratio, worst**", *(f"**{column.min():.1f}**" for column in speed.T)])
    return table(rows)


def battery(cases: Callable[[int], Iterator[Case]], n: int) -> list[str]:
    """Return the table of random mixtures."""
    counts, ends, rejected, unfinished = (np.empty((n, len(METHODS))) for _ in range(4))
    for i, case in enumerate(cases(n)):
        for j, method in enumerate(METHODS):
            result = emkit.fit(case.model, case.data, case.start, accelerate=method, max_iter=LONGEST)
            counts[i, j], ends[i, j] = result.n_e_steps, result.log_likelihood
            rejected[i, j], unfinished[i, j] = result.n_rejected, not result.converged
    head = "method, E-steps: median, 90 %, most, ratio: geometric mean, worst, slower than EM, rejected, not converged"
    rows = [[*head.split(", "), "ends higher than EM", "ends lower"]]
    for j, method in enumerate(METHODS):
        taken, speed, apart = counts[:, j], counts[:, 0] / counts[:, j], ends[:, j] - ends[:, 0]
        row = [name_of(method), f"{np.median(taken):.0f}", f"{np.percentile(taken, 90):.0f}", f"{taken.max():.0f}"]
        row += [f"**{geometric_mean(speed):.1f}**", f"{speed.min():.2f}", f"{np.sum(speed < 1 / SLOWER)}"]
        row += [f"{rejected[:, j].sum() / taken.sum():.0%}", f"{unfinished[:, j].sum():.0f}"]
        rows.append([*row, f"{np.sum(apart > APART)}", f"{np.sum(apart < -APART)}"])
    return table(rows)


def main() -> None:
    """Print the tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=75, help="how many random mixtures of each kind")
    n = parser.parse_args().cases
    lines = [
        "# Accelerators, counted in E-steps",
        "",
        f"emkit {emkit.__version__}, numpy {np.__version__}, Python {platform.python_version()}. Made by "
        "`python benchmarks/accelerators.py`. Ratios are E-steps of plain EM to those of the method.",
        "",
        "## The classical problems, by the rule of the published counts",
        "",
        "In brackets: proposals that cost an E-step and were not accepted, or were infeasible.",
        "",
        *classical(by_published_rule=True),
        "## The same by the default tolerance",
        "",
        "Every method stops at an estimated 1e-6 nats below its optimum.",
        "",
        *classical(by_published_rule=False),
    ]
    for name, cases in BATTERIES.items():
        lines += [f"## {n} random {name}, default tolerance", "", *battery(cases, n)]
    lines += [
        f"Slower: more than {SLOWER - 1:.0%} more E-steps than plain EM. Higher and lower: by over {APART:g} nats. "
        f"Every method may take {LONGEST} E-steps; rejected proposals are a share of them.",
    ]
    print("\n".join(lines))
    RESULTS.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
