"""The laws themselves: plain functions whose names are sentences."""

from __future__ import annotations

import copy
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from scipy import special

from emkit import information, storage, tree
from emkit.convergence import is_fall
from emkit.driver import fit, iterate
from emkit.engines import Workload
from emkit.engines.leaves import add_e_steps, halves
from emkit.model import as_e_step, offers, require
from emkit.result import EMResult
from emkit.space import Fixed, spaces_of
from emkit.space.assignment import outside
from emkit.space.coordinates import Coordinates, Guard

#: Two evaluations of one log-likelihood may differ by rounding in another order of summation, not by more.
LIKELIHOOD_RTOL = 1e-9
#: The sampling law fails a correct model once in ten million runs.
SAMPLING_RISK = 1e-7
SEED = 20260101


class DoesNotApply(Exception):  # noqa: N818 - not an error: the law is about something the model does not offer
    """The model lacks what the law is about."""


Law = Callable[..., None]


def _start(model: Any, data: Any, params: Any) -> Any:
    if params is not None:
        return params
    return require(model, "initialize")(data, np.random.default_rng(SEED))


def _far_start(model: Any, data: Any, params: Any) -> Any:
    """Return the worst of some feasible params along the line of the first EM step, up to 64 of its lengths away."""
    start = _start(model, data, params)
    following = next_params(model, data, start)
    coordinates = Coordinates.of(model, start, following)
    guard, x, image = Guard(coordinates), coordinates.flatten(start), coordinates.flatten(following)
    guard.observe(x)
    guard.observe(image)
    candidates = [start]
    # Differences of params keep equations such as sums to one.
    for length in (64.0, 8.0, -8.0, -64.0):
        push = (x - image) * length
        while not guard.allows(x + push, x) and coordinates.norm(push) > 0:
            push = push / 2
        candidates.append(coordinates.unflatten(x + push))
    objectives = [next(iterate(model, data, candidate)).objective for candidate in candidates]
    worst = np.argmin([value if np.isfinite(value) else np.inf for value in objectives])
    return candidates[int(worst)]


def next_params(model: Any, data: Any, params: Any) -> Any:
    """Return the params after one EM step."""
    return model.m_step(params, Workload.of(model, data).e_step(params).statistics)


def _fit(model: Any, data: Any, params: Any, **settings: Any) -> EMResult[Any]:
    return fit(model, data, _start(model, data, params), **settings)


def same(left: Any, right: Any) -> bool:
    """Return whether two trees are alike, arrays of any kind bit for bit."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray) or tree.is_leaf(left):
        equal_nan = np.asarray(left).dtype.kind in "fc"
        return np.array_equal(np.asarray(left), np.asarray(right), equal_nan=equal_nan)
    parts, others = tree.children(left), tree.children(right)
    if not parts:
        return type(left) is type(right)
    return [name for name, _ in parts] == [name for name, _ in others] and all(
        same(part, other) for (_, part), (_, other) in zip(parts, others, strict=True)
    )


def the_e_step_reports_the_log_likelihood(model: Any, data: Any, params: Any = None) -> None:
    """``e_step(params, data).log_likelihood == log_likelihood(params, data)``, at the start and after some steps."""
    if not offers(model, "log_likelihood"):
        raise DoesNotApply
    points = iterate(model, data, _start(model, data, params))
    for _, point in zip(range(4), points, strict=False):
        separate = float(model.log_likelihood(point.params, data))
        difference = abs(separate - point.log_likelihood)
        assert difference <= LIKELIHOOD_RTOL * (1 + abs(separate)), (
            f"e_step reports a log-likelihood of {point.log_likelihood!r}, log_likelihood gives {separate!r}."
        )


def the_objective_never_falls(model: Any, data: Any, params: Any = None) -> None:
    """Over 50 plain EM steps from a far start, log-likelihood plus log-prior never falls beyond rounding."""
    if not getattr(model, "monotone", True):
        raise DoesNotApply
    points = iterate(model, data, _far_start(model, data, params))
    before = next(points)
    for _, after in zip(range(50), points, strict=False):
        assert np.isfinite(after.objective), f"The objective became {after.objective} at step {after.n_iter}."
        assert not is_fall(before.objective, after.objective, after.rounding), (
            f"The objective fell from {before.objective!r} to {after.objective!r} at step {after.n_iter}."
        )
        before = after


def params_stay_in_their_space(model: Any, data: Any, params: Any = None) -> None:
    """The start and what M-steps return lie in the declared space, and constants of the fit stay what they were."""
    points = iterate(model, data, _start(model, data, params))
    constants: dict[tree.Path, Any] = {}
    for _, point in zip(range(10), points, strict=False):
        wrong = outside(model, point.params)
        assert not wrong, f"After {point.n_iter} M-steps: {wrong}"
        spaces, values = spaces_of(model, point.params), dict(tree.leaves(point.params))
        for path, space in spaces.items():
            if isinstance(space, Fixed):
                kept = same(constants.setdefault(path, values[path]), values[path])
                assert kept, f"{tree.path_name(path)} is declared fixed, and an M-step has changed it."


def the_result_reports_the_log_likelihood_of_its_params(model: Any, data: Any, params: Any = None) -> None:
    """``result.log_likelihood`` is the log-likelihood at ``result.params``, not one step before or after."""
    result = _fit(model, data, params, max_iter=7, on_decrease="ignore")
    again = float(Workload.of(model, data).e_step(result.params).log_likelihood)
    assert abs(again - result.log_likelihood) <= LIKELIHOOD_RTOL * (1 + abs(again)), (
        f"The result says {result.log_likelihood!r}, an E-step at its params {again!r}."
    )


def a_converged_point_is_a_fixed_point(model: Any, data: Any, params: Any = None) -> None:
    """From a point where the params had stopped moving, one more EM step does not move them."""
    result = _fit(model, data, params, tol=0, max_iter=20_000, on_decrease="ignore")
    if not result.converged:
        raise DoesNotApply
    following = next_params(model, data, result.params)
    coordinates = Coordinates.of(model, result.params)
    distance = coordinates.norm(coordinates.flatten(following) - coordinates.flatten(result.params))
    assert distance <= 1e-6, f"One EM step moves a converged point by {distance:.3g} of its scale."


def nothing_is_mutated(model: Any, data: Any, params: Any = None) -> None:
    """No method of the model changes its data, params, statistics or itself."""
    start = _start(model, data, params)
    before = copy.deepcopy((data, start, vars_of(model)))
    statistics = [as_e_step(model, model.e_step(start, data)).statistics]
    kept = copy.deepcopy(statistics)
    model.m_step(start, statistics[0])
    arguments: dict[str, tuple[Any, ...]] = {
        "initialize": (data, np.random.default_rng(SEED)),
        "prepare": (data,),
        "log_likelihood": (start, data),
        "posterior": (start, data),
    }
    for method, given in arguments.items():
        if offers(model, method):
            getattr(model, method)(*given)
    pairs = zip(("data", "params", "the model"), before, (data, start, vars_of(model)), strict=True)
    for name, old, new in (*pairs, ("statistics", kept, statistics)):
        assert same(old, new), f"A method modified {name}."


def vars_of(model: Any) -> Any:
    """Return what a model holds, as a tree."""
    if attrs.has(type(model)):
        return {field.name: getattr(model, field.name) for field in attrs.fields(type(model))}
    return dict(getattr(model, "__dict__", {}))


def the_same_input_gives_the_same_output(model: Any, data: Any, params: Any = None) -> None:
    """Starting params with one seed, E-step and M-step, done twice, have the same bits."""
    if offers(model, "initialize"):
        first, second = (model.initialize(data, np.random.default_rng(SEED)) for _ in range(2))
        assert same(first, second), "initialize gave two answers to one seed: it draws beside `rng`."
    start = _start(model, data, params)
    one, two = (as_e_step(model, model.e_step(start, data)) for _ in range(2))
    assert same((one.statistics, float(one.log_likelihood)), (two.statistics, float(two.log_likelihood))), (
        "e_step gave two answers to the same params and data."
    )
    assert same(model.m_step(start, one.statistics), model.m_step(start, one.statistics)), (
        "m_step gave two answers to the same statistics."
    )


def statistics_of_two_halves_add_to_the_whole(model: Any, data: Any, params: Any = None) -> None:
    """For data that may be cut into leaves: the E-steps of two parts of them add to that of the whole."""
    pieces = halves(model, data)
    if len(pieces) < 2:
        raise DoesNotApply
    start = _start(model, data, params)
    parts = [as_e_step(model, model.e_step(start, half)) for half in pieces]
    whole, total = as_e_step(model, model.e_step(start, data)), add_e_steps(*parts)
    assert abs(whole.log_likelihood - total.log_likelihood) <= LIKELIHOOD_RTOL * (1 + abs(whole.log_likelihood)), (
        f"Two halves have a log-likelihood of {total.log_likelihood!r}, the whole {whole.log_likelihood!r}."
    )
    sizes = tree.leaves(
        tree.map_leaves(lambda *leaves: sum(np.abs(leaf) for leaf in leaves), *(p.statistics for p in parts))
    )
    triples = zip(tree.leaves(whole.statistics), tree.leaves(total.statistics), sizes, strict=True)
    for (path, one), (_, two), (_, summed) in triples:
        # Sums of the whole may cancel, as moments about a mean do; their rounding is that of the parts.
        size = np.asarray(summed).max(initial=1e-300)
        gap = np.abs(np.asarray(one) - np.asarray(two)).max(initial=0.0)
        assert gap <= 1e-8 * size, f"Statistics {tree.path_name(path)} of two halves miss the whole by {gap:.3g}."


def params_survive_saving_and_pickling(model: Any, data: Any, params: Any = None) -> None:
    """Params come back from a file and from pickle with the same bits and the same class."""
    start = _start(model, data, params)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "params.emkit"
        storage.write(path, {"params": start})
        known = {type(start), *storage.known_types(type(model))}
        saved = storage.read(path, known)["params"]
    for name, back in (("a file", saved), ("pickle", pickle.loads(pickle.dumps(start)))):
        assert type(back) is type(start), f"Params came back from {name} as {type(back).__name__}."
        assert same(back, start), f"Params came back from {name} with other values."


def params_survive_the_flat_vector(model: Any, data: Any, params: Any = None) -> None:
    """Params written as a vector and read back have the same bits."""
    start = _start(model, data, params)
    coordinates = Coordinates.of(model, start)
    back = coordinates.unflatten(coordinates.flatten(start))
    assert same(back, start), "Params changed on the way through their vector: the class alters its arguments."


def the_gradient_vanishes_at_the_optimum(model: Any, data: Any, params: Any = None) -> None:
    """Where EM converges, finite differences of the objective along the free directions show no slope.

    The slope is measured by what a Newton step would gain: less than a thousandth of a nat.
    """
    result = _fit(model, data, params, tol=1e-10, max_iter=50_000, on_decrease="ignore")
    if not result.converged:
        raise DoesNotApply
    verification = information.verify(model, result.params, data)
    assert verification.gap < 1e-3, (
        f"EM stands still where a Newton step would gain {verification.gap:.3g} nats: its fixed point is not a "
        "stationary point of the objective, or the space of the params is declared wrongly."
    )


def sampled_data_refitted_from_the_truth_stay_near_it(model: Any, data: Any, params: Any = None) -> None:
    """A fit to data drawn from the params gains no more over these than chance allows (a likelihood ratio).

    Both ``sample``, asked for 2000 observations, and ``simulate``, for data like the given ones, are held to it.
    """
    draws: dict[str, Callable[[Any, np.random.Generator], Any]] = {
        "sample": lambda truth, rng: model.sample(truth, 2000, rng),
        "simulate": lambda truth, rng: model.simulate(truth, data, rng),
    }
    offered = [name for name in draws if offers(model, name)]
    if not offered:
        raise DoesNotApply
    truth = _fit(model, data, params, on_decrease="ignore").params
    for name in offered:
        drawn = draws[name](truth, np.random.default_rng(SEED))
        refitted = fit(model, drawn, truth, on_decrease="ignore")
        gain = 2 * (refitted.log_likelihoods[-1] - refitted.log_likelihoods[0])
        limit = float(special.chdtri(max(refitted.n_parameters, 1), SAMPLING_RISK))
        assert gain <= limit, (
            f"Refitting what {name} gave from the truth gained {gain / 2:.1f} nats, chance allows {limit / 2:.1f}: "
            f"{name} and e_step describe different models."
        )


#: Every law, in the order in which they are worth reading.
LAWS: tuple[Law, ...] = (
    params_stay_in_their_space,
    nothing_is_mutated,
    the_same_input_gives_the_same_output,
    the_e_step_reports_the_log_likelihood,
    statistics_of_two_halves_add_to_the_whole,
    the_objective_never_falls,
    the_result_reports_the_log_likelihood_of_its_params,
    a_converged_point_is_a_fixed_point,
    the_gradient_vanishes_at_the_optimum,
    sampled_data_refitted_from_the_truth_stay_near_it,
    params_survive_the_flat_vector,
    params_survive_saving_and_pickling,
)
