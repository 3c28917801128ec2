"""Several starts: independent random streams, short runs, ways off a hill, every ending kept, the best one chosen.

One leg of one start is :func:`emkit.restarts.start.run_start`: it needs nothing but its arguments, so it may run in
this thread, in another, or in another process, and gives the same numbers everywhere.
"""

from emkit.restarts.keeping import require_same_fit
from emkit.restarts.outcome import Outcome, best_of, outcome_of
from emkit.restarts.results import result_of
from emkit.restarts.schedule import ShortRuns, run_starts
from emkit.restarts.start import Leg, Shared, first_legs
from emkit.restarts.streams import RandomSource, streams
from emkit.restarts.watch import Watch

__all__ = [
    "Leg",
    "Outcome",
    "RandomSource",
    "Shared",
    "ShortRuns",
    "Watch",
    "best_of",
    "first_legs",
    "outcome_of",
    "require_same_fit",
    "result_of",
    "run_starts",
    "streams",
]
