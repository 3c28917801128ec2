"""One interval of the standard normal: its mean, its variance, its quantiles, whatever its width and its distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

# Below this many standard deviations probabilities underflow and logarithms take over.
DEEP = -35.0
# Intervals with a smaller share of the tail below them are taken as having a constant density.
NARROW = 1e-9

_NODES, _NODE_WEIGHTS = np.polynomial.legendre.leggauss(16)


def interval_mean(a: Array, b: Array) -> Array:
    """Return ``E[z | a <= z <= b]`` of a standard normal z, exact to rounding relative to the interval.

    Computes, mirrored so that ``|a| <= b``,

        sqrt(2 / pi) * (1 - exp(-d)) / (erfcx(a / sqrt(2)) - exp(-d) * erfcx(b / sqrt(2))),  d = (b**2 - a**2) / 2

    and integrates numerically in short intervals, where both differences would cancel.
    """
    a, b, mirrored = _mirror(a, b, 1.0)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        d = (b - a) * (b + a) / 2
        decay, root = np.exp(-d), np.sqrt(0.5)
        mean = np.sqrt(2 / np.pi) * -np.expm1(-d) / (special.erfcx(a * root) - decay * special.erfcx(b * root))
        # A free coordinate gives inf - inf.
        mean = np.where(np.isinf(a), 0.0, mean)
        half, middle = (b - a) / 2, (a + b) / 2
        short = half * np.maximum(middle, 1.0) < 1
    h, c = half[short, None], middle[short, None]
    density = _NODE_WEIGHTS * np.exp(-h * _NODES * (c + h * _NODES / 2))
    mean[short] = (c + h * (density @ _NODES / density.sum(axis=1))[:, None])[:, 0]
    mean = np.clip(mean, a, b)
    return np.where(mirrored, -mean, mean)


def interval_variance(a: Array, b: Array, mean: Array) -> Array:
    """Return ``Var[z | a <= z <= b]`` of a standard normal z, to about 1e-8: good enough for a derivative."""
    log_mass = interval_quantile(a, b, np.array(0.5))[1]
    with np.errstate(over="ignore", invalid="ignore"):
        ends = [
            np.where(np.isfinite(end), end * np.exp(-(end**2) / 2 - log_mass) / np.sqrt(2 * np.pi), 0.0)
            for end in (a, b)
        ]
        variance = 1 + ends[0] - ends[1] - mean**2
    return np.clip(np.nan_to_num(variance), 0.0, 1.0)


def interval_quantile(a: Array, b: Array, uniform: Array) -> tuple[Array, Array]:
    """Return quantiles of a standard normal restricted to ``[a, b]``, and the logarithms of ``P(a <= z <= b)``.

    Intervals right of zero are mirrored, as only the left tail keeps its digits; far out in it logarithms do, and in
    intervals so narrow that even these cancel the density is constant.
    """
    a, b, mirrored = _mirror(a, b, -1.0)
    uniform = np.where(mirrored, 1 - uniform, uniform)
    with np.errstate(divide="ignore", invalid="ignore"):
        top = special.ndtr(b)
        below = special.ndtr(a)
        mass = top - below
        log_mass, z = np.log(mass), special.ndtri(below + uniform * mass)
    hard = (b < DEEP) | (mass < NARROW * top)
    if hard.any():
        z[hard], log_mass[hard] = _hard_quantile(a[hard], b[hard], uniform[hard])
    z = np.clip(z, a, b)
    return np.where(mirrored, -z, z), log_mass


def _hard_quantile(a: Array, b: Array, uniform: Array) -> tuple[Array, Array]:
    """Return quantiles and logarithms of probabilities of short intervals and of such far out in the left tail."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_top = special.log_ndtr(b)
        share = -np.expm1(special.log_ndtr(a) - log_top)
        z = special.ndtri_exp(log_top + np.log1p((uniform - 1) * share))
        log_mass = log_top + np.log(share)
        narrow = share <= NARROW
        z[narrow] = (a + uniform * (b - a))[narrow]
        log_mass[narrow] = (np.log(b - a) - (a + b) ** 2 / 8 - np.log(2 * np.pi) / 2)[narrow]
    # An interval in which there is no second number has a weight all the same: it may be the only one there is.
    return z, np.maximum(log_mass, -1e250)


def _mirror(a: Array, b: Array, side: float) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return intervals, those whose middle is not on the given side of zero mirrored, and which these are."""
    with np.errstate(invalid="ignore"):
        mirrored = side * (a + b) < 0
    return np.where(mirrored, -b, a), np.where(mirrored, -a, b), mirrored


def uniform_numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Return uniform numbers above zero, whose quantiles are finite."""
    return np.maximum(rng.random(shape), 2.0**-54)
