"""Where E-steps run.

Data are cut into *leaves* (the model says how many rows make one), each leaf is prepared once, and every E-step maps
the model over the leaves and merges what comes back along a fixed binary tree. So the result has the same bits for
any engine, any number of workers and any order of completion.

An engine is anything with ``map(function, items)`` that yields results in the order of the items. It may say more:
``n_workers``, how many items it runs at once; ``shares_memory``, whether its workers are threads of this process;
``opened()``, a context manager that yields the engine at work.
"""

from emkit.engines.choice import EngineChoice, as_engine, n_workers, opened
from emkit.engines.leaves import Workload, merge_in_tree
from emkit.engines.pools import ExecutorEngine, ThreadEngine
from emkit.engines.serial import Engine, SerialEngine

__all__ = [
    "Engine",
    "EngineChoice",
    "ExecutorEngine",
    "SerialEngine",
    "ThreadEngine",
    "Workload",
    "as_engine",
    "merge_in_tree",
    "n_workers",
    "opened",
]
