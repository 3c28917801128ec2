"""Which start runs when, and how far."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from numbers import Integral

import attrs

from emkit.engines import Engine, SerialEngine, n_workers
from emkit.restarts.outcome import Outcome, best_of
from emkit.restarts.start import Leg, Shared, run_start
from emkit.result import Status


def _at_least_one(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
        msg = f"{attribute.name} must be at least 1, and whole; it is {value!r}."
        raise ValueError(msg)


@attrs.frozen
class ShortRuns:
    """Run every start a little, and only the best few to the end (em-EM: Biernacki, Celeux and Govaert 2003).

    ``ShortRuns(n_e_steps=1, keep=1)`` compares the starting params themselves (rnd-EM: Maitra 2009).

    Parameters
    ----------
    n_e_steps : int
        How many E-steps every start gets.
    keep : int
        How many starts go on, each with one E-step more to begin with. If no more there are, none is cut short.
    """

    n_e_steps: int = attrs.field(default=10, validator=_at_least_one)
    keep: int = attrs.field(default=3, validator=_at_least_one)


def run_starts(
    shared: Shared, legs: Sequence[Leg], engine: Engine, short_runs: ShortRuns | None = None
) -> list[Outcome]:
    """Run all starts, each isolated from the failures of the others, and return how each of those begun has ended.

    No further start begins when time is up, or the user or the callback has stopped one.
    """
    watch = shared.watch
    is_short = short_runs is not None and short_runs.keep < len(legs) and short_runs.n_e_steps < legs[0].max_iter
    if short_runs is not None and is_short:
        _run(shared, [attrs.evolve(leg, max_iter=short_runs.n_e_steps, escapes=0) for leg in legs], engine)
        _go_on(shared, legs, engine, short_runs.keep)
    else:
        _run(shared, legs, engine)
    outcomes = [watch.outcomes[index] for index in sorted(watch.outcomes)]
    if watch.reason is Status.INTERRUPTED and all(outcome.ending is None for outcome in outcomes):
        raise KeyboardInterrupt
    return outcomes


def _go_on(shared: Shared, legs: Sequence[Leg], engine: Engine, keep: int) -> None:
    """Let the best starts go on after their short runs, and say of the others that they did not."""
    outcomes = shared.watch.outcomes
    waiting = {index for index, outcome in outcomes.items() if outcome.start.status is Status.MAX_ITER}
    ranking = sorted(outcomes.values(), key=Outcome.rank)
    chosen = [outcome.start.index for outcome in ranking[:keep] if outcome.ending is not None]
    while chosen:
        ended_short = {index: outcomes[index] for index in chosen}
        _run(shared, [attrs.evolve(legs[index], before=ended_short[index]) for index in sorted(chosen)], engine)
        waiting -= {index for index in chosen if outcomes[index] is not ended_short[index]}
        if waiting & set(chosen):
            break
        # Should all that went on have come to grief, the best of those that wait is the best of all.
        best = best_of(outcomes.values()).start.index
        chosen = [best] if best in waiting else []
    for index in waiting:
        status = (shared.watch.reason or Status.MAX_TIME) if index in chosen else Status.SHORT_RUN
        outcomes[index] = outcomes[index].renamed(status)


def _run(shared: Shared, legs: Sequence[Leg], engine: Engine) -> None:
    model, watch = shared.workload.model, shared.watch
    try:
        if _side_by_side(shared, len(legs), engine):
            alone = attrs.evolve(shared, workload=attrs.evolve(shared.workload, engine=SerialEngine()))
            for outcome in engine.map(functools.partial(run_start, model, alone), legs):
                if outcome is not None:
                    watch.note(outcome)
        else:
            for leg in legs:
                run_start(model, shared, leg)
    except BaseException as error:
        # Starts on other threads end at their next point; those in other processes are left to themselves.
        watch.stop(Status.INTERRUPTED)
        watch.wait()
        if not isinstance(error, KeyboardInterrupt) or not shared.settings.return_on_interrupt:
            raise


def _side_by_side(shared: Shared, n_legs: int, engine: Engine) -> bool:
    """Return whether to run starts side by side, rather than in turn with every E-step spread over the engine.

    Whichever keeps more workers busy. A callback hears nothing from other processes: with one, starts run in turn.
    """
    can_tell = shared.watch.is_silent or getattr(engine, "shares_memory", False)
    workers = n_workers(engine)
    return can_tell and min(n_legs, workers) > 1 and n_legs >= min(len(shared.workload.leaves), workers)
