"""Microseconds that the driver adds to an E-step and an M-step which cost next to nothing.

    python benchmarks/overhead.py

A loop of the model's own steps, a loop of plain Python that does a fixed amount of work, and two fits, a long and a
short one, take turns; what counts is the median over the turns of the difference between the fits and the model's own
loop. Machines differ and are noisy, so the same is also given relative to the loop of plain Python: a thousand
additions.
"""

from __future__ import annotations

import os

# One thread: it must be said before numpy loads its BLAS.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import statistics
import time
from typing import Any

import attrs
import numpy as np

import emkit
from emkit import space

METHODS = (None, "squarem", "anderson", "quasi_newton", "auto")
#: E-steps of the two fits whose difference counts, so that setting up and reporting do not.
SHORT, LONG = 20, 220
#: Rates of EM from 0.9 to 0.99999: no method arrives within the long fit.
RATES = 1 - np.logspace(-5, -1, 20)


@attrs.frozen(eq=False)
class DeclaredParams:
    position: np.ndarray = space.real()


@attrs.frozen
class Declared(emkit.LatentModel):
    """A square approached at twenty rates: params of a class, a full EStep."""

    def e_step(self, params: DeclaredParams, data: None) -> emkit.EStep:
        return emkit.EStep(params.position, -float(params.position @ params.position), 10.0)

    def m_step(self, params: DeclaredParams, statistics: np.ndarray) -> DeclaredParams:
        return DeclaredParams(RATES * statistics)


class Bare:
    """The same in the fewest words: an array for params, a pair for the E-step."""

    def e_step(self, params: np.ndarray, data: None) -> tuple[np.ndarray, float]:
        return params, -float(params @ params)

    def m_step(self, params: np.ndarray, statistics: np.ndarray) -> np.ndarray:
        return RATES * statistics


def own_loop(model: Any, params: Any) -> float:
    """Return the microseconds of an E-step and an M-step without a driver."""
    began = time.perf_counter()
    for _ in range(LONG):
        e_step = model.e_step(params, None)
        params = model.m_step(params, e_step[0] if isinstance(e_step, tuple) else e_step.statistics)
    return (time.perf_counter() - began) / LONG * 1e6


def plain_python() -> float:
    """Return the microseconds of a thousand additions."""
    began = time.perf_counter()
    for _ in range(200):
        total = 0
        for i in range(1000):
            total += i
    return (time.perf_counter() - began) / 200 * 1e6


def in_a_fit(model: Any, params: Any, method: str | None) -> float:
    """Return the microseconds of an E-step and all that belongs to it within a fit: a long one less a short one."""
    seconds = []
    for n_e_steps in (SHORT, LONG):
        began = time.perf_counter()
        result = emkit.fit(model, None, params, accelerate=method, tol=1e-300, max_iter=n_e_steps)
        seconds.append(time.perf_counter() - began)
        assert result.n_e_steps == n_e_steps, "It arrived, and there is less to measure."
    return (seconds[1] - seconds[0]) / (LONG - SHORT) * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=25)
    turns = parser.parse_args().turns
    print("| params | method | own steps, us | driver adds, us | per 1000 additions in Python |")
    print("|---|---|---|---|---|")
    for model, params in ((Bare(), np.ones(20)), (Declared(), DeclaredParams(np.ones(20)))):
        for method in METHODS:
            own, added, relative = [], [], []
            for _ in range(turns):
                alone, reference = own_loop(model, params), plain_python()
                added.append(in_a_fit(model, params, method) - alone)
                own.append(alone)
                relative.append(added[-1] / reference)
            one, two, three = (statistics.median(values) for values in (own, added, relative))
            row = f"| {type(model).__name__.lower()} | {method or 'plain EM'} | {one:.1f} | {two:.1f} | {three:.2f} |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
