"""The laws every family of distributions obeys: plain functions whose names are sentences."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from emkit import tree
from emkit.space import Fixed, spaces_of
from emkit.space.assignment import outside
from emkit.testing.family_case import (
    FamilyCase,
    content,
    directions,
    entries,
    is_feasible,
    largest,
    offered,
    replace,
    take,
)
from emkit.testing.family_draws import (
    samples_refitted_from_the_truth_stay_near_it,
    the_density_adds_up_to_the_share_of_draws,
)
from emkit.testing.laws import DoesNotApply, same, vars_of

#: Steps by which a maximum is probed, relative to the size of the params.
PROBES = (1e-2, 1e-3, 1e-4)
#: What a step may gain, in nats, at the end of a fit in many small steps.
PROBE_GAIN = 1e-6
#: How far two ways to one number may differ by rounding, relative to the size of a field.
RTOL = 1e-8


def log_densities_are_numbers(case: FamilyCase) -> None:
    """``log_density`` has a row for each row, a column for each component, neither NaN nor +inf, and is new."""
    params = case.family.fitted(case.x, case.shares())
    density = case.family.log_density(params, case.x)
    shape = (len(case.x), case.n_components)
    assert density.shape == shape, f"log_density has the shape {density.shape}, not {shape}."
    assert not np.isnan(density).any(), "log_density holds NaN."
    assert (density < np.inf).all(), "log_density holds +inf."
    again = case.family.log_density(params, case.x)
    is_new = density.flags.writeable and not np.shares_memory(density, again)
    assert is_new, "log_density must return a new array at every call: models write over it."


def a_fit_is_a_maximum(case: FamilyCase) -> None:
    """Where a fit no longer moves, no small feasible change of the params raises the weighted objective."""
    shares = case.shares()
    params = case.arrive(shares)
    value, vector = case.objective(params, shares), entries(params)
    slack = PROBE_GAIN + 10 * case.rounding(params, shares)
    for direction in directions(case, params):
        for step in (sign * probe for probe in PROBES for sign in (1, -1)):
            candidate = replace(params, vector + step * direction)
            if not is_feasible(case.family, candidate):
                continue
            gain = case.objective(candidate, shares) - value
            name = largest(params, direction)
            assert gain <= slack, f"A change of {name} by {step:g} of its size raises the objective by {gain:.3g} nats."


def an_m_step_never_lowers_the_objective(case: FamilyCase) -> None:
    """From params fitted to other shares, M-steps only climb."""
    shares = case.shares(1)
    params = case.family.fitted(case.x, case.shares(2))
    before = case.objective(params, shares)
    for n in range(10):
        params = case.step(params, shares)
        after = case.objective(params, shares)
        assert after >= before - case.rounding(params, shares), (
            f"M-step {n + 1} lowers the objective from {before!r} to {after!r}."
        )
        before = after


def a_fit_is_an_m_step(case: FamilyCase) -> None:
    """``fit`` with params and ``m_step`` on statistics taken at them arrive at the same objective, or nearly so."""
    shares = case.shares()
    params = case.arrive(shares)
    for name, found in (("m_step", case.step(params, shares)), ("fit", case.family.fitted(case.x, shares, params))):
        gap = case.objective(found, shares) - case.objective(params, shares)
        assert abs(gap) <= PROBE_GAIN + 10 * case.rounding(params, shares), (
            f"At a maximum {name} moves the objective by {gap:.3g} nats."
        )


def params_of_a_family_stay_in_their_space(case: FamilyCase) -> None:
    """The first fit and what M-steps return lie in the declared space; constants of the fit stay what they were."""
    params = case.family.fitted(case.x, case.shares())
    spaces = spaces_of(case.family, params)
    constants = {path: leaf for path, leaf in tree.leaves(params) if isinstance(spaces[path], Fixed)}
    for n in range(4):
        wrong = outside(case.family, params)
        assert not wrong, f"After {n} M-steps: {wrong}"
        values = dict(tree.leaves(params))
        for path, constant in constants.items():
            assert same(constant, values[path]), f"{tree.path_name(path)} is fixed, and an M-step has changed it."
        params = case.step(params, case.shares(n))


def no_method_of_a_family_mutates(case: FamilyCase) -> None:
    """No method changes its rows, shares, params, statistics or the family."""
    family, shares = case.family, case.shares()
    raw = case.raw.copy()
    params = family.fitted(case.x, shares)
    statistics = family.statistics(params, case.x, shares)
    given = (raw, content(case.x), shares, params, statistics, vars_of(family))
    before = copy.deepcopy(given)
    family.prepare(raw, case.lengths)
    family.fitted(case.x, shares, params)
    family.m_step(params, statistics)
    family.log_density(params, case.x)
    family.features(case.x)
    offered(lambda: family.complete_score(params, statistics))
    names = ("the raw rows", "the prepared rows", "the responsibilities", "the params", "the statistics", "the family")
    for name, old, new in zip(names, before, given, strict=True):
        assert same(old, new), f"A method modified {name}."


def a_family_is_deterministic(case: FamilyCase) -> None:
    """Two fits, and two M-steps, of the same input have the same bits."""
    shares = case.shares()
    first, second = (case.family.fitted(case.x, shares) for _ in range(2))
    assert same(first, second), "Two fits of the same rows differ."
    assert same(case.step(first, shares), case.step(first, shares)), "Two M-steps on the same rows differ."


def statistics_of_parts_add(case: FamilyCase) -> None:
    """For additive families: statistics of two parts of the rows add to those of all, leaf by leaf."""
    if not case.family.is_additive:
        raise DoesNotApply
    shares = case.shares()
    params = case.family.fitted(case.x, shares)
    middle = len(case.x) // 3
    parts = [
        case.family.statistics(params, take(case.x, rows), shares[rows])
        for rows in np.split(np.arange(len(case.x)), [middle])
    ]
    whole, total = case.family.statistics(params, case.x, shares), tree.add(*parts)
    sizes = tree.map_leaves(lambda one, other: np.abs(one) + np.abs(other), *parts)
    triples = zip(tree.leaves(whole), tree.leaves(total), tree.leaves(sizes), strict=True)
    for (path, one), (_, two), (_, size) in triples:
        gap = np.abs(np.asarray(one) - np.asarray(two)).max(initial=0.0)
        limit = RTOL * np.asarray(size).max(initial=1e-300)
        assert gap <= limit, f"Statistics {tree.path_name(path)} of two parts miss the whole by {gap:.3g}."


def an_empty_component_keeps_its_params(case: FamilyCase) -> None:
    """A component without rows keeps its params bit for bit; without any rows at all, all of them are kept."""
    family, shares = case.family, case.shares()
    params = family.fitted(case.x, shares)
    nothing = family.fitted(case.x, np.zeros_like(shares), params)
    assert same(nothing, params), "A fit to responsibilities of zero does not return the params it was given."
    assert same(case.step(params, np.zeros_like(shares)), params), "An M-step without rows changes the params."
    # Which fields have an axis of components is seen from a fit with one more of them.
    wider = dict(tree.leaves(family.fitted(case.x, case.shares(0, case.n_components + 1))))
    emptied = case.shares(3)
    emptied[:, 0] = 0.0
    for how, after in (("fit", family.fitted(case.x, emptied, params)), ("m_step", case.step(params, emptied))):
        values = dict(tree.leaves(after))
        for path, leaf in tree.leaves(params):
            if np.shape(leaf) == np.shape(wider[path]):
                continue
            each = len(leaf) // case.n_components
            assert np.array_equal(leaf[:each], values[path][:each]), (
                f"A component without rows does not keep its {tree.path_name(path)} in {how}."
            )


def an_empty_component_starts_as_all_rows_together(case: FamilyCase) -> None:
    """At the start a component without rows has params inside their space: those of all rows, if none are shared."""
    shares = case.shares(3)
    shares[:, 0] = 0.0
    params = case.family.fitted(case.x, shares)
    wrong = outside(case.family, params)
    assert not wrong, f"With an empty component at the start: {wrong}"
    wider = dict(tree.leaves(case.family.fitted(case.x, case.shares(0, case.n_components + 1))))
    spaces = spaces_of(case.family, params)
    for path, leaf in tree.leaves(params):
        if np.shape(leaf) == np.shape(wider[path]) and not isinstance(spaces[path], Fixed):
            raise DoesNotApply
    together = case.family.fitted(case.x, shares.sum(axis=1, keepdims=True))
    found = case.family.log_density(params, case.x)[:, 0]
    expected = case.family.log_density(together, case.x)[:, 0]
    assert np.allclose(found, expected, rtol=1e-6, atol=1e-6), (
        "A component without rows does not start with the params of all rows together."
    )


def weights_count_as_repetitions(case: FamilyCase) -> None:
    """Rows with responsibilities times 0, 1, 2 or 3 give the same fit as that many copies of the rows."""
    shares = case.shares()
    times = case.rng().integers(0, 4, size=len(case.x))
    copies = np.repeat(np.arange(len(case.x)), times)
    weighted = case.family.fitted(case.x, shares * times[:, None])
    repeated = case.family.fitted(take(case.x, copies), shares[copies])
    for (path, one), (_, two) in zip(tree.leaves(weighted), tree.leaves(repeated), strict=True):
        size = max(float(np.abs(one).max(initial=0.0)), 1e-300)
        gap = float(np.abs(np.asarray(one) - np.asarray(two)).max(initial=0.0))
        assert gap <= 1e-6 * size, f"Weights and repetitions give a {tree.path_name(path)} that differs by {gap:.3g}."


def the_complete_score_is_the_gradient(case: FamilyCase) -> None:
    """Where it is offered: ``complete_score`` agrees with differences of the weighted log-likelihood."""
    shares = case.shares(1)
    params = case.family.fitted(case.x, case.shares(2))
    statistics = case.family.statistics(params, case.x, shares)
    score, is_offered = offered(lambda: entries(case.family.complete_score(params, statistics)))
    if not is_offered:
        raise DoesNotApply
    for direction in directions(case, params):
        # A step may be long for a param far smaller than its unit, or short against rounding: one of two must do.
        found, size = float(score @ direction), float(np.abs(score * direction).sum()) + 1.0
        slopes = [_slope(case, params, shares, direction * step) / step for step in (1e-4, 1e-6)]
        gaps = [abs(found - slope) - 10 * case.rounding(params, shares) / 1e-4 for slope in slopes]
        # Rows push either way and may cancel: the size of the answer is that of what cancels.
        assert not min(gaps) > 1e-5 * size, (
            f"The complete score of {largest(params, direction)} is {found:.6g}, by differences {slopes[0]:.6g}."
        )


def _slope(case: FamilyCase, params: Any, shares: Any, change: Any) -> float:
    """Return by how much the weighted log-likelihood grows along a change, to fourth order; NaN at a bound."""
    points = [replace(params, entries(params) + times * change) for times in (-2, -1, 1, 2)]
    if not all(is_feasible(case.family, point) for point in points):
        return float("nan")
    far_below, below, above, far_above = (case.log_likelihood(point, shares) for point in points)
    return (8 * (above - below) - (far_above - far_below)) / 12


def rows_that_miss_can_be_taken_out(case: FamilyCase) -> None:
    """``prepare`` lets rows of NaN pass, and the others, taken out of what it gives, are what they were."""
    if case.lengths is not None or np.isnan(case.raw).any():
        raise DoesNotApply
    holes = np.insert(case.raw, [0, len(case.raw) // 2], np.nan, axis=0)
    seen = np.flatnonzero(~np.isnan(holes).all(axis=1))
    prepared = case.family.prepare(holes, None)
    assert len(prepared) == len(holes), f"{len(holes)} rows became {len(prepared)} prepared ones."
    if getattr(prepared, "missing", np.zeros(1)).sum() > len(holes) - len(seen):
        raise DoesNotApply
    params = case.family.fitted(case.x, case.shares())
    found = case.family.log_density(params, take(prepared, seen))
    expected = case.family.log_density(params, case.x)
    assert np.allclose(found, expected, rtol=RTOL, atol=RTOL), "Rows of NaN change the log-density of the others."


FamilyLaw = Callable[[FamilyCase], None]

#: Every law of families, in the order in which they are worth reading.
FAMILY_LAWS: tuple[FamilyLaw, ...] = (
    log_densities_are_numbers,
    params_of_a_family_stay_in_their_space,
    no_method_of_a_family_mutates,
    a_family_is_deterministic,
    an_m_step_never_lowers_the_objective,
    a_fit_is_a_maximum,
    a_fit_is_an_m_step,
    statistics_of_parts_add,
    weights_count_as_repetitions,
    an_empty_component_keeps_its_params,
    an_empty_component_starts_as_all_rows_together,
    rows_that_miss_can_be_taken_out,
    the_complete_score_is_the_gradient,
    the_density_adds_up_to_the_share_of_draws,
    samples_refitted_from_the_truth_stay_near_it,
)
