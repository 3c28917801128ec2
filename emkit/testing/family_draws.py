"""Laws on the sampler of a family: its draws have the density that is claimed."""

from __future__ import annotations

import numpy as np
from scipy import special

from emkit.space import spaces_of
from emkit.space.assignment import n_free
from emkit.testing.family_case import FamilyCase
from emkit.testing.laws import SAMPLING_RISK, DoesNotApply

SAMPLE_ROWS = 2000
#: Points of a quadrature, and how exact it is; and how many whole numbers are added up at most.
GRID, QUADRATURE, MOST_WHOLE_NUMBERS = 4001, 1e-3, 1e6


def the_density_adds_up_to_the_share_of_draws(case: FamilyCase) -> None:
    """Over an interval the density of one column adds up to the share of draws in it: it holds all its factors."""
    family = case.family
    if case.raw.shape[1] != 1 or case.lengths is not None or not family.has_sampler:
        raise DoesNotApply
    params = family.fitted(case.x, case.shares())
    drawn = family.sample(params, np.zeros(SAMPLE_ROWS, dtype=np.intp), case.rng())[:, 0]
    low, high = np.quantile(drawn, [0.05, 0.95])
    share = float(np.mean((drawn >= low) & (drawn <= high)))
    is_whole = np.array_equal(drawn, np.round(drawn))
    if is_whole and high - low > MOST_WHOLE_NUMBERS:
        raise DoesNotApply
    between = np.arange(np.ceil(low), high + 1) if is_whole else np.linspace(low, high, GRID)
    points = between if is_whole else np.unique(np.r_[between, drawn[(drawn > low) & (drawn < high)]])
    density = np.exp(family.log_density(params, family.prepare(points[:, None], None))[:, 0])
    total = float(density.sum() if is_whole else np.trapezoid(density, points))
    chance = np.sqrt(special.chdtri(1, SAMPLING_RISK) * max(share * (1 - share), 1 / SAMPLE_ROWS) / SAMPLE_ROWS)
    assert abs(total - share) <= chance + QUADRATURE, (
        f"{share:.0%} of the draws lie between {low:.6g} and {high:.6g}, but the density there adds up to {total:.4g}: "
        "log_density lacks a factor, or the sampler draws from another distribution."
    )


def samples_refitted_from_the_truth_stay_near_it(case: FamilyCase) -> None:
    """A fit to rows drawn from the params gains no more over these than chance allows (a likelihood ratio)."""
    family, rng = case.family, case.rng()
    truth = family.fitted(case.x, case.shares())
    components = rng.integers(0, case.n_components, size=SAMPLE_ROWS)
    seen = case.raw[~np.isnan(case.raw).any(axis=1)]
    templates = seen[rng.integers(0, len(seen), size=SAMPLE_ROWS)]
    drawn = family.simulate(truth, components, templates, rng)
    assert drawn.shape == templates.shape, f"simulate gave the shape {drawn.shape}, not {templates.shape}."
    lengths = None if case.lengths is None else np.array([SAMPLE_ROWS])
    fresh = FamilyCase.of(family, drawn, case.n_components, lengths)
    shares = np.eye(case.n_components)[components[SAMPLE_ROWS - len(fresh.x) :]]
    refitted = truth
    for _ in range(50):
        refitted = family.fitted(fresh.x, shares, refitted)
    gain = 2 * (fresh.log_likelihood(refitted, shares) - fresh.log_likelihood(truth, shares))
    limit = float(special.chdtri(max(n_free(spaces_of(family, truth), truth), 1), SAMPLING_RISK))
    assert gain <= limit, (
        f"Refitting rows drawn from the truth gained {gain / 2:.1f} nats, chance allows {limit / 2:.1f}: the sampler "
        "and log_density describe different distributions."
    )
